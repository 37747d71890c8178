"""World coordinates for axes: those of an image of the sky, if it has any."""

from __future__ import annotations

from typing import Any

from webbcal.core.modes import mode_of
from webbcal.run.exposure import meta_value


def sky_of(model: Any) -> Any:
    """Return the WCS of an undispersed image, as axes take it; None if it has none.

    The header's, where that is exact: of a mosaic, and with terms of distortion (SIP). Loading gwcs takes a
    second.
    """
    if not hasattr(model, "get_fits_wcs") or meta_value(model, "meta.wcsinfo.ctype1") is None:
        return None
    exp_type = meta_value(model, "meta.exposure.type")
    if (exp_type and mode_of(exp_type).is_spectrum) or not _has_wcs(model):
        return None
    header = model.get_fits_wcs()
    if header.naxis != 2 or not header.has_celestial:
        return None
    exact = header.sip is not None or meta_value(model, "meta.cal_step.resample") == "COMPLETE"
    return header if exact else model.meta.wcs


def _has_wcs(model: Any) -> bool:
    """Tell whether a model has more than the keywords that the telescope's pointing gives."""
    return bool(model.meta.hasattr("wcs"))


def label_sky(axes: Any) -> None:
    """Name the axes of a map of the sky."""
    for coordinate, name in zip(axes.coords, ("Right ascension (ICRS)", "Declination (ICRS)"), strict=False):
        coordinate.set_axislabel(name)
        coordinate.set_ticks_visible(True)
        coordinate.display_minor_ticks(True)
