"""Most ramps have no jump, and that can be told without sorting their differences (compiled).

A jump is a difference far from the median. Where even the largest and the smallest difference are near
*every* value that the median can have, there is none. How the median is bounded does not matter for the
result: two numbers around it are guessed, and counting says whether it lies between them. All arithmetic is
monotonic, also in its rounding, so what is called quiet here is what the exact test finds no jump in.
"""

from __future__ import annotations

import numpy as np

from webbcal.kernels.compiling import helper
from webbcal.kernels.sortnet import LANES

#: Half the distance of the two numbers, in sigma: the least, and how it shrinks with the number of values.
_LEAST, _OF_MANY = np.float32(0.1), np.float32(3.0)

# rows of `look`, scratch space of (7, LANES) float32
_LOW, _HIGH, _SUM, _COUNT, _FROM, _TO, _ENDS = 0, 1, 2, 3, 4, 5, 6


@helper
def _survey(diff, absolute, look):  # type: ignore[no-untyped-def]
    """Find the ends, the sum and the number of usable differences of each lane."""
    for x in range(LANES):
        look[_LOW, x], look[_HIGH, x] = np.float32(np.inf), np.float32(-np.inf)
        look[_SUM, x] = look[_COUNT, x] = np.float32(0)
    for k in range(diff.shape[0]):
        for x in range(LANES):
            value = abs(diff[k, x]) if absolute else diff[k, x]
            usable = value == value
            look[_LOW, x] = value if value < look[_LOW, x] else look[_LOW, x]
            look[_HIGH, x] = value if value > look[_HIGH, x] else look[_HIGH, x]
            look[_SUM, x] += value if usable else np.float32(0)
            look[_COUNT, x] += np.float32(1) if usable else np.float32(0)


@helper
def _guess(variance, look):  # type: ignore[no-untyped-def]
    """Guess two numbers between which the median lies: around the mean, which it is near without jumps."""
    for x in range(LANES):
        count = look[_COUNT, x]
        mean = look[_SUM, x] / count
        sigma = np.float32(np.sqrt(abs(mean) + np.float32(variance[x])))
        off = sigma * (_LEAST + _OF_MANY / np.float32(np.sqrt(count)))
        look[_FROM, x], look[_TO, x] = mean - off, mean + off
        look[_SUM, x] = look[_ENDS, x] = np.float32(0)
        look[_COUNT, x] = np.float32(0)


@helper
def _count(diff, absolute, look):  # type: ignore[no-untyped-def]
    """Count the differences below and up to the two numbers (into `_SUM`, `_COUNT`), and the largest ones."""
    for k in range(diff.shape[0]):
        for x in range(LANES):
            value = abs(diff[k, x]) if absolute else diff[k, x]
            look[_SUM, x] += np.float32(1) if value < look[_FROM, x] else np.float32(0)
            look[_COUNT, x] += np.float32(1) if value <= look[_TO, x] else np.float32(0)
            look[_ENDS, x] += np.float32(1) if value == look[_HIGH, x] else np.float32(0)


@helper
def mark_quiet(diff, variance, limit, absolute, usable, look, quiet):  # type: ignore[no-untyped-def]
    """Find lanes that surely have no jump.

    Parameters
    ----------
    diff : (differences, LANES) float32
        NaN where one is not usable.
    variance : (LANES,) float64
        Read noise.
    limit : float
        Differences farther than this from the median, in sigma, are jumps.
    absolute : bool
        Compare sizes, with the median of all but the largest (and those that equal it).
    usable : (LANES,) int64
        Receives how many differences are usable.
    look : (7, LANES) float32
        Scratch space.
    quiet : (LANES,) bool
        Receives the answer; False where this cannot tell.
    """
    _survey(diff, absolute, look)
    for x in range(LANES):
        usable[x] = np.int64(look[_COUNT, x])
    _guess(variance, look)
    _count(diff, absolute, look)
    for x in range(LANES):
        n = usable[x]
        enough = n >= 4 if absolute else n >= 1
        if absolute:
            n -= np.int64(look[_ENDS, x])
            enough = enough and n > 0
        least, most = look[_LOW, x], look[_HIGH, x]
        below_from, up_to = np.int64(look[_SUM, x]), np.int64(look[_COUNT, x])
        lies = below_from <= (n - 1) // 2 and (up_to >= n // 2 + 1 or look[_TO, x] >= most)
        low, high = np.float64(max(look[_FROM, x], least)), np.float64(min(look[_TO, x], most))
        size = low if low > 0.0 else (-high if high < 0.0 else 0.0)
        worst = max(np.float64(most) - low, high - np.float64(least))
        if absolute:  # as the exact test rounds it
            worst = np.float64(np.float32(worst))
        quiet[x] = enough and lies and worst / np.sqrt(size + variance[x]) <= limit
