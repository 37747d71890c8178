"""Jump detection, compiled.

A row is worked on in blocks of `LANES` pixels. The differences of a block are sorted column by column (see
`sortnet`); medians, the largest deviation and clipping are then index arithmetic on sorted columns. In
particular, iterative rejection only ever removes values from the two ends of a sorted column, so its result
is a pair of bounds and the differences outside them are the jumps.

A row's flags depend on its two neighbour rows. So each row leaves, in a ring of three rows, one byte a
sample that says what the sample may do to others (`SPREAD`, `AFTER1`, `AFTER2`), and a row is finished when
the row below it in memory has been looked at.
"""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.jump.settings import (
    JumpSettings,
    JumpTally,
    Method,
    check_band,
    choose_method,
    flag_missing_gain,
)
from webbcal.kernels.sortnet import LANES, middle, sort_columns

DNU = np.uint8(dqflags.group["DO_NOT_USE"])
JUMP = np.uint8(dqflags.group["JUMP_DET"])
BAD = np.uint8(dqflags.group["DO_NOT_USE"] | dqflags.group["SATURATED"])

SPREAD, AFTER1, AFTER2 = np.uint8(1), np.uint8(2), np.uint8(4)
CLIP_ITERATIONS = 5
_SINGLE_PASS, _SIGMA_CLIP = int(Method.SINGLE_PASS), int(Method.SIGMA_CLIP)


@helper
def _load_differences(data, groupdq, gain, row, x0, lanes, diff):  # type: ignore[no-untyped-def]
    """Fill `diff` with differences in electrons; NaN where one of the two groups is unusable."""
    nints, ngroups = data.shape[0], data.shape[1]
    for i in range(nints):
        for j in range(ngroups - 1):
            k = i * (ngroups - 1) + j
            for x in range(lanes):
                g = gain[row, x0 + x]
                step = data[i, j + 1, row, x0 + x] * g - data[i, j, row, x0 + x] * g
                dq = groupdq[i, j + 1, row, x0 + x] | groupdq[i, j, row, x0 + x]
                diff[k, x] = step if (dq & BAD) == 0 else np.float32(np.nan)


@helper
def _sort(diff, first, step, n, absolute, finite, ordered, count):  # type: ignore[no-untyped-def]
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
    sort_columns(ordered, n)


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
def _clip_bounds(ordered, x, n, nsigma):  # type: ignore[no-untyped-def]
    """Return the bounds of lane `x` by iterated clipping about the median (NaN without usable values)."""
    lo, hi = 0, n
    low = high = np.nan
    for _ in range(CLIP_ITERATIONS):
        if hi == lo:
            break
        mean = 0.0
        for k in range(lo, hi):
            mean += ordered[k, x]
        mean /= hi - lo
        square = 0.0
        for k in range(lo, hi):
            square += (mean - ordered[k, x]) * (mean - ordered[k, x])
        median, sigma = middle(ordered, x, lo, hi), np.sqrt(square / (hi - lo))
        low, high = median - nsigma * sigma, median + nsigma * sigma
        before = hi - lo
        while hi > lo and not ordered[hi - 1, x] <= high:
            hi -= 1
        while lo < hi and not ordered[lo, x] >= low:
            lo += 1
        if hi - lo == before:
            break
    return low, high


@helper
def _mark_quiet(ordered, count, variance, n, limit, quiet):  # type: ignore[no-untyped-def]
    """Find lanes in which all `n` differences are usable and none is a jump.

    That is most of them; this is the first round of `_iterative_bounds` for all lanes at once.
    """
    low, high = (n - 2) // 2, (n - 1) // 2  # around the middle of all but the largest
    for x in range(LANES):
        largest = ordered[n - 1, x]
        median = (np.float64(ordered[low, x]) + np.float64(ordered[high, x])) / 2.0
        sigma = np.sqrt(median + variance[x])
        below = abs(np.float32(ordered[0, x] - median))
        above = abs(np.float32(largest - median))
        worst = np.float64(above if above > below else below)
        usual = count[x] == n and ordered[n - 2, x] < largest
        quiet[x] = usual and not worst / sigma > limit


