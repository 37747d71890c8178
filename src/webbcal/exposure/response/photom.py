"""``photom``: from count rates to surface brightness, of images and of spectra."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core.errors import SkipStep
from webbcal.core.modes import mode_of
from webbcal.datamodels.lists import items_of
from webbcal.exposure.images import unavailable, why_no_image
from webbcal.exposure.response.photom_arrays import MJSR_TO_UJA2, convert, note_factor
from webbcal.exposure.response.photom_slits import (
    calibrate_slits,
    calibrate_spectrum,
    calibrate_tables,
    say_unknown,
)
from webbcal.exposure.response.photom_table import Calibration
from webbcal.run.exposure import Exposure, meta_value
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.run import Run
from webbcal.wcs.spectral_keywords import dispersion_axis

__all__ = ["MJSR_TO_UJA2", "PhotomStep"]

log = logging.getLogger(__name__)

#: Models of spectra cut from an exposure.
_SLITS = ("SlitModel", "MultiSlitModel")
#: Optics whose light is dispersed: their tables are against wavelength.
_DISPERSED = ("slit", "slitless", "grism", "soss")


class PhotomStep(ModelStep):
    """Multiply by the conversion factor of the PHOTOM reference; attach the pixel areas (AREA)."""

    class_alias = "photom"
    only_once = True
    reference_file_types = ("photom", "area")
    optional_reference_types = ("area",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `PhotomStep`."""

        inverse: bool = param(False, "Divide by the factor instead")
        source_type: str | None = param(None, "Calibrate as a source of this type (spectra)")
        apply_time_correction: bool = param(True, "Correct for the change of throughput in time")

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip what is neither image nor spectrum, and refuse what is not available yet.

        Raises
        ------
        PlanError
            For NIRSpec and MIRI's MRS.
        """
        instrument, kind = model.meta.instrument, type(model).__name__
        soss = mode_of(model.meta.exposure.type).optics == "soss"
        if kind == "TSOMultiSpecModel":
            return None if soss else "only spectra of SOSS are calibrated after their extraction"
        if str(instrument.name).upper() == "NIRSPEC" or "IFU" in str(instrument.detector).upper():
            raise unavailable(model, "photometric calibration", "photom")
        if soss:
            return "spectra of SOSS are calibrated after their extraction"
        return None if kind in _SLITS else why_no_image(model)

    def check_reference(self, reference: Any, model: Any) -> None:
        """Make sure that a reference is of the detector; a map of pixels lies over the exposure."""
        if type(model).__name__ in (*_SLITS, "TSOMultiSpecModel"):
            reference.check(Exposure.of_frame(model), model)
        else:
            super().check_reference(reference, model)

    def apply(self, model: Any, references: Mapping[str, Any], p: Parameters, run: Run) -> Any:
        """Attach the pixel areas, find the factor, and convert.

        Raises
        ------
        SkipStep
            If the reference has no row for the exposure, or for integrations of NIRISS (which AMI takes as
            rates): pixel areas are attached, and the data stay in DN/s.
        """
        reference, kind = references["photom"], type(model).__name__
        if p.source_type is not None:
            log.warning("photom.source_type has no effect: it matters for NIRSpec only")
        spectral = mode_of(model.meta.exposure.type).optics in _DISPERSED
        calibration = Calibration(model, reference, spectral, p.apply_time_correction)
        if kind == "TSOMultiSpecModel":
            calibrate_tables(model, calibration, p.inverse)
            return model
        slits = items_of(model)
        _attach_areas(slits, reference, references["area"])
        if str(model.meta.instrument.name).upper() == "NIRISS" and kind == "CubeModel":
            raise SkipStep("integrations of NIRISS stay in DN/s")
        if kind == "MultiSlitModel":
            calibrate_slits(model, calibration, p.inverse, run.resources.threads)
        elif spectral:
            axis = dispersion_axis(model)
            if not calibrate_spectrum(model, calibration, axis, p.inverse, run.resources.threads):
                say_unknown(f"{model.meta.filename} has", reference)
        else:
            factor, _ = calibration.factor()
            note_factor(model, factor)
            convert(model, factor, None, p.inverse, run.resources.threads)
        return model


def _attach_areas(items: Sequence[Any], photom: Any, area: Any) -> None:
    """Set AREA (cut to the exposure, on the first slit), PIXAR_SR and PIXAR_A2.

    Older AREA files lack the keywords.
    """
    if area is not None and len(items):
        items[0].area = area.read("data").astype(np.float32, copy=False)
    for keyword, name in (("PIXAR_SR", "pixelarea_steradians"), ("PIXAR_A2", "pixelarea_arcsecsq")):
        values = [meta_value(r, f"meta.photometry.{name}") for r in (area, photom) if r is not None]
        value = next((v for v in values if v is not None), None)
        if value is None:
            log.warning("neither the AREA nor the PHOTOM reference has %s", keyword)
        for item in items:
            setattr(item.meta.photometry, name, None if value is None else float(value))
