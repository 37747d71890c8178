"""The exact median of numbers that pass by in pieces, in memory that does not depend on how many they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def passing_median(pieces: Callable[[Callable[[F32], NDArray]], Iterable[NDArray]]) -> np.float32:
    """Return the median of float32 numbers that are not negative; NaN if one of them is.

    Numbers above 0 have the order of their bits: a first pass counts them by their upper half, a second one
    keeps those that share it with the median.

    Parameters
    ----------
    pieces : callable
        Calls a function on each piece, in any order, and returns the results. It is called twice.
    """
    counts = np.zeros(1 << 16, np.int64)
    for part in pieces(_by_upper_half):
        counts += part
    total = int(counts.sum())
    ends = np.cumsum(counts)
    ranks = ((total - 1) // 2, total // 2)
    first, last = (int(np.searchsorted(ends, rank, side="right")) for rank in ranks)
    below = int(ends[first] - counts[first])
    if ends[np.float32(np.inf).view(np.uint32) >> 16] < total:
        return np.float32(np.nan)

    def kept(values: F32) -> F32:
        upper = values.reshape(-1).view(np.uint32) >> 16
        return values.reshape(-1)[(upper == first) | (upper == last)]

    middle = np.sort(np.concatenate(list(pieces(kept))))
    if first == last:
        pair = middle[[ranks[0] - below, ranks[1] - below]]
    else:  # the last of one half and the first of the next
        cut = int(counts[first])
        pair = middle[[cut - 1, cut]]
    return np.float32(np.mean(pair))


def _by_upper_half(values: F32) -> NDArray[np.int64]:
    return np.bincount(values.reshape(-1).view(np.uint32) >> 16, minlength=1 << 16)
