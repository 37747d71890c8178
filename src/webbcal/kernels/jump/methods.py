"""Which differences are jumps: the methods, on a block of lanes (compiled).

The differences of a block are sorted column by column (see `sortnet`); medians, the largest deviation and
clipping are then index arithmetic on sorted columns. In particular, iterative rejection only ever removes
values from the two ends of a sorted column, so its result is a pair of bounds and the differences outside
them are the jumps.
"""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.compiling import helper
from webbcal.kernels.jump.settings import FEWEST_INTS, MAD_TO_SIGMA, Method
from webbcal.kernels.sortnet import LANES, middle, sort_columns

JUMP = np.uint8(dqflags.group["JUMP_DET"])

CLIP_ITERATIONS = 5
_SINGLE_PASS, _SIGMA_CLIP, _RUNNING = (
    int(method) for method in (Method.SINGLE_PASS, Method.SIGMA_CLIP, Method.RUNNING)
)


@helper
def sort_lanes(diff, first, step, n, absolute, finite, comparisons, ordered, count):  # type: ignore[no-untyped-def]
    """Sort the usable ones of differences ``first, first + step, ...`` (`n` of them) of each lane."""
    for x in range(LANES):
        count[x] = 0
    for k in range(n):
        for x in range(LANES):
            value = diff[first + k * step, x]
            if absolute:
                value = abs(value)
            usable = value == value and not (finite and abs(value) == np.inf)
            count[x] += 1 if usable else 0
            ordered[k, x] = value if usable else np.float32(np.inf)
    sort_columns(ordered, comparisons)


@helper
def _iterative_bounds(ordered, x, n, variance, thresholds):  # type: ignore[no-untyped-def]
    """Return the smallest and largest absolute difference of lane `x` that is not a jump.

    The largest difference (all that equal it) does not take part in the median when there are four or more.
    The first median is kept in float64 and later ones in float32, the deviations in float32: as the official
    pipeline does, whose decisions these have to equal.
    """
    lo, hi = 0, n
    first = True
    while hi - lo >= 2:
        usable = hi - lo
        if usable >= 4:
            end = hi
            while end > lo and ordered[end - 1, x] == ordered[hi - 1, x]:
                end -= 1
            median, limit = middle(ordered, x, lo, end), thresholds[2]
        elif usable == 3:
            median, limit = middle(ordered, x, lo, hi), thresholds[1]
        else:
            median, limit = np.float64(ordered[lo, x]), thresholds[0]
        if not first:
            median = np.float64(np.float32(median))
        first = False
        sigma = np.sqrt(abs(median) + variance)
        below = abs(np.float32(ordered[lo, x] - median))
        above = abs(np.float32(ordered[hi - 1, x] - median))
        worst = above if above > below else below
        # sigma is NaN or 0 where the read noise is; neither may flag
        if not (sigma > 0.0 and np.float64(worst) / sigma > limit):
            break
        while hi > lo and abs(np.float32(ordered[hi - 1, x] - median)) == worst:
            hi -= 1
        while lo < hi and abs(np.float32(ordered[lo, x] - median)) == worst:
            lo += 1
    if lo == hi and n > 0:
        return np.float32(np.inf), np.float32(-np.inf)
    low = ordered[lo, x] if lo > 0 else np.float32(-np.inf)
    high = ordered[hi - 1, x] if hi < n else np.float32(np.inf)
    return low, high


