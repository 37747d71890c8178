"""The same as `webbcal.kernels.flicker.reference`, compiled.

Nothing is sorted in full. The background's values go once into narrow bins, in order of the bins (12 bytes a
pixel are moved: counted, placed, summed up). After that a median is looked for in one bin, a clipping divides
one bin at the limit, and a standard deviation adds up sums of bins; only the outermost bins, which have no
narrow limits, and those that a limit divides are read again. Bins are chosen by a sample of the values: if it
misleads, that costs time, no more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.flicker.reference import F32, ROUNDS, SIGMA, Mask, Statistics
from webbcal.kernels.sortnet import select

#: Bins for the values of an image, and how far they reach from the median, in standard deviations.
_BINS, _REACH = 2048, 6.0
#: Values that are looked at to choose bins.
_SAMPLE = 4096
#: Bins for the values of a line.
_LINE_BINS = 256
#: Columns that are cleaned together: what a line of the processor's cache holds.
_COLUMNS = 16


class _Binned(NamedTuple):
    """Values in order of their bins.

    Attributes
    ----------
    values : ndarray
        float32; what comes earlier in a bin than the limits that were looked for is below them.
    starts : ndarray
        int64, where bins begin, and the end of the last.
    sums : ndarray
        float64, (bins, 3): a value of the bin, and sums of what all are off it and of its squares.
    low, scale : float
        Where the first bin begins, and bins per unit.
    """

    values: F32
    starts: NDArray[np.int64]
    sums: NDArray[np.float64]
    low: float
    scale: float


def clipped_statistics(values: NDArray[np.floating]) -> Statistics:
    """As `reference.clipped_statistics`."""
    return Statistics(*_statistics(_binned(*_as_image(values)), False))


def lower_half_statistics(values: NDArray[np.floating]) -> Statistics:
    """As `reference.lower_half_statistics`."""
    return Statistics(*_statistics(_binned(*_as_image(values)), True))


def clip_to_background(image: F32, mask: Mask, below: float, above: float) -> None:
    """As `reference.clip_to_background`."""
    inplace(mask, np.bool_, 2, "mask")
    image = readable(image, np.float32, 2)
    if mask.any():
        _, median, std = _statistics(_binned(image, mask), True)
        _keep(image, mask, median - below * std, median + above * std)


def subtract_level(image: F32, mask: Mask, n_sigma: float) -> np.float32:
    """As `reference.subtract_level`."""
    inplace(image, np.float32, 2, "image")
    inplace(mask, np.bool_, 2, "mask")
    level, *limits = _levels(_binned(image, mask), float(n_sigma))
    _subtract(image, mask, level, *limits)
    return np.float32(level)


def subtract_stripes(image: F32, mask: Mask, axis: int, pieces: int) -> None:
    """As `reference.subtract_stripes`."""
    inplace(image, np.float32, 2, "image")
    mask = readable(mask, np.bool_, 2)
    subtract = _subtract_of_rows if axis == 1 else _subtract_of_columns
    subtract(image, mask, image.shape[axis] // pieces)


def medians(lines: F32) -> F32:
    """As `reference.medians`."""
    lines = readable(lines, np.float32, 2)
    found = np.empty(len(lines), np.float32)
    _medians(lines, found)
    return found


def _as_image(values: NDArray[np.floating]) -> tuple[F32, Mask]:
    image = np.ascontiguousarray(values, np.float32).reshape(1, -1)
    return image, np.ones(image.shape, np.bool_)


def _binned(image: F32, mask: Mask) -> _Binned:
    """Return the values of a mask in bins around their median."""
    step = image.size // _SAMPLE | 1
    sample = np.sort(image.ravel()[::step][mask.ravel()[::step]])
    bins = min(_BINS, image.size // 8 + 1)
    low, scale = 0.0, 0.0  # where nothing is known: one bin
    if sample.size:
        below, median, above = sample[[sample.size * k // 100 for k in (16, 50, 84)]].astype(float)
        low = median - _REACH * (above - below) / 2
        scale = bins / (_REACH * (above - below)) if above > below and np.isfinite(above - below) else 0.0
    starts = np.zeros(bins + 1, np.int64)
    _count(image, mask, low, scale, starts)
    values = np.empty(starts[-1], np.float32)
    _place(image, mask, low, scale, starts, values)
    return _Binned(values, starts, np.empty((bins, 3)), low, scale)


@kernel
def _count(image, mask, low, scale, starts):  # type: ignore[no-untyped-def]
    """Count the values of bins, and tell where they begin."""
    bins = len(starts) - 1
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if mask[y, x]:
                starts[_bin(image[y, x], low, scale, bins) + 1] += 1
    for b in range(bins):
        starts[b + 1] += starts[b]


@kernel
def _place(image, mask, low, scale, starts, values):  # type: ignore[no-untyped-def]
    bins = len(starts) - 1
    following = starts.copy()
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if mask[y, x]:
                b = _bin(image[y, x], low, scale, bins)
                values[following[b]] = image[y, x]
                following[b] += 1


@helper
def _bin(value, low, scale, bins):  # type: ignore[no-untyped-def]
    """Return the bin of a value; the outermost hold all that is beyond."""
    place = (np.float64(value) - low) * scale
    if place >= bins - 1:
        return bins - 1
    return np.int64(place) if place > 0 else np.int64(0)


@helper
def _add_up(binned):  # type: ignore[no-untyped-def]
    for b in range(1, len(binned.sums) - 1):
        first, last = binned.starts[b], binned.starts[b + 1]
        if first < last:
            some = np.float64(binned.values[first])
            binned.sums[b, 0] = some
            binned.sums[b, 1] = _sum(binned.values, first, last, some, False)
            binned.sums[b, 2] = _sum(binned.values, first, last, some, True)


@kernel
def _levels(binned, n_sigma):  # type: ignore[no-untyped-def]
    """Return the level, the limits of what it is taken from, and those of what stands out from it."""
    stop = len(binned.values)
    _add_up(binned)
    _, median, std = _run(binned, 0, stop, True)
    lower, upper = median - SIGMA * std, median + SIGMA * std
    first = _first(binned, 0, stop, lower, False)
    last = _first(binned, first, stop, upper, True)
    level = _nth(binned, first, last, (first + last) // 2)
    if (last - first) % 2 == 0:
        below = _nth(binned, first, last, (first + last) // 2 - 1)
        level = np.float32(np.float32(below + level) / np.float32(2.0))
    if n_sigma <= 0:
        return level, lower, upper, -np.inf, np.inf
    for k in range(stop):  # this keeps their order
        binned.values[k] -= level
    less = _Binned(binned.values, binned.starts, binned.sums, binned.low - np.float64(level), binned.scale)
    _add_up(less)
    _, median, std = _run(less, first, last, True)
    return level, lower, upper, median - n_sigma * std, median + n_sigma * std


@kernel
def _statistics(binned, half):  # type: ignore[no-untyped-def]
    _add_up(binned)
    return _run(binned, 0, len(binned.values), half)


@helper
def _run(binned, first, last, half):  # type: ignore[no-untyped-def]
    """Return the statistics of a range of values, or of their lower half mirrored."""
    mean, median, std = _clip(binned, first, last)
    if half:
        last = _first(binned, first, last, median, True)
        mean, median, std = _clip_mirrored(binned, first, last, median)
    return mean, median, std


@helper
def _clip(binned, start, stop):  # type: ignore[no-untyped-def]
    first, last = start, stop
    lower, upper = -np.inf, np.inf
    for _ in range(ROUNDS):
        _, median, std = _moments(binned, first, last)
        lower, upper = median - SIGMA * std, median + SIGMA * std
        before = last - first
        first = _first(binned, first, last, lower, False)
        last = _first(binned, first, last, upper, True)
        if last - first == before:
            break
    first = _first(binned, start, stop, lower, False)
    last = _first(binned, first, stop, upper, True)
    return _moments(binned, first, last)


@helper
def _clip_mirrored(binned, start, last, centre):  # type: ignore[no-untyped-def]
    """Clip values and their mirror images at a centre above them: what remains is symmetric."""
    first = start
    lower = -np.inf
    for _ in range(ROUNDS):
        _, median, std = _mirrored_moments(binned, first, last, centre)
        lower = median - SIGMA * std
        before = first
        first = _first(binned, first, last, lower, False)
        if first == before:
            break
    return _mirrored_moments(binned, _first(binned, start, last, lower, False), last, centre)


@helper
def _moments(binned, first, last):  # type: ignore[no-untyped-def]
    n = last - first
    middle = (first + last) // 2
    median = np.float64(_nth(binned, first, last, middle))
    if n % 2 == 0:
        median = 0.5 * (median + np.float64(_nth(binned, first, last, middle - 1)))
    mean = _sum_of_range(binned, first, last, 0.0, False) / n
    return mean, median, np.sqrt(_sum_of_range(binned, first, last, mean, True) / n)


@helper
def _mirrored_moments(binned, first, last, centre):  # type: ignore[no-untyped-def]
    off = np.float64(_nth(binned, first, last, last - 1)) - centre
    median = 0.5 * ((off + centre) + (centre - off))
    return centre, median, np.sqrt(_sum_of_range(binned, first, last, centre, True) / (last - first))


@helper
def _sum_of_range(binned, first, last, mean, squared):  # type: ignore[no-untyped-def]
    """Return the sum of what values are off a mean, or of its squares."""
    total = 0.0
    bins = len(binned.sums)
    for b in range(bins):
        start, stop = max(first, binned.starts[b]), min(last, binned.starts[b + 1])
        n = stop - start
        if n <= 0:
            continue
        if 0 < b < bins - 1 and n == binned.starts[b + 1] - binned.starts[b]:
            off = binned.sums[b, 0] - mean
            if squared:
                total += max(binned.sums[b, 2] + 2.0 * off * binned.sums[b, 1] + n * off * off, 0.0)
            else:
                total += binned.sums[b, 1] + n * off
        else:
            total += _sum(binned.values, start, stop, mean, squared)
    return total


@helper
def _sum(values, first, last, mean, squared):  # type: ignore[no-untyped-def]
    """Return the same of values that are read; in four parts, for speed."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = last - (last - first) % 4
    if squared:
        for k in range(first, whole, 4):
            a += (np.float64(values[k]) - mean) ** 2
            b += (np.float64(values[k + 1]) - mean) ** 2
            c += (np.float64(values[k + 2]) - mean) ** 2
            d += (np.float64(values[k + 3]) - mean) ** 2
        for k in range(whole, last):
            a += (np.float64(values[k]) - mean) ** 2
    else:
        for k in range(first, whole, 4):
            a += np.float64(values[k]) - mean
            b += np.float64(values[k + 1]) - mean
            c += np.float64(values[k + 2]) - mean
            d += np.float64(values[k + 3]) - mean
        for k in range(whole, last):
            a += np.float64(values[k]) - mean
    return (a + b) + (c + d)


