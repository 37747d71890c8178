"""Ellipses painted into flags, compiled: see `webbcal.kernels.ellipses.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace
from webbcal.kernels.compiling import kernel
from webbcal.kernels.ellipses.placed import Placed
from webbcal.kernels.ellipses.reference import ALL


def paint(
    flags: NDArray[np.uint8],
    corner: tuple[int, int, int, int],
    ellipses: Placed,
    when: NDArray[np.int32],
    bit: int,
    stop: int = 0,
    keep: int = ALL,
) -> None:
    """Add a flag inside ellipses, in place; as `reference.paint`."""
    ny, nx = flags.shape[2:]
    near = ellipses.meeting(corner[2], corner[2] + ny, corner[3], corner[3] + nx)
    if near.any():
        some, bits = ellipses.selected(near), (np.uint8(bit), np.uint8(stop), np.uint8(keep))
        target = inplace(flags, np.uint8, 4, "flags")
        _paint(target, corner, some.pixels, some.turn, np.ascontiguousarray(when[near]), bits)


@kernel
def _paint(flags, corner, pixels, turn, when, bits):  # type: ignore[no-untyped-def]
    i0, g0, y0, x0 = corner
    nints, ngroups, ny, nx = flags.shape
    bit, stop, keep = bits
    for k in range(len(pixels)):
        i = when[k, 0] - i0
        if i < 0 or i >= nints:
            continue
        first, last = max(when[k, 1] - g0, 0), min(when[k, 2] - g0, ngroups)
        cos, sin = turn[k, 0], turn[k, 1]
        ry, rx = np.float64(pixels[k, 2]), np.float64(pixels[k, 3])
        for row in range(max(pixels[k, 4] - y0, 0), min(pixels[k, 5] - y0, ny)):
            y = np.float64(row + y0 - pixels[k, 0])
            for column in range(max(pixels[k, 6] - x0, 0), min(pixels[k, 7] - x0, nx)):
                x = np.float64(column + x0 - pixels[k, 1])
                along, across = (y * cos + x * sin) / ry, (y * sin - x * cos) / rx
                if not along * along + across * across < 1.0:
                    continue
                for g in range(first, last):
                    flag = flags[i, g, row, column]
                    if (flag & stop) != 0:
                        break
                    flags[i, g, row, column] = (flag & keep) | bit


def warm_up() -> None:
    """Compile what is not compiled yet."""
    one = Placed(np.zeros((1, 8), np.int32), np.zeros((1, 2)))
    one.pixels[:, [5, 7]] = 1
    paint(np.zeros((1, 1, 1, 1), np.uint8), (0, 0, 0, 0), one, np.zeros((1, 3), np.int32), 4)
