"""The median of a stack of images, compiled: see `webbcal.kernels.stack.reference` for the definition."""

from __future__ import annotations

import numpy as np

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.stack.reference import F32

_SHORT = 24  # up to here insertion is the quickest sort


def nanmedian(stack: F32) -> F32:
    """Return the median along the first axis of what is not NaN; as `reference.nanmedian`."""
    median = np.empty(stack.shape[1:], np.float32)
    _nanmedian(readable(stack, np.float32, 3), median)
    return median


@kernel
def _nanmedian(stack, median):  # type: ignore[no-untyped-def]
    n, ny, nx = stack.shape
    values = np.empty(n, np.float32)
    for y in range(ny):
        for x in range(nx):
            count = 0
            for k in range(n):
                value = stack[k, y, x]
                if value == value:
                    values[count] = value
                    count += 1
            if count > _SHORT:
                values[:count].sort()
            else:
                _insertion_sort(values, count)
            median[y, x] = _middle(values, count)


@helper
def _middle(values, count):  # type: ignore[no-untyped-def]
    if count == 0:
        return np.float32(np.nan)
    half = count // 2
    if count % 2:
        return values[half]
    return (values[half - 1] + values[half]) / np.float32(2)


@helper
def _insertion_sort(values, count):  # type: ignore[no-untyped-def]
    for k in range(1, count):
        value = values[k]
        j = k - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


def warm_up() -> None:
    """Compile what is not compiled yet."""
    nanmedian(np.zeros((1, 1, 1), np.float32))