@helper
def _first(binned, first, last, limit, beyond):  # type: ignore[no-untyped-def]
    """Divide a range at a limit; return where values at or above it (`beyond`: above it) begin."""
    bins = len(binned.sums)
    near = _bin(limit, binned.low, binned.scale, bins)  # or a neighbour, by rounding
    for b in range(max(near - 1, 0), min(near + 2, bins)):
        start, stop = max(first, binned.starts[b]), min(last, binned.starts[b + 1])
        divided = _divide(binned.values, start, stop, limit, beyond)
        if divided < stop:
            return divided
    return max(first, min(last, binned.starts[min(near + 2, bins)]))


@helper
def _divide(values, start, stop, limit, beyond):  # type: ignore[no-untyped-def]
    """Move values below a limit to the front; return where the others begin."""
    following = start
    for k in range(start, stop):
        value = values[k]
        if value < limit or (beyond and value == limit):
            values[k] = values[following]
            values[following] = value
            following += 1
    return following


@helper
def _nth(binned, first, last, wanted):  # type: ignore[no-untyped-def]
    """Return what would be at a place if the range were sorted."""
    b = np.searchsorted(binned.starts, wanted, side="right") - 1
    start, stop = max(first, binned.starts[b]), min(last, binned.starts[b + 1])
    return select(binned.values, start, stop, wanted)