@helper
def _clip_bounds(ordered, count, nsigma, places, clip):  # type: ignore[no-untyped-def]
    """Set the bounds of all lanes by iterated clipping about the median (NaN without usable values).

    Values are added up lane by lane in ascending order, all lanes side by side.
    """
    lo, hi, active = places
    mean, square, low, high = clip
    for x in range(LANES):
        lo[x], hi[x], active[x], low[x], high[x] = 0, count[x], 1, np.nan, np.nan
    for _ in range(CLIP_ITERATIONS):
        first, stop = _begin_round(places, mean, square, ordered.shape[0])
        if first >= stop:
            return
        for k in range(first, stop):
            for x in range(LANES):
                mean[x] += np.float64(ordered[k, x]) if lo[x] <= k and k < hi[x] else 0.0
        for x in range(LANES):
            mean[x] /= hi[x] - lo[x]
        for k in range(first, stop):
            for x in range(LANES):
                off = mean[x] - ordered[k, x]
                square[x] += off * off if lo[x] <= k and k < hi[x] else 0.0
        for x in range(LANES):
            if active[x] == 0:
                continue
            median, sigma = middle(ordered, x, lo[x], hi[x]), np.sqrt(square[x] / (hi[x] - lo[x]))
            low[x], high[x] = median - nsigma * sigma, median + nsigma * sigma
            before = hi[x] - lo[x]
            while hi[x] > lo[x] and not ordered[hi[x] - 1, x] <= high[x]:
                hi[x] -= 1
            while lo[x] < hi[x] and not ordered[lo[x], x] >= low[x]:
                lo[x] += 1
            active[x] = 0 if hi[x] - lo[x] == before else 1


@helper
def _begin_round(places, mean, square, n):  # type: ignore[no-untyped-def]
    """Return the rows that take part in a round of clipping; lanes without values are done."""
    lo, hi, active = places
    first, stop = n, 0
    for x in range(LANES):
        mean[x], square[x] = 0.0, 0.0
        if hi[x] == lo[x]:
            active[x] = 0
        if active[x] != 0:
            first, stop = min(first, lo[x]), max(stop, hi[x])
    return first, stop


@helper
def _flag_iterative(diff, flags, lanes, comparisons, ordered, count, variance, thresholds, bounds):  # type: ignore[no-untyped-def]
    nk = diff.shape[0]
    sort_lanes(diff, 0, 1, nk, True, False, comparisons, ordered, count)
    found = False
    for x in range(lanes):
        low, high = _iterative_bounds(ordered, x, count[x], variance[x], thresholds)
        found = found or low > -np.inf or high < np.inf
        bounds[0, x], bounds[1, x] = low, high
    if not found:
        return
    for k in range(nk):
        for x in range(lanes):
            size = abs(diff[k, x])
            outside = size < bounds[0, x] or size > bounds[1, x]
            flags[k, x] |= JUMP if outside else np.uint8(0)


@helper
def _flag_single_pass(diff, flags, lanes, ordered, count, median, sigma, limit):  # type: ignore[no-untyped-def]
    for x in range(lanes):
        n = count[x]
        if n == 0:
            continue
        below, above = abs(ordered[0, x] - median[x]), abs(ordered[n - 1, x] - median[x])
        if not (below / sigma[x] > limit or above / sigma[x] > limit):
            continue
        for k in range(diff.shape[0]):
            step = np.float64(diff[k, x])
            if np.isfinite(step) and abs(step - median[x]) / sigma[x] > limit:
                flags[k, x] |= JUMP


