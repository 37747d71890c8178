"""Ellipses painted into flags, in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.ellipses.placed import X0, X1, Y0, Y1, Placed

ALL = 255


def paint(
    flags: NDArray[np.uint8],
    corner: tuple[int, int, int, int],
    ellipses: Placed,
    when: NDArray[np.int32],
    bit: int,
    stop: int = 0,
    keep: int = ALL,
) -> None:
    """Add a flag inside ellipses, in place.

    Parameters
    ----------
    flags : (nints, ngroups, ny, nx) uint8
    corner : tuple of int
        Integration, group, row and column of the exposure at which the flags begin.
    ellipses : Placed
    when : (n, 3) int32
        Integration, first group and group after the last of each ellipse.
    bit : int
        The flag.
    stop : int
        Samples with one of these flags are left as they are, and so are later samples of the pixel.
    keep : int
        Flags that stay where the new one is set; others are taken away.
    """
    i0, g0, y0, x0 = corner
    nints, ngroups, ny, nx = flags.shape
    for k in np.flatnonzero(ellipses.meeting(y0, y0 + ny, x0, x0 + nx)):
        i, first, last = when[k] - (i0, g0, g0)
        if not 0 <= i < nints:
            continue
        p = ellipses.pixels[k]
        ys, xs = (
            slice(max(p[Y0] - y0, 0), min(p[Y1] - y0, ny)),
            slice(max(p[X0] - x0, 0), min(p[X1] - x0, nx)),
        )
        y, x = np.ogrid[ys, xs]
        inside = _inside(y + (y0 - p[0]), x + (x0 - p[1]), p[2], p[3], *ellipses.turn[k])
        for g in range(max(first, 0), min(last, ngroups)):
            frame = flags[i, g, ys, xs]
            inside &= (frame & stop) == 0
            frame[inside] = (frame[inside] & keep) | bit


def _inside(
    y: NDArray[np.int64], x: NDArray[np.int64], ry: int, rx: int, cos: float, sin: float
) -> NDArray[np.bool_]:
    """Return which offsets from the centre lie inside."""
    inside: NDArray[np.bool_] = ((y * cos + x * sin) / ry) ** 2 + ((y * sin - x * cos) / rx) ** 2 < 1
    return inside
