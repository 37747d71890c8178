"""Sort many short columns at once.

Detector ramps are short and there are millions of them, so the medians of ramps are taken from a sorting
network (Batcher's merge exchange, Knuth TAOCP 5.2.2 algorithm M): the order of its comparisons does not
depend on the data, hence each comparison runs over all columns of a block with SIMD instructions and
without a branch. Use from other numba kernels only (this module imports numba).
"""

from __future__ import annotations

import numpy as np

from webbcal.kernels.compiling import helper

#: Columns (pixels of a row) that the kernels gather and process together. 64 float32 are a few vector
#: registers wide and a block of a typical ramp stays in the first-level cache.
LANES = 64


@helper
def sort_columns(a: np.ndarray, n: int) -> None:
    """Sort the first `n` rows of each column of `a`, in place, ascending.

    Parameters
    ----------
    a : array, shape (>= n, LANES)
        Values without NaN (callers put +inf where a value is missing and count the others).
    n : int
        How many rows take part.
    """
    top = 1
    while 2 * top < n:
        top *= 2
    p = top if n > 1 else 0
    while p > 0:
        q, r, d = top, 0, p
        while True:
            for i in range(n - d):
                if (i & p) == r:
                    for x in range(LANES):
                        low = a[i, x]
                        high = a[i + d, x]
                        a[i, x] = low if low < high else high
                        a[i + d, x] = high if low < high else low
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2


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
