"""calwebb_image2: from count rates to calibrated exposures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, ClassVar

import numpy as np

from webbcal import datamodels
from webbcal.associations import as_level2
from webbcal.associations.association import Association, Product
from webbcal.combine.members.sizes import sizes_of
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.core.dqflags import pixel
from webbcal.core.errors import InputError
from webbcal.core.modes import mode_of
from webbcal.core.suffixes import remove_suffix
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.exposure.images import why_no_image
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.exposure.response.photom import PhotomStep
from webbcal.pipeline.association_input import AssociationPipeline
from webbcal.run.exposure import Exposure
from webbcal.run.naming import check_distinct
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import ModelPlan, crds_context, model_bytes, refuse_twice, working_bytes
from webbcal.run.run import Run
from webbcal.run.script import Product as Final
from webbcal.run.script import Script, Task, decide, outputs_of, perform

log = logging.getLogger(__name__)

_INTS = {"image": "", "ints": "ints"}
_DO_NOT_USE = np.uint32(pixel["DO_NOT_USE"])


class Image2Pipeline(AssociationPipeline):
    """Subtract backgrounds, attach the WCS, flat-field, calibrate and resample (`_cal`, `_i2d`).

    The input is an exposure (path or model), a list of exposures, or a level-2 association; each of its
    products is made from one science exposure. A list of models is returned, one for each product.
    """

    class_alias = "calwebb_image2"
    level = 2
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "cal", "ints": "calints"}
    step_defs = {
        "bkg_subtract": BackgroundStep,
        "assign_wcs": AssignWcsStep,
        "flat_field": FlatFieldStep,
        "photom": PhotomStep,
        "resample": ResampleStep,
    }

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Image2Pipeline`."""

        save_bsub: bool = param(False, "Save background-subtracted rates (bkg_subtract.save_results)")

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
        several = len(association.products) > 1
        if several and self.output_file is not None:
            log.warning("output_file is ignored: there are several products")
            return self.arranged("several products", output_file=None, save_results=True).work(run, *args)
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
                plans.append(self._project(part, model, self._script(model, product, association)))
        return plans

    def as_association(self, init: Any) -> Association:
        """Return any input as an association of level 2."""
        return as_level2(init)

    def _make(self, run: Run, product: Product, association: Association) -> Any:
        """Run the script on the science member of a product."""
        model = self._open_science(product, association)
        model.meta.asn.pool_name = association.asn_pool
        model.meta.asn.table_name = association.filename
        script = self._script(model, product, association)
        steps = [item.step for item in script if isinstance(item, Task) and item.takes_part]
        needs = self._needs(model, steps)
        outputs = outputs_of(script, model)
        plan = ModelPlan([], outputs, None, run.resources, str(product.name)).fitted(needs)
        run.resources = plan.checked()
        run.result = perform(script, model, run)
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

    def _script(self, model: Any, product: Product, association: Association) -> list[Task | Final]:
        """Return the steps in their order, with what each gets beside the model.

        Raises
        ------
        InputError
            If one of them was applied to the exposure before.
        """
        members = product.members_of("background")
        backgrounds = [m.model or association.resolve(m) for m in members] or None
        keeps = self.bkg_subtract.save_results or (self.save_bsub and bool(members))
        suffix, alias = f"bsub{_INTS[_kind(model)]}", str(self.class_alias)
        background = self.bkg_subtract.arranged(alias, save_results=keeps, suffix=suffix)
        resample = self.resample.arranged(alias, save_results=self.saves, suffix="i2d")
        steps = [self.flat_field, self.photom, *([background] if backgrounds else [])]
        refuse_twice(model, [step for step in steps if not step.get_pars().get("inverse")])
        path = self.make_output_path(suffix=self.product_suffixes[_kind(model)])
        return [
            Task(background, (backgrounds,)),
            Task(self.assign_wcs),
            Task(self.flat_field),
            Task(self.photom),
            Task(resample, unless=_why_no_mosaic(model), aside=True),
            Final(path, self.streams, _warn_if_empty),
        ]

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
                outputs = outputs_of(self._script(model, product, association), model)
            paths += [output.path for output in outputs if output.path is not None]
        check_distinct(paths)

    def _open_science(self, product: Product, association: Association) -> Any:
        """Open the science member; a model that was given is copied, not changed."""
        (member, *_) = product.science
        path = association.resolve(member)
        model = self.open_model(path) if member.model is None else member.model.copy()
        reason = why_no_image(model)
        if reason:
            raise InputError(
                f"{path}: calwebb_image2 {reason}; it takes what calwebb_detector1 makes (_rate, _rateints)"
            )
        return model

    def save_result(self, run: Run) -> None:
        """Save what hooks have changed, or what is not streamed."""
        for model in run.result:
            path = str(self.output_folder / model.meta.filename)
            model.save(path)
            run.note_saved(path)


def _kind(model: Any) -> str:
    """Return which product is made of a model: of an image, or of integrations."""
    return "ints" if type(model).__name__ == "CubeModel" else "image"


def _why_no_mosaic(model: Any) -> str | None:
    """Return why an exposure gets no quick-look mosaic, or None."""
    exp_type = str(model.meta.exposure.type).upper()
    if not mode_of(exp_type).is_mosaicked:
        return f"exposures of EXP_TYPE {exp_type} get no quick-look mosaic"
    return None if len(model.shape) == 2 else "integrations get no quick-look mosaic"


def _warn_if_empty(model: Any, path: str) -> None:
    """Say so if no pixel can be used."""
    unusable = (model.dq & _DO_NOT_USE != 0) if model.has("dq") else False
    if not (np.isfinite(model.data) & ~unusable).any():
        log.warning("%s: no pixel can be used: all are flagged DO_NOT_USE, or NaN", model.meta.filename)
