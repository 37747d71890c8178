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

#: Overlaps smaller than this, in output pixels, are rounding.
LEAST = 1e-12


def drizzle(
    values: F32,
    weight: F32,
    dq: NDArray[np.uint32],
    x: F64,
    y: F64,
    pixfrac: float,
    sums: F32,
    flags: NDArray[np.uint32],
) -> None:
    """Drop the pixels of an image on a part of the output grid, in place.

    Parameters
    ----------
    values : (ny, nx, k) float32
        What each pixel has; pixels of weight 0 may hold anything.
    weight : (ny, nx) float32
    dq : (ny, nx) uint32
    x, y : (ny + 2, nx + 2) float64
        Where the centres of the pixels, and of one more on each side, lie in the output (0-based).
    pixfrac : float
        Side of the shrunken pixel, 0 < pixfrac ≤ 1.
    sums : (ty, tx, k + 1) float32
        Sums of weight times value, and last the sums of weights. Their quotients are the means.
    flags : (ty, tx) uint32, or (0, 0)
        DQ bits of all that is dropped; of no size: they are not wanted.
    """
    ty, tx, _ = sums.shape
    for j, i in np.ndindex(weight.shape):
        cx, cy = corners(x[j : j + 3, i : i + 3], pixfrac), corners(y[j : j + 3, i : i + 3], pixfrac)
        if weight[j, i] == 0 or not np.isfinite(cx + cy).all():
            continue
        area = 0.5 * ((cx[1] - cx[3]) * (cy[0] - cy[2]) - (cx[0] - cx[2]) * (cy[1] - cy[3]))
        for v in range(max(0, _nearest(cy.min())), min(ty - 1, _nearest(cy.max())) + 1):
            for u in range(max(0, _nearest(cx.min())), min(tx - 1, _nearest(cx.max())) + 1):
                share = overlap(cx - u + 0.5, cy - v + 0.5)
                if abs(share) > LEAST:
                    add = np.float32(share * (weight[j, i] / area))
                    sums[v, u, :-1] += add * values[j, i]
                    sums[v, u, -1] += add
                    if flags.size:
                        flags[v, u] |= dq[j, i]


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
