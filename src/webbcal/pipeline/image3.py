"""calwebb_image3: from calibrated exposures to the mosaic and its catalogue."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from webbcal.associations import as_level3
from webbcal.associations.association import Association, Product
from webbcal.combine.alignment.tweakreg import TweakRegStep
from webbcal.combine.members.list_step import ListStep
from webbcal.combine.members.opening import check_calibrated, open_members, warn_of_mixtures
from webbcal.combine.members.sizes import describe, mosaic_shape, sizes_of
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.combine.sky.skymatch import SkyMatchStep
from webbcal.combine.sources.source_catalog import SourceCatalogStep
from webbcal.core.errors import PlanError
from webbcal.core.suffixes import remove_suffix
from webbcal.pipeline.association_input import AssociationPipeline, outputs_of, science_names
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import (
    ModelPlan,
    Output,
    StepPlan,
    crds_context,
    step_name,
    told_to_skip,
    working_bytes,
)

log = logging.getLogger(__name__)


class AssignMTWcsStep(ListStep):
    """Let the WCS follow a moving target. Not available yet: its place in the pipeline is kept."""

    class_alias = "assign_mtwcs"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `AssignMTWcsStep`."""

        suffix: str | None = param("assign_mtwcs", "Suffix of file names")
        output_use_model: bool = param(True, "Name files after the models")

    def reason_to_skip(self, models: Sequence[Any], p: Any) -> str | None:
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
    #: Identifier of the association, for the names of exposures.
    asn_id: str | None = None

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Image3Pipeline`."""

        in_memory: bool = param(True, "Keep exposures in memory (else in files, read when touched)")

    def process(self, *args: Any) -> Any:
        """Make the product of the input; return the mosaic (with resample.skip, the exposures).

        Raises
        ------
        InputError
            If a member is no calibrated image, or exposures do not go together.
        PlanError
            If it would not fit into memory.
        """
        association, models = self._opened(args[0])
        for model in models:
            model.meta.asn.pool_name = association.asn_pool
            model.meta.asn.table_name = association.filename
        self._done = []
        self._project(models).check_memory()
        with self._naming(_name_of(association.products[0])):
            return self._make(models)

    def plan(self, init: Any) -> ModelPlan:
        """Return the plan of a run on this input, without running anything."""
        association, models = self._opened(init)
        steps: list[StepPlan] = []
        for step in self._sequence(models):
            told = told_to_skip(step)
            steps += [told] if told else step.decide(models)
        steps.append(self._decide_catalog(models[0]))
        with self._naming(_name_of(association.products[0])):
            final = [self._product_path("image")] if self._streams and self._makes_mosaic else []
            outputs = outputs_of(steps, models, final)
        plan = self._project(models)
        plan.steps, plan.outputs, plan.context = steps, outputs, crds_context(steps)
        return plan

    def _as_association(self, init: Any) -> Association:
        return as_level3(init)

    def _opened(self, init: Any) -> tuple[Association, list[Any]]:
        """Open the exposures, and look at what they are."""
        association = self._association(init)
        product = association.products[0]
        if len(association.products) > 1:
            log.warning("%s has several products; only the first is made", association.filename)
        models = open_members(product, association)
        check_calibrated(models, science_names(product, association))
        warn_of_mixtures(models)
        self.asn_id = association.get("asn_id")
        return association, models

    def _sequence(self, models: Sequence[Any]) -> list[ListStep]:
        """Return the steps on lists of exposures in their order; prepare what they save."""
        flagging, catalog = self.outlier_detection, self.source_catalog
        self._arrange(
            flagging,
            suffix="crf",
            save_results=flagging.save_results or self.save_results,
            in_memory=flagging.in_memory and self.in_memory,
        )
        self._arrange(self.resample, suffix="i2d")
        self._arrange(catalog, save_results=catalog.save_results or self.save_results)
        moving = any(str(m.meta.target.type).upper() == "MOVING" for m in models)
        align = self.assign_mtwcs if moving else self.tweakreg
        return [align, self.skymatch, self.outlier_detection, self.resample]

    @property
    def _makes_mosaic(self) -> bool:
        return not (self.resample.skip or self.resample.single)

    def _decide_catalog(self, model: Any) -> StepPlan:
        """Decide on the catalogue: the mosaic has the metadata of the first exposure."""
        step = self.source_catalog
        if not self._makes_mosaic:
            return StepPlan(step_name(step), step, False, "there is no mosaic")
        return told_to_skip(step) or step.decide(model)

    def _project(self, models: Sequence[Any]) -> ModelPlan:
        """Return a plan with nothing but the memory that the steps will take."""
        settings = self.resample.grid_settings()
        ny, nx = mosaic_shape(models, settings)
        native, final = sizes_of(models), sizes_of(models, settings)
        *before, resample = self._sequence(models)
        sizes = dict.fromkeys(before, native) | dict.fromkeys((resample, self.source_catalog), final)
        needed = working_bytes({step: n for step, n in sizes.items() if not step.skip})
        mosaic = f"mosaic: about {nx} × {ny} pixels"
        hint = (
            f"the mosaic has about {nx} × {ny} pixels; leave out exposures far apart, set "
            "resample.output_shape or pixel_scale, or "
        )
        return ModelPlan([], [], None, describe(models), needed, [mosaic], hint)

    def _make(self, models: list[Any]) -> Any:
        """Run the steps on the exposures."""
        title = describe(models)
        *steps, resample = self._sequence(models)
        for step in steps:
            models = step.run(models)
        mosaic = resample.run(models)
        made = hasattr(mosaic, "meta") and mosaic.meta.cal_step.resample == "COMPLETE"
        path = self._product_path("image") if made else None
        if path is not None:
            mosaic.meta.filename = Path(path).name
            if not mosaic.source("wht").read().any():
                log.warning("%s: has no data: all pixels of all exposures are flagged or NaN", path)
            try:
                self.source_catalog.run(mosaic)
            finally:  # the mosaic is there whatever becomes of the catalogue, and says what did
                if self._streams:
                    mosaic.save(path)
                    self.note_saved(path)
        outputs = [Output(len(self._done) - 1, "image", path if self._streams else None)]
        self.record = [ModelPlan(list(self._done), outputs, crds_context(self._done), title)]
        return mosaic

    def _save(self, result: Any) -> None:
        """Save the mosaic that a hook has changed."""
        if hasattr(result, "save"):
            path = self.make_output_path(suffix=self.product_suffixes["image"])
            result.save(path)
            self.note_saved(path)


def _name_of(product: Product) -> str:
    """Return the root of the names of products: as the association says, else after the first exposure."""
    first = Path(product.science[0].expname).stem
    return product.name or remove_suffix(first)[0]
