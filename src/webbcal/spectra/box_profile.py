"""The weights of pixels in a box aperture: 1 inside, part of a pixel at its edges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbcal.spectra.aperture import Aperture, Coefficients
from webbcal.spectra.layout import Layout

F64 = NDArray[np.float64]


class Profile(NamedTuple):
    """Weights (across, along) of pixels; mean lower and upper end across (0-based, included)."""

    weights: F64
    lower: float
    upper: float


def source_profile(aperture: Aperture, layout: Layout, trace: F64 | None) -> Profile:
    """Return the aperture of the source.

    Its limits are, in this order: polynomials; the trace of the source and a width; the middle of start and
    stop and a width; start and stop.
    """
    if aperture.source is not None:
        return _profile(aperture, layout, _limits(aperture, layout, aperture.source))
    lower, upper = aperture.lowest, aperture.highest
    if aperture.width is not None:
        centre: ArrayLike = (lower + upper) / 2.0 if trace is None else trace
        low = np.asarray(centre) - (aperture.width - 1.0) / 2.0
        return _profile(aperture, layout, [(low, low + aperture.width - 1)])
    return _profile(aperture, layout, [(lower, upper)])


def background_profile(aperture: Aperture, layout: Layout) -> F64 | None:
    """Return the regions of the background; None if there are none, or it is not to be subtracted."""
    if not aperture.subtracts or aperture.background is None:
        return None
    limits = _limits(aperture, layout, aperture.background)
    return _profile(aperture, layout, limits, partial=aperture.fit != "median").weights


def _limits(aperture: Aperture, layout: Layout, polynomials: Coefficients) -> list[tuple[F64, F64]]:
    """Return the lower and upper limits of regions; their 0 is the centre of a pixel, not its edge."""
    at = layout.wavelength if aperture.by_wavelength else np.arange(layout.shape[1])
    values = [np.polynomial.polynomial.polyval(at.astype(float), c) for c in polynomials]
    return [(lower + 0.5, upper - 0.5) for lower, upper in zip(values[::2], values[1::2], strict=True)]


def _profile(
    aperture: Aperture,
    layout: Layout,
    limits: Iterable[tuple[ArrayLike, ArrayLike]],
    partial: bool = True,
) -> Profile:
    """Return the weights of regions, cut at the ends along the spectrum."""
    weights = np.zeros(layout.shape)
    ends = []
    for lower, upper in limits:
        _add_region(weights, np.asarray(lower, float), np.asarray(upper, float), partial)
        ends.append((_mean(lower), _mean(upper)))
    weights[:, : max(int(np.ceil(aperture.first)), 0)] = 0
    weights[:, max(int(np.floor(aperture.last)) + 1, 0) :] = 0
    return Profile(weights, min(e[0] for e in ends), max(e[1] for e in ends))


def _mean(limit: ArrayLike) -> float:
    known = np.asarray(limit, float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else np.nan


def _add_region(weights: F64, lower: F64, upper: F64, partial: bool) -> None:
    """Raise the weights of pixels within limits to 1, of those at the edges to the part that is inside."""
    lower, upper = (np.broadcast_to(limit, weights.shape) for limit in (lower, upper))
    y = np.arange(weights.shape[0], dtype=float)[:, None]
    weights[(y >= lower) & (y <= upper)] = 1.0
    if not partial:
        return
    for part in (y - lower + 1, upper - y + 1):
        edge = (part > 0) & (part < 1) & (weights < part)
        weights[edge] = part[edge]


def centre_across(weights: F64, column: int) -> float:
    """Return the mean position across of the weights in a column; of all pixels if they are zero."""
    inside = np.clip(weights[:, column], 0, None)
    inside = inside if inside.any() else np.ones_like(inside)
    return float(np.average(np.arange(len(inside)), weights=inside))


def centre_of(weights: F64) -> tuple[float, float]:
    """Return the mean position across and along of the weights."""
    inside = np.clip(weights, 0, None)
    inside = inside if inside.any() else np.ones_like(inside)
    across, along = (
        np.average(np.arange(n), weights=inside.sum(axis=1 - k)) for k, n in enumerate(inside.shape)
    )
    return float(across), float(along)
