"""calwebb_image3: from calibrated exposures to the mosaic and its catalogue."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from webbcal.associations import as_level3
from webbcal.associations.association import Association, Product
from webbcal.combine.alignment.tweakreg import TweakRegStep
from webbcal.combine.members.list_step import ListStep, note_association
from webbcal.combine.members.opening import check_calibrated, open_members, warn_of_mixtures
from webbcal.combine.members.sizes import describe, mosaic_shape, sizes_of
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.combine.sky.skymatch import SkyMatchStep
from webbcal.combine.sources.source_catalog import SourceCatalogStep
from webbcal.core.errors import PlanError
from webbcal.core.suffixes import remove_suffix
from webbcal.pipeline.association_input import AssociationPipeline, science_names
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import ModelPlan, crds_context, working_bytes
from webbcal.run.run import Run
from webbcal.run.script import Product as Final
from webbcal.run.script import Script, Task, decide, outputs_of, perform

log = logging.getLogger(__name__)


class AssignMTWcsStep(ListStep):
    """Let the WCS follow a moving target. Not available yet: its place in the pipeline is kept."""

    class_alias = "assign_mtwcs"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `AssignMTWcsStep`."""

        suffix: str | None = param("assign_mtwcs", "Suffix of file names")
        output_use_model: bool = param(True, "Name files after the models")

    def reason_to_skip(self, models: Sequence[Any], p: Parameters) -> str | None:
        """Refuse.

        Raises
        ------
        PlanError
            Always.
        """
        raise PlanError(
            f"{models[0].meta.filename} is of a moving target, and aligning on one is not available in this "
            "version of webbcal; run with assign_mtwcs.skip=true for a mosaic that is fixed on the sky"
        )


class Image3Pipeline(AssociationPipeline):
    """Align, match skies, reject outliers, combine and catalogue: `_cal` to `_crf`, `_i2d`, `_cat`, `_segm`.

    The input is a level-3 association, a list of exposures, or one exposure, which is resampled and
    catalogued only. The mosaic is returned.
    """

    class_alias = "calwebb_image3"
    level = 3
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "i2d"}
    step_defs = {
        "assign_mtwcs": AssignMTWcsStep,
        "tweakreg": TweakRegStep,
        "skymatch": SkyMatchStep,
        "outlier_detection": OutlierDetectionStep,
        "resample": ResampleStep,
        "source_catalog": SourceCatalogStep,
    }
    #: Identifier of the association for the names of exposures, if the association has none.
    asn_id: str | None = None

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Image3Pipeline`."""

        in_memory: bool = param(True, "Keep exposures in memory (else in files, read when touched)")

    def work(self, run: Run, *args: Any) -> Any:
        """Make the product of the input; return the mosaic (with resample.skip, the exposures).

        Raises
        ------
        InputError
            If a member is no calibrated image, or exposures do not go together.
        PlanError
            If it would not fit into memory.
        OutputError
            If two exposures would be saved under one name.
        """
        part, models = self._opened(run, args[0])
        with part.active():
            script = self._script(models)
            plan = self._project(part, models, script)
            plan.outputs = outputs_of(script, models)
            part.resources = plan.checked()
            part.result = perform(script, models, part)
        run.own_name = part.own_name
        return part.result

    def planned(self, run: Run, *args: Any) -> ModelPlan:
        """Return the plan of a run on this input, without running anything."""
        part, models = self._opened(run, args[0])
        with part.active():
            script = self._script(models)
            plan = self._project(part, models, script)
            plan.steps, plan.outputs = decide(script, models)
            plan.context = crds_context(plan.steps)
        return plan

    def as_association(self, init: Any) -> Association:
        """Return any input as an association of level 3."""
        return as_level3(init)

    def _opened(self, run: Run, init: Any) -> tuple[Run, list[Any]]:
        """Open the exposures and look at what they are; return the run of their product, and them."""
        association = self.association(init)
        product = association.products[0]
        if len(association.products) > 1:
            log.warning("%s has several products; only the first is made", association.filename)
        models = [run.closes(model) for model in open_members(product, association)]
        check_calibrated(models, science_names(product, association))
        warn_of_mixtures(models)
        part = run.product(f"{_name_of(product)}{self.output_ext}")
        note_association(part, association, models)
        return part, models

    def _script(self, models: Sequence[Any]) -> list[Task | Final]:
        """Return the steps in their order."""
        alias = str(self.class_alias)
        flagging = self.outlier_detection.arranged(
            alias,
            suffix="crf",
            save_results=self.outlier_detection.saves or self.saves,
            in_memory=self.outlier_detection.in_memory and self.in_memory,
        )
        resample = self.resample.arranged(alias, suffix="i2d")
        catalog = self.source_catalog.arranged(alias, save_results=self.source_catalog.saves or self.saves)
        moving = any(str(m.meta.target.type).upper() == "MOVING" for m in models)
        path = self.make_output_path(suffix=self.product_suffixes["image"])
        steps = [
            Task(self.assign_mtwcs if moving else self.tweakreg),
            Task(self.skymatch),
            Task(flagging),
            Task(resample, destination=path if self.streams else None),
        ]
        if resample.skip or resample.single:
            return [*steps, Task(catalog, unless="there is no mosaic")]
        return [*steps, Final(path, self.streams, _warn_if_empty), Task(catalog, aside=True)]

    def _project(self, run: Run, models: Sequence[Any], script: Script) -> ModelPlan:
        """Return a plan with nothing but the memory that the steps will take."""
        settings = self.resample.grid_settings()
        ny, nx = mosaic_shape(models, settings)
        native, final = sizes_of(models), sizes_of(models, settings)
        sizes = {
            task.step: replace(final, in_file=task.destination is not None)
            if task.step.class_alias in ("resample", "source_catalog")
            else native
            for task in script
            if isinstance(task, Task) and not task.step.skip
        }
        mosaic = f"mosaic: about {nx} × {ny} pixels"
        hint = (
            f"the mosaic has about {nx} × {ny} pixels; leave out exposures far apart, set "
            "resample.output_shape or pixel_scale, or "
        )
        plan = ModelPlan([], [], None, run.resources, describe(models), notes=[mosaic], hint=hint)
        return plan.fitted(lambda threads: working_bytes(sizes, threads))

    def save_result(self, run: Run) -> None:
        """Save the mosaic that a hook has changed."""
        if hasattr(run.result, "save"):
            path = self.make_output_path(suffix=self.product_suffixes["image"])
            run.result.save(path)
            run.note_saved(path)


def _warn_if_empty(mosaic: Any, path: str) -> None:
    """Say so if no pixel of a mosaic has data."""
    if not mosaic.source("wht").read().any():
        log.warning("%s: has no data: all pixels of all exposures are flagged or NaN", path)


def _name_of(product: Product) -> str:
    """Return the root of the names of products: as the association says, else after the first exposure."""
    first = Path(product.science[0].expname).stem
    return product.name or remove_suffix(first)[0]
