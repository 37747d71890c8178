"""``pathloss``: correct for light of point sources that the slit stops, or that falls off the subarray."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core.box import Box
from webbcal.core.modes import mode_of
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.exposure.images import by_bands, unavailable
from webbcal.exposure.response.pathloss_slit import F32, slit_factors
from webbcal.exposure.response.pathloss_soss import soss_factors
from webbcal.exposure.response.pixel_wavelengths import pixel_wavelengths
from webbcal.kernels.images.arithmetic import convert_units
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.run import Run

log = logging.getLogger(__name__)


class PathLossStep(ModelStep):
    """Multiply by what makes up for the light that a slit stops; keep the factors (PATHLOSS_PS)."""

    class_alias = "pathloss"
    only_once = True
    reference_file_types = ("pathloss",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `PathLossStep`."""

        inverse: bool = param(False, "Undo the correction instead")
        source_type: str | None = param(None, "Correct as a source of this type")
        user_slit_loc: float | None = param(
            None, "Offset of the source across the slit from where it is taken to be (LRS)", unit="arcsec"
        )

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Skip what no slit stops, and refuse what is not available yet.

        Raises
        ------
        PlanError
            For NIRSpec.
        """
        exp_type = str(model.meta.exposure.type).upper()
        mode = mode_of(exp_type)
        if mode.optics == "soss":
            return _why_not_soss(model, p)
        if exp_type.startswith("NRS_") and mode.optics in ("slit", "mos", "ifu"):
            raise unavailable(model, "correction of path losses", "pathloss")
        if mode.optics != "slit":
            return f"{exp_type} exposures have no slit"
        kind = p.source_type or model.meta.target.source_type
        return None if str(kind).upper() == "POINT" else f"the source is not a point source ({kind})"

    def apply(self, model: Any, references: Mapping[str, Any], p: Parameters, run: Run) -> Any:
        """Find the factors, and apply them.

        Raises
        ------
        SkipStep
            If the reference knows nothing of the subarray.
        """
        reference = references["pathloss"]
        if mode_of(model.meta.exposure.type).optics == "soss":
            factors = soss_factors(model, reference)
            _multiply(model, factors, True, run.resources.threads)
            model.pathloss_point = np.broadcast_to(factors, model.shape[-2:]).copy()
            return model
        wavelengths = pixel_wavelengths(model)
        factors = slit_factors(model, reference, wavelengths, p.user_slit_loc)
        _multiply(model, factors, p.inverse, run.resources.threads)
        model.pathloss_point = factors
        model.wavelength = wavelengths.astype(np.float32, copy=False)
        return model


def _why_not_soss(model: Any, p: Any) -> str | None:
    if model.meta.visit.tsovisit:
        return "losses of a time series are the same at all times"
    if p.inverse or p.source_type is not None:
        return "neither inverse nor source_type are available for SOSS"
    if len(model.shape or ()) != 2:
        return f"it takes images of SOSS, and the shape is {model.shape}"
    return None if model.meta.instrument.pupil_position is not None else "PWCPOS is not known"


def _multiply(model: Any, factors: F32, inverse: bool, threads: int) -> None:
    """Multiply the arrays of a model by factors (rows, columns) or (columns,), or divide, in place."""
    image = arrays_of(model, threads)
    factors = np.broadcast_to(factors, image.data.shape[-2:])

    def work(box: Box) -> None:
        convert_units(image.rows(box.y0, box.y1), factors[box.y0 : box.y1], inverse)

    by_bands(image.data.shape, work, threads)
