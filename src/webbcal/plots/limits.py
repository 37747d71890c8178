"""Which values an image shows: from below the sky to the bright stars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Of the sky's noise: how far below the sky black is, and how far above it white is at least.
_BELOW, _ABOVE = 3.0, 10.0
_HIGH = 99.7  # percent of the pixels that are not brighter than white
_MOST = 1_000_000  # values that are looked at


def sky_and_noise(values: NDArray[Any]) -> tuple[float, float]:
    """Return median and standard deviation (by the median deviation) of what is finite; or NaN."""
    finite = _sample(values)
    if not finite.size:
        return np.nan, np.nan
    sky = float(np.median(finite))
    return sky, float(1.4826 * np.median(np.abs(finite - sky)))


def _sample(values: NDArray[Any]) -> F64:
    flat = np.asarray(values).ravel()
    flat = flat[:: max(1, flat.size // _MOST)].astype(float)
    finite: F64 = flat[np.isfinite(flat)]
    return finite


def limits(values: NDArray[Any]) -> tuple[float, float]:
    """Return the values that are black and white: from below the sky to the bright stars.

    Parameters
    ----------
    values : ndarray
        Of pixels that are good.
    """
    finite = _sample(values)
    if not finite.size:
        return 0.0, 1.0
    sky, noise = sky_and_noise(finite)
    low = max(sky - _BELOW * noise, float(finite.min()))
    high = min(max(float(np.percentile(finite, _HIGH)), sky + _ABOVE * noise), float(finite.max()))
    if not low < high:  # all the same but for a few
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)