@kernel
def _keep(image, mask, lower, upper):  # type: ignore[no-untyped-def]
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            mask[y, x] &= lower <= image[y, x] <= upper


@kernel
def _subtract(image, mask, level, lower, upper, faint, bright):  # type: ignore[no-untyped-def]
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            value = image[y, x]
            left = np.float32(value - level)
            image[y, x] = left
            mask[y, x] &= (lower <= value) & (value <= upper) & (faint <= left) & (left <= bright)


@kernel
def _subtract_of_rows(image, mask, size):  # type: ignore[no-untyped-def]
    line, counts = np.empty(size, np.float32), np.empty(_LINE_BINS + 1, np.int64)
    for y in range(image.shape[0]):
        for start in range(0, image.shape[1], size):
            count = 0
            for x in range(start, start + size):
                line[count] = image[y, x]
                count += mask[y, x]
            if count > 0:
                stripe = _median(line, count, counts)
                for x in range(start, start + size):
                    image[y, x] -= stripe


@kernel
def _subtract_of_columns(image, mask, size):  # type: ignore[no-untyped-def]
    lines, count = np.empty((_COLUMNS, size), np.float32), np.empty(_COLUMNS, np.int64)
    stripe, counts = np.empty(_COLUMNS, np.float32), np.empty(_LINE_BINS + 1, np.int64)
    for x0 in range(0, image.shape[1], _COLUMNS):
        columns = min(_COLUMNS, image.shape[1] - x0)
        for start in range(0, image.shape[0], size):
            count[:] = 0
            for y in range(start, start + size):
                for k in range(columns):
                    lines[k, count[k]] = image[y, x0 + k]
                    count[k] += mask[y, x0 + k]
            for k in range(columns):
                stripe[k] = _median(lines[k], count[k], counts) if count[k] > 0 else np.float32(0.0)
            for y in range(start, start + size):
                for k in range(columns):
                    image[y, x0 + k] -= stripe[k]


