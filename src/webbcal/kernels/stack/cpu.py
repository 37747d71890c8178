"""The median of a stack of images, compiled: see `webbcal.kernels.stack.reference` for the definition.

Stacks that are not deep are sorted many pixels at a time (see `sortnet`), deep ones pixel by pixel.
"""

from __future__ import annotations

import numpy as np

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.sortnet import LANES, network, sort_columns
from webbcal.kernels.stack.reference import F32

_DEEP = 512  # from here on a network has too many comparisons


def nanmedian(stack: F32) -> F32:
    """Return the median along the first axis of what is not NaN; as `reference.nanmedian`."""
    median = np.empty(stack.shape[1:], np.float32)
    given = readable(stack, np.float32, 3)
    if len(stack) < _DEEP:
        columns, count = np.empty((len(stack), LANES), np.float32), np.empty(LANES, np.int64)
        _of_columns(given, median, columns, count, network(len(stack)))
    else:
        _of_pixels(given, median, np.empty(len(stack), np.float32))
    return median


@kernel
def _of_columns(stack, median, columns, count, comparisons):  # type: ignore[no-untyped-def]
    n, ny, nx = stack.shape
    for y in range(ny):
        for x0 in range(0, nx, LANES):
            lanes = min(LANES, nx - x0)
            count[:] = 0
            for k in range(n):
                for x in range(lanes):
                    value = stack[k, y, x0 + x]
                    there = value == value
                    columns[k, x] = value if there else np.float32(np.inf)
                    count[x] += 1 if there else 0
            sort_columns(columns, comparisons)
            for x in range(lanes):
                half = count[x] // 2
                if count[x] == 0:
                    median[y, x0 + x] = np.float32(np.nan)
                elif count[x] % 2:
                    median[y, x0 + x] = columns[half, x]
                else:
                    median[y, x0 + x] = (columns[half - 1, x] + columns[half, x]) / np.float32(2)


@kernel
def _of_pixels(stack, median, values):  # type: ignore[no-untyped-def]
    n, ny, nx = stack.shape
    for y in range(ny):
        for x in range(nx):
            count = 0
            for k in range(n):
                value = stack[k, y, x]
                if value == value:
                    values[count] = value
                    count += 1
            values[:count].sort()
            median[y, x] = _middle(values, count)


@helper
def _middle(values, count):  # type: ignore[no-untyped-def]
    if count == 0:
        return np.float32(np.nan)
    half = count // 2
    if count % 2:
        return values[half]
    return (values[half - 1] + values[half]) / np.float32(2)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    for n in (1, _DEEP):
        nanmedian(np.zeros((n, 1, 1), np.float32))
