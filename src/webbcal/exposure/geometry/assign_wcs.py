"""``assign_wcs``: attach the transform from pixels to the sky."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webbcal.core.wording import a_or_an
from webbcal.run.exposure import Exposure
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param
from webbcal.run.run import Run
from webbcal.wcs.modes import wcs_kind, why_no_wcs
from webbcal.wcs.sip_settings import SipSettings

_REFERENCES = (
    "distortion",
    "filteroffset",
    "specwcs",
    "regions",
    "wavelengthrange",
    "camera",
    "chromcorr",
    "collimator",
    "disperser",
    "fore",
    "fpa",
    "msa",
    "ote",
    "ifupost",
    "ifufore",
    "ifuslicer",
)


@dataclass(frozen=True)
class AssignWcsParameters(SipSettings, StepParameters):
    """Parameters of `AssignWcsStep`."""

    sip_approx: bool = param(
        True, "Write a SIP approximation of the WCS to the header (images and wide-field grisms)"
    )
    slit_y_low: float = param(-0.55, "Lower edge of a slit (NIRSpec)")
    slit_y_high: float = param(0.55, "Upper edge of a slit (NIRSpec)")
    nrs_ifu_slice_wcs: bool = param(False, "One WCS a slice instead of one for the image (NIRSpec IFU)")


class AssignWcsStep(ModelStep):
    """Attach a `gwcs.WCS` as ``meta.wcs``; update S_REGION and the FITS approximation in the header."""

    class_alias = "assign_wcs"
    reference_file_types = _REFERENCES
    # Which of them are needed depends on the exposure type; `apply` asks for those.
    optional_reference_types = _REFERENCES
    Parameters = AssignWcsParameters

    def reason_to_skip(self, model: Any, p: AssignWcsParameters) -> str | None:
        """Skip what has no WCS, and refuse types that are not available yet."""
        kind = type(model).__name__
        if kind not in ("ImageModel", "CubeModel", "IFUImageModel"):
            return f"its type is not supported: works on rates (ImageModel, CubeModel), not {a_or_an(kind)}"
        exp_type = Exposure.of_model(model).exp_type
        reason = why_no_wcs(exp_type)
        if reason is None:
            wcs_kind(exp_type)
        return reason

    def apply(self, model: Any, references: Mapping[str, Any], p: AssignWcsParameters, run: Run) -> Any:
        """Attach the WCS, and set what the header says of it."""
        from webbcal.wcs.attach import attach_wcs

        attach_wcs(model, references, p if p.sip_approx else None)
        return model
