"""Drizzling with the square kernel, compiled: see `webbcal.kernels.drizzle.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.drizzle.reference import F32, F64, Target


def drizzle(
    planes: F32,
    others: F32,
    weight: F32,
    dq: NDArray[np.uint32],
    x: F64,
    y: F64,
    pixfrac: float,
    target: Target,
    alone: Target,
    hits: NDArray[np.bool_],
) -> None:
    """Drop the pixels of an image on two targets, in place; as `reference.drizzle`."""
    _drizzle(
        readable(planes, np.float32, 3),
        readable(others, np.float32, 3),
        readable(weight, np.float32, 2),
        readable(dq, np.uint32, 2),
        readable(x, np.float64, 2),
        readable(y, np.float64, 2),
        0.5 * pixfrac,
        inplace(target.means, np.float32, 3, "means"),
        inplace(target.weights, np.float32, 2, "weights"),
        inplace(target.flags, np.uint32, 2, "flags"),
        inplace(alone.means, np.float32, 3, "means"),
        inplace(alone.weights, np.float32, 2, "weights"),
        inplace(hits, np.bool_, 2, "hits"),
    )


@kernel
def _drizzle(  # type: ignore[no-untyped-def]
    planes, others, weight, dq, x, y, h, means, weights, flags, other_means, other_weights, hits
):
    ty, tx = weights.shape
    cx, cy, share = np.empty(4), np.empty(4), np.zeros((4, 4))
    for j in range(weight.shape[0]):
        for i in range(weight.shape[1]):
            if weight[j, i] == 0 or not _near(x[j + 1, i + 1], y[j + 1, i + 1], tx, ty):
                continue
            _corners(x, j, i, h, cx)
            _corners(y, j, i, h, cy)
            area = 0.5 * ((cx[1] - cx[3]) * (cy[0] - cy[2]) - (cx[0] - cx[2]) * (cy[1] - cy[3]))
            if not abs(area) > 0.0:  # a corner has no place (NaN)
                continue
            v0, v1 = max(0, _nearest(_lowest(cy))), min(ty - 1, _nearest(_highest(cy)))
            u0, u1 = max(0, _nearest(_lowest(cx))), min(tx - 1, _nearest(_highest(cx)))
            if v1 < v0 or u1 < u0:
                continue
            if v1 - v0 >= share.shape[0] or u1 - u0 >= share.shape[1]:
                share = np.zeros((v1 - v0 + 1, u1 - u0 + 1))
            for v in range(v1 - v0 + 1):
                for u in range(u1 - u0 + 1):
                    share[v, u] = 0.0
            for k in range(4):
                n = (k + 1) & 3
                _below(cx[k] - u0, cy[k] - v0, cx[n] - u0, cy[n] - v0, v1 - v0 + 1, u1 - u0 + 1, share)
            density = np.float64(weight[j, i]) / area
            for v in range(v0, v1 + 1):
                for u in range(u0, u1 + 1):
                    add = np.float32(share[v - v0, u - u0] * density)
                    if add != np.float32(0):
                        _take(planes, j, i, add, means, weights, v, u)
                        if others.shape[0]:
                            _take(others, j, i, add, other_means, other_weights, v, u)
                        if add > 0:
                            hits[v, u] = True
                        if flags.size:
                            flags[v, u] |= dq[j, i]


@helper
def _near(x, y, nx, ny):  # type: ignore[no-untyped-def]
    # A pixel of the input covers far less than this, and comparisons with NaN are false.
    return -64.0 < x < nx + 64.0 and -64.0 < y < ny + 64.0


@helper
def _corners(centres, j, i, h, out):  # type: ignore[no-untyped-def]
    far, side, near = h * h, h * (1 - h), (1 - h) * (1 - h)
    middle = near * centres[j + 1, i + 1]
    left, right = side * centres[j + 1, i], side * centres[j + 1, i + 2]
    down, up = side * centres[j, i + 1], side * centres[j + 2, i + 1]
    out[0] = left + middle + far * centres[j + 2, i] + up
    out[1] = middle + right + up + far * centres[j + 2, i + 2]
    out[2] = down + far * centres[j, i + 2] + middle + right
    out[3] = far * centres[j, i] + down + left + middle


@helper
def _lowest(values):  # type: ignore[no-untyped-def]
    return min(min(values[0], values[1]), min(values[2], values[3]))


@helper
def _highest(values):  # type: ignore[no-untyped-def]
    return max(max(values[0], values[1]), max(values[2], values[3]))


@helper
def _nearest(value):  # type: ignore[no-untyped-def]
    return int(np.floor(value + 0.5))


@helper
def _take(planes, j, i, add, means, weights, v, u):  # type: ignore[no-untyped-def]
    before = weights[v, u]
    after = before + add
    if before == np.float32(0):
        for k in range(planes.shape[0]):
            means[k, v, u] = planes[k, j, i]
    else:
        for k in range(planes.shape[0]):
            total = means[k, v, u] * before + add * planes[k, j, i]
            means[k, v, u] = np.float32(np.float64(total) / np.float64(after))
    weights[v, u] = after


@helper
def _below(x1, y1, x2, y2, rows, columns, share):  # type: ignore[no-untyped-def]
    """Add the area below a segment (positive from left to right) within each of rows × columns pixels."""
    if x1 == x2:
        return
    slope = (y2 - y1) / (x2 - x1)
    left, right = min(x1, x2), max(x1, x2)
    sign = 1.0 if x2 > x1 else -1.0
    for u in range(max(0, _nearest(left)), min(columns - 1, _nearest(right)) + 1):
        low, high = max(left, u - 0.5), min(right, u + 0.5)
        if low >= high:
            continue
        first, last = y1 + slope * (low - x1), y1 + slope * (high - x1)
        width = sign * (high - low)
        for v in range(rows):
            area = _between(first - (v - 0.5), last - (v - 0.5), width)
            if area == 0.0:
                break  # the segment is below this row, and all above
            share[v, u] += area


@helper
def _between(first, last, width):  # type: ignore[no-untyped-def]
    """Area below a straight line from height `first` to `last`, with heights cut to 0…1."""
    low, high = min(first, last), max(first, last)
    if high <= 0.0:
        return 0.0
    if low >= 1.0:
        return width
    if low >= 0.0 and high <= 1.0:
        return 0.5 * (first + last) * width
    rise = high - low
    full = (high - 1.0) / rise if high > 1.0 else 0.0  # share of the width at height 1
    none = -low / rise if low < 0.0 else 0.0  # and at height 0
    return width * (full + 0.5 * (1.0 - full - none) * (max(low, 0.0) + min(high, 1.0)))
