"""Means over rings, compiled: see `webbcal.kernels.rings.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel


def exceeds(image: NDArray[np.float64], offsets: NDArray[np.int64], limit: float) -> NDArray[np.uint8]:
    """Return where the mean over a ring exceeds a limit; as `reference.exceeds`."""
    above = np.zeros(image.shape, np.uint8)
    reach = int(np.abs(offsets).max(initial=0))
    image = readable(image, np.float64, 2)
    good = np.isfinite(image)
    values = np.pad(np.where(good, image, 0.0), reach)
    counted = np.pad(good.astype(np.float32), reach, constant_values=1.0)
    _exceeds(values, counted, readable(offsets, np.int64, 2), float(limit), good, above)
    return above


@kernel
def _exceeds(values, counted, offsets, limit, good, above):  # type: ignore[no-untyped-def]
    ny, nx = above.shape
    reach = (values.shape[0] - ny) // 2
    total, number = np.empty(nx), np.empty(nx, np.float32)
    for y in range(ny):
        total[:] = 0.0
        number[:] = np.float32(0.0)
        for k in range(len(offsets)):
            row, first = reach + y + offsets[k, 0], reach + offsets[k, 1]
            _add(total, values[row, first : first + nx])
            _add(number, counted[row, first : first + nx])
        for x in range(nx):
            above[y, x] = good[y, x] and number[x] > 0 and total[x] / np.float64(number[x]) > limit


@helper
def _add(total, row):  # type: ignore[no-untyped-def]
    for x in range(total.size):
        total[x] += row[x]


def warm_up() -> None:
    """Compile what is not compiled yet."""
    exceeds(np.zeros((1, 1)), np.zeros((1, 2), np.int64), 1.0)
