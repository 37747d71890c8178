"""Drizzling with the square kernel: the readable definition.

A pixel of the input is a square of side `pixfrac` about its centre. Its corners are mapped to the output by
bilinear interpolation between the mapped centres of pixels. The output pixel *o* takes the share of the input
pixel *i* that overlaps it, with the weight ``w[i] · overlap(i, o) / area(i)``, and becomes the weighted mean
of all that it takes.

A. S. Fruchter and R. N. Hook, "Drizzle: A Method for the Linear Reconstruction of Undersampled Images", PASP
114 (2002), 144.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class Target:
    """A part of the output grid: the means of some planes, and what they have in common.

    Parameters
    ----------
    planes : int
    shape : tuple of int
    flags : bool
        Whether to gather DQ bits.

    Attributes
    ----------
    means : (planes, ny, nx) float32
        Weighted means; 0 where nothing was dropped.
    weights : (ny, nx) float32
        Sums of weights.
    flags : (ny, nx) uint32, or (0, 0)
        DQ bits of all that was dropped.
    """

    def __init__(self, planes: int, shape: tuple[int, int], flags: bool = False) -> None:
        self.means: F32 = np.zeros((planes, *shape), np.float32)
        self.weights: F32 = np.zeros(shape, np.float32)
        self.flags: NDArray[np.uint32] = np.zeros(shape if flags else (0, 0), np.uint32)


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
    """Drop the pixels of an image on two targets, in place: they see the same pixels, but not the same past.

    Parameters
    ----------
    planes, others : (k, ny, nx) float32
        Values for the first and for the second target; pixels of weight 0 may hold anything.
    weight : (ny, nx) float32
    dq : (ny, nx) uint32
        Gathered by the first target, if it does.
    x, y : (ny + 2, nx + 2) float64
        Where the centres of the pixels, and of one more on each side, lie in the targets (0-based).
    pixfrac : float
        Side of the shrunken pixel, 0 < pixfrac ≤ 1.
    target, alone : Target
        Of the same shape, with as many planes as are given.
    hits : (ty, tx) bool
        Set where anything was dropped with a positive weight.
    """
    ty, tx = target.weights.shape
    for j, i in np.ndindex(weight.shape):
        cx, cy = corners(x[j : j + 3, i : i + 3], pixfrac), corners(y[j : j + 3, i : i + 3], pixfrac)
        if weight[j, i] == 0 or not np.isfinite(cx + cy).all():
            continue
        area = 0.5 * ((cx[1] - cx[3]) * (cy[0] - cy[2]) - (cx[0] - cx[2]) * (cy[1] - cy[3]))
        for v in range(max(0, _nearest(cy.min())), min(ty - 1, _nearest(cy.max())) + 1):
            for u in range(max(0, _nearest(cx.min())), min(tx - 1, _nearest(cx.max())) + 1):
                share = overlap(cx - u + 0.5, cy - v + 0.5)
                add = np.float32(share * (weight[j, i] / area))
                if add != 0:
                    _take(target, v, u, planes[:, j, i], add)
                    if len(others):
                        _take(alone, v, u, others[:, j, i], add)
                    hits[v, u] |= add > 0
                    if target.flags.size:
                        target.flags[v, u] |= dq[j, i]


def _take(target: Target, v: int, u: int, values: F32, add: np.float32) -> None:
    """Let a pixel of the target take values with a weight."""
    before = target.weights[v, u]
    after = before + add
    if before == 0:
        target.means[:, v, u] = values
    else:
        target.means[:, v, u] = (target.means[:, v, u] * before + add * values) / np.float64(after)
    target.weights[v, u] = after


def corners(centres: F64, pixfrac: float) -> F64:
    """Return the corners (going round) of the middle one of 3 × 3 pixels, in one coordinate, shape (4,)."""
    h = 0.5 * pixfrac
    mix = np.array([[h * h, h * (1 - h)], [h * (1 - h), (1 - h) ** 2]])
    quarters = ((1, 0), (1, 1), (0, 1), (0, 0))  # up left, up right, down right, down left
    flips = (mix[::-1], mix[::-1, ::-1], mix[:, ::-1], mix)
    return np.array(
        [(m * centres[r : r + 2, c : c + 2]).sum() for (r, c), m in zip(quarters, flips, strict=True)]
    )


def overlap(x: F64, y: F64) -> float:
    """Return the area of a quadrilateral within the unit square (negative if it goes round to the left).

    It is the sum of the areas below its sides, each cut to 0 < x < 1 and 0 < y < 1.
    """
    return sum(_below(x[k], y[k], x[k - 3], y[k - 3]) for k in range(4))


def _below(x1: float, y1: float, x2: float, y2: float) -> float:
    """Return the area below a segment within the unit square, positive from left to right."""
    if x1 == x2:
        return 0.0
    slope = (y2 - y1) / (x2 - x1)
    ends = np.clip([x1, x2], 0.0, 1.0)
    cuts = {float(end) for end in ends}
    if slope:
        cuts |= {x1 + (level - y1) / slope for level in (0.0, 1.0)}
    points = sorted(c for c in cuts if ends.min() <= c <= ends.max())
    heights = [min(max(y1 + slope * (p - x1), 0.0), 1.0) for p in points]
    area = float(np.trapezoid(heights, points))
    return area if x2 > x1 else -area


def _nearest(value: float) -> int:
    return int(np.floor(value + 0.5))
