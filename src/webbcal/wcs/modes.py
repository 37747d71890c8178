"""Which kind of WCS an exposure type has."""

from __future__ import annotations

from typing import Literal

from webbcal.core.errors import PlanError
from webbcal.core.modes import Mode, mode_of, table

#: image: RA and Dec of pixels; the others have wavelengths beside.
WcsKind = Literal["image", "lrs", "wide field", "time series", "soss"]


def why_no_wcs(exp_type: str) -> str | None:
    """Return why exposures of a type have no WCS, or None if they have one."""
    return f"EXP_TYPE {exp_type} has no WCS" if mode_of(exp_type).has("internal") else None


def wcs_kind(exp_type: str) -> WcsKind:
    """Return the kind of WCS of an exposure type.

    Raises
    ------
    PlanError
        For one that is not available, naming those that are.
    """
    kind = _kind(mode_of(exp_type))
    if kind is None:
        known = ", ".join(sorted(name for name, mode in table().items() if _kind(mode) is not None))
        raise PlanError(
            f"the WCS of EXP_TYPE {exp_type} is not available yet (spectra of NIRSpec and integral fields "
            f"come next); those that are: {known}"
        )
    return kind


def _kind(mode: Mode) -> WcsKind | None:
    if mode.is_image:
        return "image"
    if mode.has("internal"):
        return None
    if mode.has("prism"):
        return "lrs"
    if mode.optics == "grism":
        return "wide field" if mode.is_wide_field else "time series"
    return "soss" if mode.optics == "soss" else None