@kernel
def _medians(lines, found):  # type: ignore[no-untyped-def]
    line, counts = np.empty(lines.shape[1], np.float32), np.empty(_LINE_BINS + 1, np.int64)
    for y in range(lines.shape[0]):
        count = 0
        for x in range(lines.shape[1]):
            line[count] = lines[y, x]
            count += not np.isnan(lines[y, x])
        found[y] = _median(line, count, counts) if count > 0 else np.float32(np.nan)


@helper
def _median(line, count, counts):  # type: ignore[no-untyped-def]
    """Return the median of some values, which are moved: all but those of its bins are left out first."""
    low, high = line[0], line[0]
    for k in range(1, count):
        low, high = min(low, line[k]), max(high, line[k])
    even, rank = count % 2 == 0, count // 2
    if high > low and count > _LINE_BINS:
        scale = _LINE_BINS / (np.float64(high) - np.float64(low))
        counts[:] = 0
        for k in range(count):
            counts[_bin(line[k], low, scale, _LINE_BINS)] += 1
        b, before = 0, 0
        while before + counts[b] <= rank - even:
            before += counts[b]
            b += 1
        lowest, within = b, before
        while within + counts[b] <= rank:
            within += counts[b]
            b += 1
        kept = 0
        for k in range(count):
            value = line[k]
            line[kept] = value
            kept += lowest <= _bin(value, low, scale, _LINE_BINS) <= b
        count, rank = kept, rank - before
    upper = select(line, 0, count, rank)
    if not even:
        return upper
    lower = line[0]  # the values before the upper of the two in the middle are all below it
    for k in range(1, rank):
        lower = max(lower, line[k])
    return np.float32(np.float32(lower + upper) / np.float32(2.0))


def warm_up() -> None:
    """Compile what is not compiled yet."""
    image, mask = np.zeros((2, 2), np.float32), np.ones((2, 2), np.bool_)
    clipped_statistics(image[0])
    clip_to_background(image, mask, 1.0, 1.0)
    subtract_level(image, mask, 2.0)
    subtract_stripes(image, mask, 1, 1)
    subtract_stripes(image, mask, 0, 1)
    medians(image)
