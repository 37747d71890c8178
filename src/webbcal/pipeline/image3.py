"""calwebb_image3: from calibrated exposures to the mosaic and its catalogue."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from webbcal.associations.association import Association, Product
from webbcal.combine.alignment.moving_target import AssignMTWcsStep
from webbcal.combine.alignment.tweakreg import TweakRegStep
from webbcal.combine.members.opening import check_calibrated
from webbcal.combine.members.sizes import describe, mosaic_shape, sizes_of
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.combine.sky.skymatch import SkyMatchStep
from webbcal.combine.sources.source_catalog import SourceCatalogStep
from webbcal.pipeline.combining_pipeline import CombiningPipeline
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import ModelPlan, working_bytes
from webbcal.run.run import Run
from webbcal.run.script import Product as Final
from webbcal.run.script import Script, Task

log = logging.getLogger(__name__)


class Image3Pipeline(CombiningPipeline):
    """Align, match skies, reject outliers, combine and catalogue: `_cal` to `_crf`, `_i2d`, `_cat`, `_segm`.

    The input is a level-3 association, a list of exposures, or one exposure, which is resampled and
    catalogued only. The mosaic is returned.
    """

    class_alias = "calwebb_image3"
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "i2d"}
    step_defs = {
        "assign_mtwcs": AssignMTWcsStep,
        "tweakreg": TweakRegStep,
        "skymatch": SkyMatchStep,
        "outlier_detection": OutlierDetectionStep,
        "resample": ResampleStep,
        "source_catalog": SourceCatalogStep,
    }

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `Image3Pipeline`."""

        in_memory: bool = param(True, "Keep exposures in memory (else in files, read when touched)")

    def check(self, models: Sequence[Any], names: Sequence[str]) -> None:
        """Make sure that exposures are calibrated images that can be combined."""
        check_calibrated(models, names)

    def script(self, models: Sequence[Any], product: Product, association: Association) -> Script:
        """Return the steps in their order; the mosaic comes out (with resample.skip, the exposures)."""
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

    def project(self, run: Run, models: Sequence[Any], script: Script) -> ModelPlan:
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
