"""What is left of ramps without signal and bias, in NumPy: it is asked for a few integrations only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.miri_clocks import OUTPUTS

F32 = NDArray[np.float32]


def residuals(data: F32) -> F32:
    """Return ramps of one integration without signal and bias, outputs averaged, (groups, rows, columns / 4).

    A straight line is taken off each pixel, then the median of what is left (of two groups, the lesser); both
    are measured without the first and the last group.

    Parameters
    ----------
    data : (groups, rows, columns) float32
        At least four groups.
    """
    slope = _slope(data[1:-1])
    flat = np.stack([(group - slope * g).astype(np.float32) for g, group in enumerate(data)])
    inner = flat[1:-1]
    bias: Any = np.min if len(inner) <= 2 else np.median
    flat -= bias(inner, axis=0)
    a, b, c, d = (flat[..., k::OUTPUTS] for k in range(OUTPUTS))
    return np.asarray((a + b + c + d) / np.float32(OUTPUTS))


def _slope(data: F32) -> NDArray[np.float64]:
    """Return the slope of straight lines through groups, per group."""
    n = len(data)
    times = np.arange(n, dtype=float)
    sy, sty = np.zeros(data.shape[1:]), np.zeros(data.shape[1:])
    for t, group in zip(times, data, strict=True):
        sy += group
        sty += t * group
    st, stt = times.sum(), (times**2).sum()
    return np.asarray((n * sty - st * sy) / (n * stt - st * st))


def first_columns(residual: F32) -> None:
    """Replace the second and third four columns, not to be trusted, by the mean of those beside them.

    `residual` begins at the left edge of what is read; changed in place.
    """
    mean = (residual[..., 0] + residual[..., 3]) / np.float32(2)
    residual[..., 1] = residual[..., 2] = mean
