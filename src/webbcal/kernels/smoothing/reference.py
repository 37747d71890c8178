"""Smoothing with a Gaussian where pixels are missing: the readable definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def gaussian(sigma: float) -> F64:
    """Return the weights of a Gaussian, cut at four sigma, along one axis; their sum is 1."""
    half = int(np.ceil(8.0 * sigma)) // 2
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    total: F64 = weights / weights.sum()
    return total


def smooth(image: F32, missing: NDArray[np.bool_], weights: F64) -> F32:
    """Return the weighted mean around each pixel of those that are there; NaN where none is.

    Beyond its edges the image is 0. A Gaussian is separable, so is its sum over pixels that are there.

    Parameters
    ----------
    image : (ny, nx) float32
    missing : (ny, nx) bool
        Pixels that count for nothing, whatever their value.
    weights : (2 half + 1,) float64
        Along each axis; symmetric.
    """
    from scipy.ndimage import correlate1d

    def along_both(values: F64, beyond: float) -> F64:
        for axis in (0, 1):
            values = correlate1d(values, weights, axis, np.float64, mode="constant", cval=beyond)
        return values

    total = along_both(np.where(missing, 0.0, image), 0.0)
    share = along_both(np.where(missing, 0.0, 1.0), 1.0)
    mean = np.divide(total, share, out=np.full(image.shape, np.nan), where=share > 0)
    return mean.astype(np.float32)
