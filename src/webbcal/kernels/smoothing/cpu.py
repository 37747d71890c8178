"""Smoothing, compiled: see `webbcal.kernels.smoothing.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.smoothing.reference import F32, F64


def smooth(image: F32, missing: NDArray[np.bool_], weights: F64) -> F32:
    """Return the weighted mean around each pixel; as `reference.smooth`."""
    result = np.empty(image.shape, np.float32)
    _smooth(
        readable(np.where(missing, np.float32(0), image), np.float32, 2),
        readable(missing, np.bool_, 2),
        readable(weights, np.float64, 1),
        result,
    )
    return result


@kernel
def _smooth(image, missing, weights, result):  # type: ignore[no-untyped-def]
    ny, nx = image.shape
    half = weights.size // 2
    # Sums down the columns for one row, and what is beyond its ends.
    total, share = np.zeros(nx + 2 * half), np.ones(nx + 2 * half)
    mean, there = np.empty(nx), np.empty(nx)
    for y in range(ny):
        complete = True
        for v in range(max(0, y - half), min(ny, y + half + 1)):
            for x in range(nx):
                complete &= not missing[v, x]
        _down(image, weights, y, total[half : half + nx])
        _across(total, weights, mean)
        if complete:
            for x in range(nx):
                result[y, x] = np.float32(mean[x])
            continue
        _down_share(missing, weights, y, share[half : half + nx])
        _across(share, weights, there)
        for x in range(nx):
            result[y, x] = np.float32(mean[x] / there[x]) if there[x] > 0 else np.float32(np.nan)


@helper
def _down(image, weights, y, out):  # type: ignore[no-untyped-def]
    ny, half = image.shape[0], weights.size // 2
    for x in range(out.size):
        out[x] = weights[half] * image[y, x]
    for k in range(half, 0, -1):
        for v in (y - k, y + k):
            if 0 <= v < ny:
                for x in range(out.size):
                    out[x] += weights[half + k] * image[v, x]


@helper
def _down_share(missing, weights, y, out):  # type: ignore[no-untyped-def]
    ny, half = missing.shape[0], weights.size // 2
    for x in range(out.size):
        out[x] = 0.0 if missing[y, x] else weights[half]
    for k in range(half, 0, -1):
        for v in (y - k, y + k):
            for x in range(out.size):
                if not (0 <= v < ny) or not missing[v, x]:
                    out[x] += weights[half + k]


@helper
def _across(padded, weights, out):  # type: ignore[no-untyped-def]
    half = weights.size // 2
    for x in range(out.size):
        out[x] = weights[half] * padded[half + x]
    for k in range(half, 0, -1):
        for x in range(out.size):
            out[x] += weights[half + k] * (padded[half + x - k] + padded[half + x + k])


def warm_up() -> None:
    """Compile what is not compiled yet."""
    smooth(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.bool_), np.ones(1))