@helper
def _flag_iterative(diff, groupdq, row, x0, lanes, ordered, count, variance, thresholds, bounds, quiet):  # type: ignore[no-untyped-def]
    nk = diff.shape[0]
    ndiffs = groupdq.shape[1] - 1
    _sort(diff, 0, 1, nk, True, False, ordered, count)
    for x in range(LANES):
        quiet[x] = False
    if nk >= 4:
        _mark_quiet(ordered, count, variance, nk, thresholds[2], quiet)
    found = False
    for x in range(lanes):
        low, high = np.float32(-np.inf), np.float32(np.inf)
        if not quiet[x]:
            low, high = _iterative_bounds(ordered, x, count[x], variance[x], thresholds)
            found = found or low > -np.inf or high < np.inf
        bounds[0, x], bounds[1, x] = low, high
    if not found:
        return
    for k in range(nk):
        i, j = k // ndiffs, k % ndiffs + 1
        for x in range(lanes):
            size = abs(diff[k, x])
            outside = size < bounds[0, x] or size > bounds[1, x]
            groupdq[i, j, row, x0 + x] |= JUMP if outside else np.uint8(0)


@helper
def _flag_single_pass(diff, groupdq, row, x0, lanes, ordered, count, median, sigma, limit):  # type: ignore[no-untyped-def]
    nk = diff.shape[0]
    ndiffs = groupdq.shape[1] - 1
    for x in range(lanes):
        n = count[x]
        if n == 0:
            continue
        below, above = abs(ordered[0, x] - median[x]), abs(ordered[n - 1, x] - median[x])
        if not (below / sigma[x] > limit or above / sigma[x] > limit):
            continue
        for k in range(nk):
            step = np.float64(diff[k, x])
            if np.isfinite(step) and abs(step - median[x]) / sigma[x] > limit:
                groupdq[k // ndiffs, k % ndiffs + 1, row, x0 + x] |= JUMP


@helper
def _flag_sigma_clip(diff, groupdq, row, x0, lanes, ordered, count, limit, only_ints):  # type: ignore[no-untyped-def]
    nints, ndiffs = groupdq.shape[0], groupdq.shape[1] - 1
    sets = ndiffs if only_ints else 1
    n = diff.shape[0] // sets
    for s in range(sets):
        # set s holds differences s, s + sets, ...: one a integration, or all of them
        _sort(diff, s, sets, n, False, True, ordered, count)
        for x in range(lanes):
            low, high = _clip_bounds(ordered, x, count[x], limit)
            if count[x] == 0 or (ordered[0, x] >= low and ordered[count[x] - 1, x] <= high):
                continue
            for k in range(s, nints * ndiffs, sets):
                step = np.float64(diff[k, x])
                if np.isfinite(step) and (step < low or step > high):
                    groupdq[k // ndiffs, k % ndiffs + 1, row, x0 + x] |= JUMP


@helper
def _measure(diff, groupdq, row, x0, lanes, median, sigma, neighbours, electrons, marks):  # type: ignore[no-untyped-def]
    """Note what each sample may do to others; `neighbours` and `electrons` are ranges and thresholds."""
    ndiffs = groupdq.shape[1] - 1
    for k in range(diff.shape[0]):
        i, j = k // ndiffs, k % ndiffs + 1
        for x in range(lanes):
            excess = np.float64(diff[k, x]) - median[x]
            mark = (AFTER1 if excess >= electrons[0] else np.uint8(0)) | (
                AFTER2 if excess >= electrons[1] else np.uint8(0)
            )
            if groupdq[i, j, row, x0 + x] & JUMP:
                ratio = abs(excess) / sigma[x]
                if ratio > neighbours[0] and ratio < neighbours[1]:
                    mark |= SPREAD
            marks[k, x0 + x + 1] = mark


@helper
def _flag_neighbours(groupdq, row, above, here, below):  # type: ignore[no-untyped-def]
    ndiffs = groupdq.shape[1] - 1
    for k in range(here.shape[0]):
        i, j = k // ndiffs, k % ndiffs + 1
        for x in range(groupdq.shape[3]):
            near = above[k, x + 1] | below[k, x + 1] | here[k, x] | here[k, x + 1] | here[k, x + 2]
            dq = groupdq[i, j, row, x]
            groupdq[i, j, row, x] = dq | (JUMP if (near & SPREAD) != 0 and (dq & BAD) == 0 else np.uint8(0))


@helper
def _flag_after(groupdq, row, here, groups1, groups2):  # type: ignore[no-untyped-def]
    """Flag groups after large jumps. Descending, so that a flag set here does not count as a jump."""
    nints, ngroups = groupdq.shape[0], groupdq.shape[1]
    for i in range(nints):
        for j in range(ngroups - 2, 0, -1):
            k = i * (ngroups - 1) + j - 1
            for x in range(groupdq.shape[3]):
                mark = here[k, x + 1] & (AFTER1 | AFTER2)
                if mark == 0 or (groupdq[i, j, row, x] & JUMP) == 0:
                    continue
                reach = max(groups1 if mark & AFTER1 else 0, groups2 if mark & AFTER2 else 0)
                for g in range(j + 1, min(j + reach, ngroups - 1) + 1):
                    if (groupdq[i, g, row, x] & BAD) == 0:
                        groupdq[i, g, row, x] |= JUMP


@helper
def _clear_redundant(groupdq, row):  # type: ignore[no-untyped-def]
    """Drop JUMP_DET where the sample is saturated or not to be used anyway."""
    for i in range(groupdq.shape[0]):
        for g in range(groupdq.shape[1]):
            for x in range(groupdq.shape[3]):
                dq = groupdq[i, g, row, x]
                groupdq[i, g, row, x] = dq & ~JUMP if (dq & BAD) != 0 else dq


@helper
def _clear_groups(groupdq, row, x0, lanes, cleared):  # type: ignore[no-untyped-def]
    for i in range(groupdq.shape[0]):
        for g in range(groupdq.shape[1]):
            if cleared[i, g]:
                for x in range(x0, x0 + lanes):
                    if groupdq[i, g, row, x] == JUMP:
                        groupdq[i, g, row, x] = np.uint8(0)


@helper
def _count_jumps(groupdq, row, first, last):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(groupdq.shape[0]):
        for g in range(groupdq.shape[1]):
            jumps = np.uint32(0)
            for x in range(first, last):
                jumps += np.uint32((groupdq[i, g, row, x] & JUMP) != 0)
            total += jumps
    return total


@helper
def _update_full(groupdq, row, first, last, full):  # type: ignore[no-untyped-def]
    """Forget groups in which a counted pixel of this row is neither JUMP_DET nor DO_NOT_USE."""
    for i in range(groupdq.shape[0]):
        for g in range(groupdq.shape[1]):
            for x in range(first, last):
                if (groupdq[i, g, row, x] & (JUMP | DNU)) == 0:
                    full[i, g] = False
                    break


@helper
def _finish_row(groupdq, row, marks, flag_neighbours, groups1, groups2):  # type: ignore[no-untyped-def]
    rows = groupdq.shape[2]
    above = marks[(row - 1) % 3] if row > 0 else marks[3]
    below = marks[(row + 1) % 3] if row + 1 < rows else marks[3]
    here = marks[row % 3]
    if flag_neighbours:
        _flag_neighbours(groupdq, row, above, here, below)
    if groups1 > 0 or groups2 > 0:
        _flag_after(groupdq, row, here, groups1, groups2)
    _clear_redundant(groupdq, row)


@helper
def _statistics(gain, readnoise, row, x0, lanes, nframes, ordered, count, median, sigma, variance):  # type: ignore[no-untyped-def]
    """Median difference, read noise variance, and sigma of each lane (NaN instead of 0: nothing to test)."""
    for x in range(lanes):
        noise = readnoise[row, x0 + x] * gain[row, x0 + x]
        variance[x] = np.float64(noise * noise) / nframes
        median[x] = middle(ordered, x, 0, count[x])
        both = np.sqrt(abs(median[x]) + variance[x])
        sigma[x] = both if both != 0.0 else np.nan


def _scratch(nk: int, nx: int) -> tuple[np.ndarray, ...]:
    """Return the scratch arrays of `_detect`; numba would compile each kind of allocation anew."""
    return (
        np.zeros((4, nk, nx + 2), np.uint8),  # marks of rows r-1, r, r+1 by r % 3, and one that stays zero
        np.zeros((nk, LANES), np.float32),  # differences of a block
        np.zeros((nk, LANES), np.float32),  # the same, ordered
        np.zeros(LANES, np.int64),  # how many are usable
        np.zeros((2, LANES), np.float32),  # bounds
        np.zeros((3, LANES)),  # median, sigma, variance
        np.zeros(LANES, np.bool_),  # lanes without a jump
    )


@kernel
def _detect(  # type: ignore[no-untyped-def]
    data, groupdq, gain, readnoise, method, nframes, only_ints, thresholds, flag_neighbours, neighbours,
    electrons, groups, cleared, counted, full, block,
):  # fmt: skip
    nints, ngroups, rows, nx = data.shape
    nk = nints * (ngroups - 1)
    spreads = flag_neighbours or groups[0] > 0 or groups[1] > 0
    marks, diff, ordered, count, bounds, statistics, quiet = block
    median, sigma, variance = statistics[0], statistics[1], statistics[2]
    primary = 0
    for row in range(rows):
        for x0 in range(0, nx, LANES):
            n = min(LANES, nx - x0)
            _load_differences(data, groupdq, gain, row, x0, n, diff)
            _sort(diff, 0, 1, nk, False, False, ordered, count)
            _statistics(gain, readnoise, row, x0, n, nframes, ordered, count, median, sigma, variance)
            if method == _SIGMA_CLIP:
                _flag_sigma_clip(diff, groupdq, row, x0, n, ordered, count, thresholds[2], only_ints)
            elif method == _SINGLE_PASS:
                _flag_single_pass(diff, groupdq, row, x0, n, ordered, count, median, sigma, thresholds[2])
            else:
                _flag_iterative(
                    diff, groupdq, row, x0, n, ordered, count, variance, thresholds, bounds, quiet
                )
            _clear_groups(groupdq, row, x0, n, cleared)  # cleared jumps have no neighbours
            if spreads:
                _measure(diff, groupdq, row, x0, n, median, sigma, neighbours, electrons, marks[row % 3])
        if counted[0] <= row < counted[1]:
            primary += _count_jumps(groupdq, row, counted[2], counted[3])
            _update_full(groupdq, row, counted[2], counted[3], full)
        if row > 0:
            _finish_row(groupdq, row - 1, marks, flag_neighbours, groups[0], groups[1])
    if rows > 0:
        _finish_row(groupdq, rows - 1, marks, flag_neighbours, groups[0], groups[1])
    return primary


@kernel
def _clear_redundant_rows(groupdq):  # type: ignore[no-untyped-def]
    for row in range(groupdq.shape[2]):
        _clear_redundant(groupdq, row)


def detect_jumps(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    settings: JumpSettings,
    all_dnu_groups: np.ndarray,
    *,
    inner: Box | None = None,
    cleared_groups: np.ndarray | None = None,
) -> JumpTally:
    """Flag jumps of a band in `groupdq`, and pixels without gain in `pixeldq`, in place.

    Parameters
    ----------
    data : array of float32, shape (nints, ngroups, ny, nx)
        Ramps in DN; not changed.
    groupdq : array of uint8, like `data`
    pixeldq : array of uint32, shape (ny, nx)
    gain, readnoise : array of float32, shape (ny, nx)
        Electrons per DN, and noise of the difference of two frames in DN.
    settings : JumpSettings
    all_dnu_groups : array of bool, shape (nints, ngroups)
        Groups in which every pixel of the *frame* is DO_NOT_USE (a band cannot know).
    inner : Box, optional
        Pixels of the band to count in the tally: those that are not halo. Neighbours are right for all pixels
        but those at the border of the band (right for these too at the edges of the frame).
    cleared_groups : array of bool, shape (nints, ngroups), optional
        Groups whose JUMP_DET are dropped where no other flag is set; see `JumpTally.full_groups`.

    Returns
    -------
    JumpTally

    Raises
    ------
    ValueError
        If an array has another type, shape or memory layout than stated.
    """
    check_band(data, groupdq, pixeldq, gain, readnoise, all_dnu_groups)
    flag_missing_gain(pixeldq, gain)
    nints, ngroups = data.shape[:2]
    method = choose_method(settings, all_dnu_groups)
    full = np.full((nints, ngroups), method == Method.SIGMA_CLIP)
    if method == Method.NONE:
        _clear_redundant_rows(groupdq)
        return JumpTally(method, 0, full)
    box = inner or Box.of_shape(data.shape)
    counted = (box.y0, box.y1, box.x0, box.x1)
    cleared = np.zeros_like(full) if cleared_groups is None else np.ascontiguousarray(cleared_groups, bool)
    s = settings
    primary = _detect(
        data, groupdq, gain, readnoise, int(method), float(s.nframes), bool(s.only_use_ints),
        (float(s.three_group_rejection_threshold), float(s.four_group_rejection_threshold),
         float(s.rejection_threshold)),
        bool(s.flag_4_neighbors), (float(s.min_jump_to_flag_neighbors), float(s.max_jump_to_flag_neighbors)),
        (float(s.after_jump_electrons1), float(s.after_jump_electrons2)),
        (int(s.after_jump_groups1), int(s.after_jump_groups2)), cleared, counted, full,
        _scratch(nints * (ngroups - 1), data.shape[3]),
    )  # fmt: skip
    return JumpTally(method, int(primary), full)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    data, groupdq = np.zeros((1, 3, 1, 1), np.float32), np.zeros((1, 3, 1, 1), np.uint8)
    pixel, groups = np.ones((1, 1), np.float32), np.zeros((1, 3), np.bool_)
    detect_jumps(data, groupdq, np.zeros((1, 1), np.uint32), pixel, pixel, JumpSettings(), groups)
    detect_jumps(data, groupdq, np.zeros((1, 1), np.uint32), pixel, pixel, JumpSettings(), ~groups)
