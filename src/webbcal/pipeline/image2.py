"""calwebb_image2: from count rates to calibrated exposures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webbcal.associations.association import Association, Product
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.core.modes import mode_of
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.exposure.geometry.assign_wcs import AssignWcsStep
from webbcal.exposure.images import why_no_image
from webbcal.exposure.response.flat_field import FlatFieldStep
from webbcal.exposure.response.photom import PhotomStep
from webbcal.pipeline.exposure_pipeline import INTS, ExposurePipeline, kind_of, warn_if_empty
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import refuse_twice
from webbcal.run.script import Product as Final
from webbcal.run.script import Script, Task


class Image2Pipeline(ExposurePipeline):
    """Subtract backgrounds, attach the WCS, flat-field, calibrate and resample (`_cal`, `_i2d`)."""

    class_alias = "calwebb_image2"
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

    def why_unfit(self, model: Any) -> str | None:
        """Return why a model is no image, or None."""
        reason, exp_type = why_no_image(model), str(model.meta.exposure.type).upper()
        if reason is None and mode_of(exp_type).is_spectrum:
            reason = f"makes images, but the exposure is of spectra ({exp_type}): calwebb_spec2 is for it"
        return reason

    def script(self, model: Any, product: Product, association: Association) -> Script:
        """Return the steps in their order; see `ExposurePipeline.script`."""
        members = product.members_of("background")
        backgrounds = [m.model or association.resolve(m) for m in members] or None
        keeps = self.bkg_subtract.save_results or (self.save_bsub and bool(members))
        suffix, alias = f"bsub{INTS[kind_of(model)]}", str(self.class_alias)
        background = self.bkg_subtract.arranged(alias, save_results=keeps, suffix=suffix)
        resample = self.resample.arranged(alias, save_results=self.saves, suffix="i2d")
        steps = [self.flat_field, self.photom, *([background] if backgrounds else [])]
        refuse_twice(model, [step for step in steps if not step.get_pars().get("inverse")])
        path = self.make_output_path(suffix=self.product_suffixes[kind_of(model)])
        return [
            Task(background, (backgrounds,)),
            Task(self.assign_wcs),
            Task(self.flat_field),
            Task(self.photom),
            Task(resample, unless=_why_no_mosaic(model), aside=True),
            Final(path, self.streams, warn_if_empty),
        ]


def _why_no_mosaic(model: Any) -> str | None:
    """Return why an exposure gets no quick-look mosaic, or None."""
    exp_type = str(model.meta.exposure.type).upper()
    if not mode_of(exp_type).is_mosaicked:
        return f"exposures of EXP_TYPE {exp_type} get no quick-look mosaic"
    return None if len(model.shape) == 2 else "integrations get no quick-look mosaic"