@helper
def _flag_sigma_clip(diff, flags, lanes, sets, comparisons, ordered, count, limit, bounds, places, clip):  # type: ignore[no-untyped-def]
    """Flag by clipping; set s holds differences s, s + sets, ...: one a integration, or all of them.

    `bounds` become what the median of all differences lies between: the smallest and the largest of the sets.
    """
    nk = diff.shape[0]
    for x in range(LANES):
        bounds[0, x], bounds[1, x] = np.inf, -np.inf
    for s in range(sets):
        sort_lanes(diff, s, sets, nk // sets, False, True, comparisons, ordered, count)
        _clip_bounds(ordered, count, limit, places, clip)
        for x in range(lanes):
            n, low, high = count[x], clip[2, x], clip[3, x]
            if n == 0:
                continue
            bounds[0, x] = min(bounds[0, x], ordered[(n - 1) // 2, x])
            bounds[1, x] = max(bounds[1, x], ordered[n // 2, x])
            if ordered[0, x] >= low and ordered[n - 1, x] <= high:
                continue
            for k in range(s, nk, sets):
                step = np.float64(diff[k, x])
                if np.isfinite(step) and (step < low or step > high):
                    flags[k, x] |= JUMP


@helper
def find_large(diff, flags, lanes, bounds, variance, least, large):  # type: ignore[no-untyped-def]
    """Tell which lanes may have a jump of more than `least` sigma, as far as bounds of the median tell."""
    for x in range(LANES):
        large[x] = False
    for k in range(diff.shape[0]):
        some = np.uint8(0)
        for x in range(LANES):
            large[x] |= abs(diff[k, x]) == np.inf  # such do not count in the bounds
            some |= flags[k, x]
        if (some & JUMP) == 0:
            continue
        for x in range(lanes):
            if (flags[k, x] & JUMP) == 0:
                continue
            step, low, high = np.float64(diff[k, x]), np.float64(bounds[0, x]), np.float64(bounds[1, x])
            faintest = 0.0 if low <= 0.0 and high >= 0.0 else min(abs(low), abs(high))
            most = max(abs(step - low), abs(step - high))
            large[x] |= not most < 0.999 * least * np.sqrt(faintest + variance[x])


@helper
def _load_window(diff, start, stop, j, ndiffs, comparisons, window, count):  # type: ignore[no-untyped-def]
    """Sort the usable differences of some integrations; count them."""
    for x in range(LANES):
        count[x] = 0
    for i in range(start, stop):
        for x in range(LANES):
            step = diff[i * ndiffs + j, x]
            usable = np.isfinite(step)
            window[i - start, x] = step if usable else np.float32(np.inf)
            count[x] += 1 if usable else 0
    sort_columns(window, comparisons)


@helper
def _flag_in_time(diff, flags, lanes, ndiffs, whole, part, ordered, count, variance, limit, window, running):  # type: ignore[no-untyped-def]
    """Flag differences that stand off the median of those around them in time."""
    nints, size = diff.shape[0] // ndiffs, window.shape[0]
    for i in range(nints):
        start = max(0, min(i - size // 2, nints - size))
        for j in range(ndiffs):
            _load_window(diff, start, min(start + size, nints), j, ndiffs, part, window, count)
            for x in range(LANES):
                enough = count[x] >= FEWEST_INTS
                running[i * ndiffs + j, x] = middle(window, x, 0, count[x]) if enough else np.nan
    for x in range(LANES):
        count[x] = 0
    for k in range(diff.shape[0]):
        for x in range(LANES):
            off = abs(np.float32(np.float64(diff[k, x]) - running[k, x]))
            usable = np.isfinite(off)
            ordered[k, x] = off if usable else np.float32(np.inf)
            count[x] += 1 if usable else 0
    sort_columns(ordered, whole)
    for x in range(lanes):
        scatter = MAD_TO_SIGMA * middle(ordered, x, 0, count[x])
        for k in range(diff.shape[0]):
            off = np.float64(abs(np.float32(np.float64(diff[k, x]) - running[k, x])))
            sigma = max(np.sqrt(abs(running[k, x]) + variance[x]), scatter)
            if np.isfinite(off) and off > limit * sigma:
                flags[k, x] |= JUMP


@helper
def flag_jumps(  # type: ignore[no-untyped-def]
    method, diff, flags, lanes, only_ints, ndiffs, whole, part, ordered, count, variance, median, sigma,
    thresholds, bounds, window, running, places, clip,
):  # fmt: skip
    """Flag the jumps of a block by the method of the exposure."""
    limit = thresholds[2]
    if method == _SIGMA_CLIP:
        sets = ndiffs if only_ints else 1
        _flag_sigma_clip(diff, flags, lanes, sets, part, ordered, count, limit, bounds, places, clip)
    elif method == _RUNNING:
        _flag_in_time(
            diff, flags, lanes, ndiffs, whole, part, ordered, count, variance, limit, window, running
        )
    elif method == _SINGLE_PASS:
        _flag_single_pass(diff, flags, lanes, ordered, count, median, sigma, limit)
    else:
        _flag_iterative(diff, flags, lanes, whole, ordered, count, variance, thresholds, bounds)
