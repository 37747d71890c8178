"""Jump detection, compiled.

Pixels of a row that surely have no jump are passed over (see `columns`). Others are worked on in blocks of
`LANES`, with a copy of their differences and flags: jumps are found in them (`methods`), and then it is told
what these do to other samples (`spreading`).
"""

from __future__ import annotations

import numpy as np

from webbcal.core.box import Box
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.jump.columns import choose, gather, read_variance, scatter
from webbcal.kernels.jump.methods import find_large, flag_jumps, sort_lanes
from webbcal.kernels.jump.settings import (
    JumpSettings,
    JumpTally,
    Method,
    check_band,
    choose_method,
    flag_missing_gain,
)
from webbcal.kernels.jump.spreading import (
    clear_first_groups,
    clear_groups,
    clear_redundant,
    count_jumps,
    finish_row,
    mark_jumps,
    update_full,
)
from webbcal.kernels.sortnet import LANES, mean_of_places, median_of_many, middle, network

#: Differences that are sorted for their median.
FEW = 512
_ITERATIVE, _SINGLE_PASS, _SIGMA_CLIP = (
    int(method) for method in (Method.ITERATIVE, Method.SINGLE_PASS, Method.SIGMA_CLIP)
)


@helper
def _medians(diff, lanes, comparisons, ordered, count, column, median):  # type: ignore[no-untyped-def]
    """Median of the usable differences of each lane; very many are not sorted but for the ends."""
    nk = diff.shape[0]
    if nk <= FEW:
        sort_lanes(diff, 0, 1, nk, False, False, comparisons, ordered, count)
        for x in range(lanes):
            median[x] = middle(ordered, x, 0, count[x])
        return
    for x in range(lanes):
        _median_of_lane(diff, x, ordered, count, column, median)


@helper
def _median_of_lane(diff, x, ordered, count, column, median):  # type: ignore[no-untyped-def]
    """Median of the usable differences of a lane; only its ends are ordered."""
    n, low, high = 0, np.float32(np.inf), np.float32(-np.inf)
    for k in range(diff.shape[0]):
        value = diff[k, x]
        column[n] = value
        if value == value:
            low, high = min(low, value), max(high, value)
            n += 1
    count[x], median[x] = n, median_of_many(column, n)
    if n > 0:
        ordered[0, x] = low
        ordered[n - 1, x] = high


@helper
def _median_between(diff, x, low, high, column):  # type: ignore[no-untyped-def]
    """Median of the usable differences of a lane, if it lies between bounds, else NaN."""
    n, below, inside = 0, 0, 0
    for k in range(diff.shape[0]):
        value = diff[k, x]
        column[inside] = value
        n += 1 if value == value else 0
        below += 1 if value < low else 0
        inside += 1 if value >= low and value <= high else 0
    upper, lower = n // 2 - below, (n - 1) // 2 - below
    if n < 1 or lower < 0 or upper >= inside:
        return np.nan
    return mean_of_places(column, inside, lower, upper)


@helper
def _needed_medians(diff, flags, lanes, bounds, variance, least, large, ordered, count, column, median):  # type: ignore[no-untyped-def]
    """Medians of the lanes whose jumps may have neighbours; of others NaN, which no jump is far from."""
    find_large(diff, flags, lanes, bounds, variance, least, large)
    for x in range(lanes):
        median[x] = np.nan
        if not large[x]:
            continue
        median[x] = _median_between(diff, x, bounds[0, x], bounds[1, x], column)
        if median[x] != median[x]:
            _median_of_lane(diff, x, ordered, count, column, median)


@helper
def _statistics(gain, readnoise, row, columns, lanes, nframes, median, sigma, variance):  # type: ignore[no-untyped-def]
    """Read noise variance, and sigma of each lane (NaN instead of 0: nothing to test)."""
    for x in range(lanes):
        variance[x] = read_variance(gain[row, columns[x]], readnoise[row, columns[x]], nframes)
        both = np.sqrt(abs(median[x]) + variance[x])
        sigma[x] = both if both != 0.0 else np.nan


def _scratch(nk: int, nx: int, window: int, part: int) -> tuple[np.ndarray, ...]:
    """Return the scratch arrays of `_detect`; numba would compile each kind of allocation anew.

    `part` is how many differences are compared with each other where that are not all `nk`, else 0.
    """
    sorts_all = nk <= FEW or part == 0 or window > 0
    return (
        np.zeros((4, nk, nx + 2), np.uint8),  # marks of rows r-1, r, r+1 by r % 3, and one that stays zero
        np.zeros((nk, LANES), np.float32),  # differences of a block
        np.zeros((nk, LANES), np.uint8),  # flags of the later groups
        np.zeros((nk, LANES), np.float32),  # the differences, ordered
        np.zeros(LANES, np.int64),  # how many are usable
        np.zeros((2, LANES), np.float32),  # bounds
        np.zeros((3, LANES)),  # median, sigma, variance
        np.zeros(LANES, np.bool_),  # lanes without a jump
        np.zeros((7, LANES), np.float32),  # what that is told from
        np.arange(nx),  # columns that are looked at
        np.zeros((window, LANES), np.float32),  # differences around one in time
        np.zeros((nk if window else 0, LANES)),  # their medians
        np.zeros(nk + 1, np.float32),  # the differences of one lane
        network(nk if sorts_all else 0),  # what sorts all differences
        network(part),  # and those that are compared
        np.zeros((3, LANES), np.int64),  # of clipping: first value left, end of them, whether it goes on
        np.zeros((4, LANES)),  # mean, sum of squares, bounds
    )


