"""Where in its slit a source should be: a trace across the image, by the WCS.

MIRI's LRS knows the dithered position of the target on the sky, NIRSpec the position of the source in the
slit. Of other modes nothing is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal.spectra.layout import Layout

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]


class Middle(NamedTuple):
    """The middle of a spectrum: position along and across (0-based pixels), wavelength there (µm)."""

    along: float
    across: float
    wavelength: float


@dataclass(frozen=True)
class SourcePosition:
    """Where a source is.

    Attributes
    ----------
    column : int
        The middle along the spectrum.
    location : float
        Position across it there.
    trace : (along,) float64
        Position across everywhere; NaN outside the bounds of the WCS.
    """

    column: int
    location: float
    trace: F64


def middle_of(layout: Layout) -> Middle:
    """Return the middle of the bounds along, with the mean wavelength across, and where across that is."""
    (_, top), (low, high) = layout.bounds
    along = (low + high) / 2.0
    across = np.arange(round(top), dtype=float)
    wavelength = layout.world(across, np.full(len(across), along))[2]
    valid = np.isfinite(wavelength)
    mean = float(np.nanmean(wavelength)) if valid.any() else np.nan
    if np.isnan(mean) or np.allclose(wavelength, mean):
        return Middle(along, float(np.mean(across)), mean)
    order = np.argsort(wavelength[valid])
    return Middle(along, float(np.interp(mean, wavelength[valid][order], across[valid][order])), mean)


def source_position(layout: Layout, exp_type: str) -> SourcePosition | None:
    """Return where the source of a slit should be, or None (with a warning) if that is not known."""
    place = place_of_source(layout, exp_type)
    if place is None:
        log.warning("the position of the source is not known for %s", exp_type)
        return None
    middle = middle_of(layout)
    location = float(place(np.array([middle.wavelength]))[0][0])
    low, high = layout.bounds[0]
    if np.isnan(location):
        log.warning("the position of the source could not be found by the WCS")
        return None
    if not low <= location <= high:
        log.warning(
            "by the WCS the source is at %.2f, outside of its bounds (%.1f to %.1f)", location, low, high
        )
        return None
    return SourcePosition(int(np.round(middle.along)), location, trace_of(layout, place))


#: From wavelengths (µm) to positions of a source across and along.
Place = Callable[[F64], tuple[F64, F64]]


def place_of_source(layout: Layout, exp_type: str) -> Place | None:
    """Return where the source is at each wavelength, or None if that is not known."""
    model = layout.model
    if exp_type == "MIR_LRS-FIXEDSLIT":
        dither = model.meta.dither
        return on_sky(layout, dither.dithered_ra, dither.dithered_dec)
    if exp_type in ("NRS_FIXEDSLIT", "NRS_MSASPEC", "NRS_BRIGHTOBJ"):
        return in_slit(layout, model.source_xpos, model.source_ypos)
    return None


def on_sky(layout: Layout, ra: float | None, dec: float | None) -> Place | None:
    """Return where a point of the sky (degrees) is at each wavelength."""
    if ra is None or dec is None:
        return None
    return lambda w: layout.pixel(np.full(w.shape, ra), np.full(w.shape, dec), w)


def in_slit(layout: Layout, x: float | None, y: float | None) -> Place | None:
    """Return where a point of the slit (NIRSpec's ``slit_frame``) is at each wavelength.

    Wavelengths are in metres there, unless the image is rectified.
    """
    if x is None or y is None or "slit_frame" not in layout.frames:
        return None
    unit = 1e-6 if "gwa" in layout.frames else 1.0

    def place(wavelength: F64) -> tuple[F64, F64]:
        found = layout.between(
            "slit_frame",
            "detector",
            np.full(wavelength.shape, x),
            np.full(wavelength.shape, y),
            wavelength * unit,
        )
        return layout.swapped(found[0], found[1])

    return place


def trace_of(layout: Layout, place: Place) -> F64:
    """Return the position across at each pixel along; NaN outside the bounds.

    The place is evaluated at as many wavelengths as there are pixels, evenly spread over those of the image,
    and interpolated between. As in jwst 3.0.0, what is found for the pixels 0, 1, … stands at the first pixel
    within the bounds and after: where these do not begin at 0, a tilted trace is a little off (MIRI's LRS
    before rectification: 0.007 pixels).
    """
    (_, _), (low, high) = layout.bounds
    wavelength = _wavelengths_within(layout)
    first, number = int(np.ceil(low)), int(high - low)
    sampled = np.linspace(np.nanmin(wavelength), np.nanmax(wavelength), number)
    across, along = place(sampled)
    trace = np.full(layout.shape[1], np.nan)
    end = min(first + number, len(trace))
    trace[first:end] = _interpolated(along, across, np.arange(end - first))
    return trace


def _wavelengths_within(layout: Layout) -> F64:
    """Return the wavelengths of the pixels within the bounds, by the WCS."""
    (a0, a1), (b0, b1) = layout.bounds
    across = np.arange(np.floor(a0 + 0.5), np.ceil(a1 - 0.5) + 1)
    along = np.arange(np.floor(b0 + 0.5), np.ceil(b1 - 0.5) + 1)
    return layout.world(*np.meshgrid(across, along, indexing="ij"))[2]


def _interpolated(x: F64, y: F64, at: NDArray[Any]) -> F64:
    """Return y at x, by straight lines, beyond the ends too."""
    from scipy.interpolate import interp1d

    return np.asarray(interp1d(x, y, fill_value="extrapolate")(at))
