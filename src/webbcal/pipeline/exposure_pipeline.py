"""What pipelines of stage 2 have in common: each product is made from one science exposure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, ClassVar

import numpy as np

from webbcal import datamodels
from webbcal.associations.association import Association, Product
from webbcal.associations.coerce import as_level2, tell_of_unused
from webbcal.combine.members.sizes import sizes_of
from webbcal.core.dqflags import pixel
from webbcal.core.errors import InputError
from webbcal.core.suffixes import remove_suffix
from webbcal.datamodels.lists import items_of
from webbcal.pipeline.association_input import AssociationPipeline
from webbcal.run.exposure import Exposure
from webbcal.run.naming import check_distinct
from webbcal.run.planning import ModelPlan, crds_context, model_bytes, working_bytes
from webbcal.run.run import Run
from webbcal.run.script import Script, decide, outputs_of, perform, steps_in

log = logging.getLogger(__name__)

#: Kind of product -> what is added to suffixes.
INTS = {"image": "", "ints": "ints"}
_DO_NOT_USE = np.uint32(pixel["DO_NOT_USE"])


class ExposurePipeline(AssociationPipeline):
    """A pipeline of stage 2; subclasses give the steps (`step_defs`) and the `script` for an exposure.

    The input is an exposure (path or model), a list of exposures, or a level-2 association; each of its
    products is made from one science exposure. A list of models is returned, one for each product.
    """

    level = 2
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "cal", "ints": "calints"}

    def script(self, model: Any, product: Product, association: Association) -> Script:
        """Return the steps in their order, with what each gets beside the model.

        Raises
        ------
        InputError
            If one of them was applied to the exposure before.
        """
        raise NotImplementedError

    def why_unfit(self, model: Any) -> str | None:
        """Return why the pipeline does not take an exposure, or None."""
        raise NotImplementedError

    def prepared(self, model: Any, product: Product, association: Association) -> Any:
        """Return a science exposure with what its association says of it."""
        return model

    def work(self, run: Run, *args: Any) -> list[Any]:
        """Make all products of the input; return their models.

        Of several products that are saved, each is handed back as a model that reads its file when touched.

        Raises
        ------
        InputError
            If the input, or a science member, is no count-rate exposure, or is calibrated already.
        OutputError
            If two products would have one name.
        """
        association = self.association(args[0])
        if len(association.products) == 1 or self.output_file is None:
            return self._make_all(run, association)
        log.warning("output_file is ignored: there are several products")
        unnamed = self.arranged("several products", output_file=None, save_results=True)
        return unnamed._make_all(run, association)

    def _make_all(self, run: Run, association: Association) -> list[Any]:
        """Make the products of an association; return their models."""
        several = len(association.products) > 1
        self._check_names(run, association)
        results = []
        for product in association.products:
            log.info("product %s", product.name)
            part = run.product(f"{product.name}{self.output_ext}")
            with part.active():
                model = self._make(part, product, association)
            results.append(datamodels.open(part.saved[-1]) if several and self.streams else model)
        return results

    def planned(self, run: Run, *args: Any) -> list[ModelPlan]:
        """Return the plan of each product that a run on this input would make, without running anything."""
        association = self.association(args[0])
        plans = []
        for product in association.products:
            with run.product(f"{product.name}{self.output_ext}").active() as part:
                model = self._open_science(product, association)
                plans.append(self._project(part, model, self.script(model, product, association)))
        return plans

    def as_association(self, init: Any) -> Association:
        """Return any input as an association of level 2."""
        return as_level2(init, tell=False)

    def association(self, init: Any) -> Association:
        """Return any input as an association of level 2, after a look at it."""
        association = super().association(init)
        tell_of_unused(association)
        return association

    def _make(self, run: Run, product: Product, association: Association) -> Any:
        """Run the script on the science member of a product."""
        model = self._open_science(product, association)
        model.meta.asn.pool_name = association.asn_pool
        model.meta.asn.table_name = association.filename
        script = self.script(model, product, association)
        needs = self._needs(model, steps_in(script))
        outputs = outputs_of(script, model)
        plan = ModelPlan([], outputs, None, run.resources, str(product.name)).fitted(needs)
        run.resources = plan.checked()
        given = [model]
        del model  # what is cut from an exposure takes its place in memory
        run.result = perform(script, given.pop(), run)
        return run.result

    def _project(self, run: Run, model: Any, script: Script) -> ModelPlan:
        steps, outputs = decide(script, model)
        title = Exposure.of_model(model).description
        plan = ModelPlan(steps, outputs, crds_context(steps), run.resources, title)
        return plan.fitted(self._needs(model, [s.step for s in steps if s.applied]))

    def _needs(self, model: Any, steps: Sequence[Any]) -> Callable[[int], int]:
        """Return the function from threads to bytes that these steps need."""
        sizes = dict.fromkeys(steps, sizes_of([model]))
        return lambda threads: model_bytes(model) + working_bytes(sizes, threads)

    def _check_names(self, run: Run, association: Association) -> None:
        """Refuse products that would have one name, before any of them is made.

        Raises
        ------
        OutputError
            Naming the file.
        """
        roots: dict[str, list[Product]] = {}
        for product in association.products:
            roots.setdefault(remove_suffix(PurePath(str(product.name)).name)[0], []).append(product)
        same = [products for products in roots.values() if len(products) > 1]
        named = any(getattr(self, name).output_file for name in self.step_defs)
        if len(association.products) > 1 and named:
            same = [list(association.products)]
        paths: list[str] = []
        for product in (product for products in same for product in products):
            with run.product(f"{product.name}{self.output_ext}").active():
                model = self._open_science(product, association)
                outputs = outputs_of(self.script(model, product, association), model)
            paths += [output.path for output in outputs if output.path is not None]
        check_distinct(paths)

    def _open_science(self, product: Product, association: Association) -> Any:
        """Open the science member; a model that was given is copied, not changed."""
        (member, *_) = product.science
        path = association.resolve(member)
        model = self.open_model(path) if member.model is None else member.model.copy()
        reason = self.why_unfit(model)
        if reason:
            raise InputError(
                f"{path}: {self.class_alias} {reason}; it takes what calwebb_detector1 makes (_rate, "
                "_rateints)"
            )
        return self.prepared(model, product, association)

    def save_result(self, run: Run) -> None:
        """Save what hooks have changed, or what is not streamed."""
        for model in run.result:
            path = str(self.output_folder / model.meta.filename)
            model.save(path)
            run.note_saved(path)


def kind_of(model: Any) -> str:
    """Return which product is made of a model: of an image, or of integrations."""
    return "ints" if type(model).__name__ == "CubeModel" else "image"


def warn_if_empty(model: Any, path: str) -> None:
    """Say so if no pixel can be used."""
    if not any(map(_has_usable, items_of(model))):
        log.warning("%s: no pixel can be used: all are flagged DO_NOT_USE, or NaN", model.meta.filename)


def _has_usable(item: Any) -> bool:
    unusable = (item.dq & _DO_NOT_USE != 0) if item.has("dq") else False
    return bool((np.isfinite(item.data) & ~unusable).any())