@kernel
def _detect(  # type: ignore[no-untyped-def]
    data, groupdq, gain, readnoise, method, nframes, only_ints, thresholds, flag_neighbours, neighbours,
    electrons, groups, cleared, counted, full, block,
):  # fmt: skip
    rows, nx = data.shape[2:]
    ndiffs = data.shape[1] - 1
    lasting = groups[0] > 0 or groups[1] > 0
    spreads = flag_neighbours or lasting
    marks, diff, flags, ordered, count, bounds, statistics, quiet, look, chosen = block[:10]
    window, running, column, whole, part, places, clip = block[10:]
    median, sigma, variance = statistics[0], statistics[1], statistics[2]
    choosy = not lasting and method in (_SINGLE_PASS, _ITERATIVE)
    needs_medians = lasting or method != _SIGMA_CLIP  # of all lanes
    primary = 0
    for row in range(rows):
        here = marks[row % 3]
        if spreads:
            here[:] = np.uint8(0)
        looked_at = nx
        if choosy:
            scratch = (diff, variance, count, look, quiet)
            absolute = method == _ITERATIVE
            looked_at = choose(
                data, groupdq, gain, readnoise, row, nframes, absolute, thresholds[2], scratch, chosen
            )
        for start in range(0, looked_at, LANES):
            n = min(LANES, looked_at - start)
            columns = chosen[start : start + n]
            gather(data, groupdq, gain, row, columns, n, diff, flags)
            if needs_medians:
                _medians(diff, n, whole, ordered, count, column, median)
            _statistics(gain, readnoise, row, columns, n, nframes, median, sigma, variance)
            flag_jumps(
                method, diff, flags, n, only_ints, ndiffs, whole, part, ordered, count, variance, median,
                sigma, thresholds, bounds, window, running, places, clip,
            )  # fmt: skip
            clear_groups(flags, n, ndiffs, cleared)  # cleared jumps have no neighbours
            if spreads and not needs_medians:
                _needed_medians(
                    diff, flags, n, bounds, variance, neighbours[0], quiet, ordered, count, column, median
                )
                _statistics(gain, readnoise, row, columns, n, nframes, median, sigma, variance)
            if spreads:
                mark_jumps(diff, flags, columns, n, median, sigma, neighbours, electrons, lasting, here)
            scatter(flags, groupdq, row, columns, n)
        clear_first_groups(groupdq, row, cleared)
        if counted[0] <= row < counted[1]:
            primary += count_jumps(groupdq, row, counted[2], counted[3])
            update_full(groupdq, row, counted[2], counted[3], full)
        if row > 0:
            finish_row(groupdq, row - 1, marks, flag_neighbours, groups[0], groups[1])
    if rows > 0:
        finish_row(groupdq, rows - 1, marks, flag_neighbours, groups[0], groups[1])
    return primary


@kernel
def _clear_redundant_rows(groupdq):  # type: ignore[no-untyped-def]
    for row in range(groupdq.shape[2]):
        clear_redundant(groupdq, row)


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
    window = 2 * (s.running_ints // 2) + 1 if method == Method.RUNNING else 0
    nk, part = nints * (ngroups - 1), min(window, nints)
    if method == Method.SIGMA_CLIP:
        part = nints if s.only_use_ints else nk
    primary = _detect(
        data, groupdq, gain, readnoise, int(method), float(s.nframes), bool(s.only_use_ints),
        (float(s.three_group_rejection_threshold), float(s.four_group_rejection_threshold),
         float(s.rejection_threshold)),
        bool(s.flag_4_neighbors), (float(s.min_jump_to_flag_neighbors), float(s.max_jump_to_flag_neighbors)),
        (float(s.after_jump_electrons1), float(s.after_jump_electrons2)),
        (int(s.after_jump_groups1), int(s.after_jump_groups2)), cleared, counted, full,
        _scratch(nk, data.shape[3], window, part),
    )  # fmt: skip
    return JumpTally(method, int(primary), full)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    data, groupdq = np.zeros((1, 3, 1, 1), np.float32), np.zeros((1, 3, 1, 1), np.uint8)
    pixel, groups = np.ones((1, 1), np.float32), np.zeros((1, 3), np.bool_)
    detect_jumps(data, groupdq, np.zeros((1, 1), np.uint32), pixel, pixel, JumpSettings(), groups)
    detect_jumps(data, groupdq, np.zeros((1, 1), np.uint32), pixel, pixel, JumpSettings(), ~groups)
