"""``photom``: from count rates to surface brightness."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import SkipStep
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.exposure.images import by_bands, unavailable, why_no_image
from webbcal.exposure.response import photom_table
from webbcal.kernels.images.arithmetic import convert_units
from webbcal.run.exposure import meta_value
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.run import Run

log = logging.getLogger(__name__)

#: MJy/sr in µJy/arcsec².
MJSR_TO_UJA2 = 1e12 * (math.pi / 180.0 / 3600.0) ** 2


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
        """Skip what is no image, and refuse spectra.

        Raises
        ------
        PlanError
            For NIRSpec and MIRI's MRS, which are calibrated by wavelength.
        """
        instrument = model.meta.instrument
        if str(instrument.name).upper() == "NIRSPEC" or "IFU" in str(instrument.detector).upper():
            raise unavailable(model, "photometric calibration", "photom")
        return why_no_image(model)

    def apply(self, model: Any, references: Mapping[str, Any], p: Parameters, run: Run) -> Any:
        """Attach the pixel areas, find the factor, and convert.

        Raises
        ------
        SkipStep
            If the reference has no row for the exposure, or for integrations of NIRISS (which AMI takes as
            rates): pixel areas are attached, and the data stay in DN/s.
        """
        reference, name = references["photom"], str(model.meta.filename or "input model")
        _attach_areas(model, reference, references["area"])
        if str(model.meta.instrument.name).upper() == "NIRISS" and type(model).__name__ == "CubeModel":
            raise SkipStep("integrations of NIRISS stay in DN/s")
        row = photom_table.find_row(reference, model)
        if row is None:
            wanted = photom_table.describe(photom_table.keys_of(model)[0])
            raise SkipStep(f"{reference.name} has no row for {wanted}; the data of {name} stay in DN/s")
        factor = photom_table.conversion(reference, row)
        if p.apply_time_correction:
            left = photom_table.throughput_left(reference, row, model.meta.exposure.mid_time, name)
            factor = factor if left == 1.0 else factor / left
        _convert(model, factor, p.inverse, run.resources.threads)
        return model


def _convert(model: Any, factor: np.floating, inverse: bool, threads: int) -> None:
    image = arrays_of(model, threads)

    def work(box: Box) -> None:
        convert_units(image.rows(box.y0, box.y1), factor, inverse)

    by_bands(image.data.shape, work, threads)
    model.meta.photometry.conversion_megajanskys = float(factor)
    model.meta.photometry.conversion_microjanskys = float(factor * factor.dtype.type(MJSR_TO_UJA2))
    model.meta.bunit_data = model.meta.bunit_err = "DN/s" if inverse else "MJy/sr"


def _attach_areas(model: Any, photom: Any, area: Any) -> None:
    """Set AREA (cut to the exposure), PIXAR_SR and PIXAR_A2; older AREA files lack the keywords."""
    if area is not None:
        model.area = area.read("data").astype(np.float32, copy=False)
    for keyword, name in (("PIXAR_SR", "pixelarea_steradians"), ("PIXAR_A2", "pixelarea_arcsecsq")):
        values = [meta_value(r, f"meta.photometry.{name}") for r in (area, photom) if r is not None]
        value = next((v for v in values if v is not None), None)
        if value is None:
            log.warning("neither the AREA nor the PHOTOM reference has %s", keyword)
        setattr(model.meta.photometry, name, None if value is None else float(value))
