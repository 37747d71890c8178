"""Sort many short columns at once.

Detector ramps are short and there are millions of them, so the medians of ramps are taken from a sorting
network (Batcher's merge exchange, Knuth TAOCP 5.2.2 algorithm M): the order of its comparisons does not
depend on the data, hence each comparison runs over all columns of a block with SIMD instructions and
without a branch. Use from other numba kernels only (this module imports numba).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from webbcal.kernels.compiling import helper

#: Columns (pixels of a row) that the kernels gather and process together. 64 float32 are a few vector
#: registers wide and a block of a typical ramp stays in the first-level cache.
LANES = 64


@lru_cache(maxsize=32)
def network(n: int) -> np.ndarray:
    """Return the comparisons that sort `n` rows: (comparisons, 2) int64, the row of the smaller value first.

    Made beforehand: a compiler that sees how one row follows from the other uses no SIMD instructions.
    """
    top = 1
    while 2 * top < n:
        top *= 2
    pairs: list[tuple[int, int]] = []
    p = top if n > 1 else 0
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(n - d) if (i & p) == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return np.array(pairs, np.int64).reshape(-1, 2)


@helper
def sort_columns(a: np.ndarray, comparisons: np.ndarray) -> None:
    """Sort the first rows of each column of `a`, in place, ascending.

    Parameters
    ----------
    a : array, shape (>= n, LANES)
        Values without NaN (callers put +inf where a value is missing and count the others).
    comparisons : array
        ``network(n)``.
    """
    for c in range(comparisons.shape[0]):
        first, second = a[comparisons[c, 0]], a[comparisons[c, 1]]
        for x in range(LANES):
            low, high = first[x], second[x]
            first[x] = low if low < high else high
            second[x] = high if low < high else low


@helper
def middle(a: np.ndarray, x: int, lo: int, hi: int) -> float:
    """Return the median of rows ``lo <= i < hi`` of sorted column `x`, in float64 (NaN if none)."""
    n = hi - lo
    if n < 1:
        return np.nan
    m = lo + n // 2
    if n % 2 == 1:
        return np.float64(a[m, x])
    return (np.float64(a[m - 1, x]) + np.float64(a[m, x])) / 2.0


@helper
def select(values: np.ndarray, first: int, stop: int, wanted: int) -> float:
    """Return what would stand at place `wanted` if values ``first <= i < stop`` were sorted; no NaN.

    Changes their order: smaller ones come before it. By selection (Hoare 1961, CACM 4, 321), for long columns
    where a network takes too many rounds.
    """
    last = stop - 1
    while first < last:
        pivot = values[(first + last) // 2]
        i, j = first, last
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            last = j
        elif wanted >= i:
            first = i
        else:
            break
    return values[wanted]


@helper
def median_of_many(values: np.ndarray, n: int) -> float:
    """Return the median of the first `n` values, in float64 (NaN if none); changes their order."""
    if n < 1:
        return np.nan
    return mean_of_places(values, n, (n - 1) // 2, n // 2)


@helper
def mean_of_places(values: np.ndarray, n: int, lower: int, upper: int) -> float:
    """Return the mean of what would stand at two places, neighbours or one, if `n` values were sorted."""
    top = np.float64(select(values, 0, n, upper))
    if lower == upper:
        return top
    bottom = values[0]
    for k in range(1, upper):
        bottom = max(bottom, values[k])
    return (np.float64(bottom) + top) / 2.0
