"""Co-adding images on one grid: the readable definition.

Each image is dropped alone, as sums of weight times value and of weights (`webbcal.kernels.drizzle`). Data
are weighted means over all images. Of the error components the standard deviations are dropped; the square of
their mean is the variance of the image on the output grid, and variances of images add up with the squares
of the images' weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def take(array: F32, level: float, root: bool, values: F32, plane: int, weight: F32) -> None:
    """Take an array of an image as one of the values to be dropped; where it is NaN, nothing is.

    Parameters
    ----------
    array : (ny, nx) float32
    level : float
        Subtracted.
    root : bool
        Whether to take the square root.
    values : (ny, nx, planes) float32
        Receives the result.
    plane : int
        Which plane of it; -1: it is not wanted.
    weight : (ny, nx) float32
        Set to 0 where the array is NaN.
    """
    weight[np.isnan(array)] = 0
    if plane >= 0:
        with np.errstate(invalid="ignore"):
            values[:, :, plane] = np.sqrt(array) if root else array - np.float32(level)


def weigh_by_noise(variance: F32, weight: F32) -> None:
    """Replace weights that are not 0 by the inverse of a variance; by 0 where that has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.float32(1) / variance
    weight[:] = np.where((weight != 0) & np.isfinite(inverse), inverse, 0)


def add(
    drop: F32,
    constant: float,
    corner: tuple[int, int],
    total: F32,
    components: F32,
    context: NDArray[np.int32],
    bit: int,
) -> None:
    """Add an image, dropped alone, to those before.

    Parameters
    ----------
    drop : (ny, nx, k + 1) float32
        Sums of weight times value, and of weights; see `webbcal.kernels.drizzle.reference`.
    constant : float
        Weight of the image as a whole, for the variances; NaN: the inverse of its first.
    corner : tuple of int
        Row and column of the first of its pixels in the arrays that follow.
    total : (ty, tx, m + 1) float32
        Sums over the images of the first m values, and of weights.
    components : (ty, tx, 2 (k - m)) float32, or (0, 0, 0)
        Sums over the images of variances times the squares of weights, and then of these weights.
    context : (ty, tx) int32, or (0, 0)
        Gets a bit where the image has a positive weight.
    bit : int
        Number of the bit, 0…31.
    """
    rows, columns = (slice(first, first + size) for first, size in zip(corner, drop.shape, strict=False))
    total = total[rows, columns]
    components = components[rows, columns] if components.size else components
    context = context[rows, columns] if context.size else context
    weights = drop[..., -1]
    together = total.shape[-1] - 1
    total[..., :together] += np.where(weights[..., None] != 0, drop[..., :together], 0)
    total[..., together] += weights
    if context.size:
        context |= np.where(weights > 0, np.uint32(1 << bit), np.uint32(0)).view(np.int32)
    count = components.shape[-1] // 2
    if not count:
        return
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        variances = np.square(drop[..., together:-1] / weights[..., None])
        own = 1 / variances[..., 0] if np.isnan(constant) else np.full_like(weights, constant)
        good = (weights != 0) & (own > 0) & np.isfinite(own)
        for k in range(count):
            used = good & np.isfinite(variances[..., k])
            scaled = variances[..., k].astype(float) * own * own
            components[..., k] += np.where(used, scaled, 0)
            components[..., count + k] += np.where(used, own, 0)


def means(total: F32, plane: int, scale: float, fill: float, out: F32) -> None:
    """Set the weighted means of a plane, times `scale`; `fill` where there is no weight."""
    weights = total[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:] = np.where(weights == 0, np.float32(fill), total[..., plane] / weights * np.float32(scale))


def errors(components: F32, scale: float, variances: F32, error: F32) -> None:
    """Set the variances of the weighted means and the root of their sum; NaN where there are none.

    Parameters
    ----------
    components : (ny, nx, 2 k) float32
        As of `add`.
    scale : float
        Factor of the variances.
    variances : (k, ny, nx) float32
    error : (ny, nx) float32
    """
    count = len(variances)
    with np.errstate(divide="ignore", invalid="ignore"):
        for k, variance in enumerate(variances):
            weights = components[..., count + k]
            # Divided twice: the square of the weight may be too large for its type.
            variance[:] = components[..., k] * np.float32(scale) / weights / weights
    error[:] = np.sqrt(np.nansum(variances, axis=0))
    error[np.isnan(variances).all(axis=0)] = np.nan
