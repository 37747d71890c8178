"""Moments and histograms of parts of an image, compiled: see `.reference` for the definition.

The pixels of an image are cut into square blocks, and the values of each block are sorted once, with running
sums. Whatever the limits, the moments of a block are then differences of sums, found by bisection; a part of
the image is made of whole blocks, and of the pixels at its border, which become one more sorted piece.

Sums run in an order of their own, so they agree with the reference to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.distribution.reference import Clipped, Moments, bounds

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

#: Rows and columns of a block: few blocks, and few pixels at borders.
_BLOCK = 64
#: Sums are kept at every so many values of a piece, counted from its centre.
_STEP = 8


class Pieces:
    """Values in pieces, each sorted.

    Parameters
    ----------
    values : (n,) float32
        Finite values, piece by piece; taken over and sorted.
    starts : (pieces + 1,) int64
        Where each piece begins, and the last ends.
    centre : float, optional
        What the sums are relative to; by default a typical value.
    """

    def __init__(self, values: F32, starts: I64, centre: float | None = None) -> None:
        for a, b in pairwise(starts):
            values[a:b].sort()
        self.values, self.starts = values, starts
        if centre is None:
            filled = starts[:-1][np.diff(starts) > 0]
            middles = (filled + starts[1:][np.diff(starts) > 0]) // 2
            centre = float(np.median(values[middles])) if len(middles) else 0.0
        self.centre = centre
        self.sums = np.empty((len(values) // _STEP + len(starts), 2))
        _accumulate(values, starts, centre, self.sums)

    @classmethod
    def of_boxes(cls, data: F32, good: Bool, box: tuple[int, int]) -> Pieces:
        """Return the good pixels of an image by boxes, row by row of boxes; those at far edges are cut off.

        Parameters
        ----------
        data : (ny, nx) float32
        good : (ny, nx) bool
            Pixels to use; their values are finite.
        box : tuple of int
            Rows and columns of a box.
        """
        (ny, nx), (rows, columns) = data.shape, box
        values = np.empty(int(np.count_nonzero(good)), np.float32)
        starts = np.zeros(-(-ny // rows) * -(-nx // columns) + 1, np.int64)
        _gather(readable(data, np.float32, 2), readable(good, np.bool_, 2), rows, columns, values, starts)
        return cls(values, starts)


@dataclass(frozen=True)
class Part:
    """Values to be described: some pieces of several lots.

    Attributes
    ----------
    first : float32
        The first value, as the definition of `reference.moments` needs it.
    pieces : sequence of (Pieces, int64 array)
        Lots, and the numbers of their pieces.
    """

    first: np.float32
    pieces: Sequence[tuple[Pieces, I64]]

    @property
    def size(self) -> int:
        """Number of values."""
        return sum(int((p.starts[chosen + 1] - p.starts[chosen]).sum()) for p, chosen in self.pieces)

    @classmethod
    def of(cls, values: F32) -> Part:
        """Return the part that is all of some finite values; they stay as they are."""
        pieces = Pieces(np.array(values, np.float32), np.array([0, len(values)]))
        return cls(values[0] if len(values) else np.float32(0), [(pieces, np.zeros(1, np.int64))])


class ImageValues:
    """The good pixels of an image, ready for statistics of its parts.

    Parameters
    ----------
    data : (ny, nx) float32
    good : (ny, nx) bool
        Pixels to use; their values are finite.
    """

    def __init__(self, data: F32, good: Bool) -> None:
        self._data, self._good = readable(data, np.float32, 2), readable(good, np.bool_, 2)
        self._blocks = Pieces.of_boxes(self._data, self._good, (_BLOCK, _BLOCK))

    def whole(self) -> Part:
        """Return all good pixels."""
        first = self._data.reshape(-1)[self._good.argmax()]
        return Part(first, [(self._blocks, np.arange(len(self._blocks.starts) - 1))])

    def within(self, inside: Bool) -> Part:
        """Return the good pixels within a mask."""
        chosen = np.zeros(len(self._blocks.starts) - 1, np.bool_)
        limit = min(int(np.count_nonzero(inside)), self._blocks.values.size)
        loose = np.empty(limit, np.float32)
        number, first = _split(self._data, self._good, readable(inside, np.bool_, 2), chosen, loose)
        border = Pieces(loose[:number], np.array([0, number]), self._blocks.centre)
        return Part(first, [(self._blocks, np.flatnonzero(chosen)), (border, np.zeros(1, np.int64))])


def moments(part: Part, lower: float, upper: float) -> Moments:
    """Return the moments of the values from `lower` to `upper`; as `reference.moments`."""
    low, high = np.float32(lower), np.float32(upper)
    smallest, largest = max(low, part.first), min(high, part.first)
    count, total, squares = 0, 0.0, 0.0
    centre = part.pieces[0][0].centre
    for lot, chosen in part.pieces:
        n, first, second, least, most = _moments(
            lot.values, lot.starts, lot.sums, lot.centre, chosen, low, high
        )
        count, total, squares = count + n, total + first, squares + second
        smallest, largest = min(smallest, least), max(largest, most)
    if not count:
        return Moments(0, np.float32(np.nan), np.float32(np.nan), smallest, largest)
    mean = np.float32(centre + total / count)
    shift = float(mean) - centre
    squares += shift * (count * shift - 2.0 * total)
    stddev = np.sqrt(max(squares, 0.0) / (count - 1)) if count > 1 else np.nan
    return Moments(count, mean, np.float32(stddev), smallest, largest)


def histogram(part: Part, nbins: int, width: float, start: float) -> I64:
    """Return how many values fall into each bin; as `reference.histogram`."""
    counts = np.zeros(nbins, np.int64)
    for lot, chosen in part.pieces:
        _histogram(lot.values, lot.starts, chosen, *bounds(nbins, width, start), counts)
    return counts


def clipped(pieces: Pieces, sigma: float, rounds: int) -> list[Clipped]:
    """Return what is left of each piece after clipping about its median; as `reference.clipped`."""
    numbers = np.empty((len(pieces.starts) - 1, 4))
    _clipped(pieces.values, pieces.starts, pieces.sums, pieces.centre, float(sigma), int(rounds), numbers)
    return [Clipped(int(n), mean, stddev, np.float32(middle)) for n, mean, stddev, middle in numbers]


def between(part: Part, lower: float, upper: float) -> F32:
    """Return the values from `lower` to `upper`, in no particular order."""
    kept = []
    for lot, chosen in part.pieces:
        for k in chosen:
            piece = lot.values[lot.starts[k] : lot.starts[k + 1]]
            kept.append(piece[np.searchsorted(piece, lower, "left") : np.searchsorted(piece, upper, "right")])
    return np.concatenate(kept)


@kernel
def _gather(data, good, rows, columns, values, starts):  # type: ignore[no-untyped-def]
    ny, nx = data.shape
    count, box = 0, 0
    for y0 in range(0, ny, rows):
        for x0 in range(0, nx, columns):
            for y in range(y0, min(y0 + rows, ny)):
                for x in range(x0, min(x0 + columns, nx)):
                    if good[y, x]:
                        values[count] = data[y, x]
                        count += 1
            box += 1
            starts[box] = count


@kernel
def _accumulate(values, starts, centre, sums):  # type: ignore[no-untyped-def]
    # From the centre outwards: what is far off does not drown the rest before limits leave it out.
    for p in range(starts.size - 1):
        start, stop = starts[p], starts[p + 1]
        middle = _from(values, start, stop, np.float32(centre))
        node = start // _STEP + p + (middle - start) // _STEP
        first = second = 0.0
        sums[node, 0] = sums[node, 1] = 0.0
        for k in range(1, stop - middle + 1):
            off = np.float64(values[middle + k - 1]) - centre
            first, second = first + off, second + off * off
            if k % _STEP == 0:
                sums[node + k // _STEP, 0], sums[node + k // _STEP, 1] = first, second
        first = second = 0.0
        for k in range(1, middle - start + 1):
            off = np.float64(values[middle - k]) - centre
            first, second = first - off, second - off * off
            if k % _STEP == 0:
                sums[node - k // _STEP, 0], sums[node - k // _STEP, 1] = first, second


@helper
def _sums_before(values, sums, centre, middle, node, k):  # type: ignore[no-untyped-def]
    """Return the sums, from the centre to a place, of differences from it and of their squares."""
    steps = abs(k - middle) // _STEP
    if k < middle:
        first, second = sums[node - steps, 0], sums[node - steps, 1]
        for j in range(k, middle - steps * _STEP):
            off = np.float64(values[j]) - centre
            first, second = first - off, second - off * off
    else:
        first, second = sums[node + steps, 0], sums[node + steps, 1]
        for j in range(middle + steps * _STEP, k):
            off = np.float64(values[j]) - centre
            first, second = first + off, second + off * off
    return first, second


@kernel
def _split(data, good, inside, chosen, loose):  # type: ignore[no-untyped-def]
    """Tell which blocks are wholly inside; collect the good pixels inside of the others."""
    ny, nx = data.shape
    count, block = 0, 0
    for y0 in range(0, ny, _BLOCK):
        for x0 in range(0, nx, _BLOCK):
            y1, x1 = min(y0 + _BLOCK, ny), min(x0 + _BLOCK, nx)
            number = 0
            for y in range(y0, y1):
                for x in range(x0, x1):
                    number += inside[y, x]
            if number == (y1 - y0) * (x1 - x0):
                chosen[block] = True
            elif number > 0:
                for y in range(y0, y1):
                    for x in range(x0, x1):
                        if inside[y, x] and good[y, x]:
                            loose[count] = data[y, x]
                            count += 1
            block += 1
    for y in range(ny):
        for x in range(nx):
            if inside[y, x] and good[y, x]:
                return count, data[y, x]
    return count, np.float32(0)


@kernel
def _moments(values, starts, sums, centre, chosen, lower, upper):  # type: ignore[no-untyped-def]
    count, first, second = 0, 0.0, 0.0
    smallest, largest = np.float32(np.inf), np.float32(-np.inf)
    for p in chosen:
        start, stop = starts[p], starts[p + 1]
        i = _from(values, start, stop, lower)
        j = _beyond(values, i, stop, upper)
        if j > i:
            middle = _from(values, start, stop, np.float32(centre))
            node = start // _STEP + p + (middle - start) // _STEP
            before = _sums_before(values, sums, centre, middle, node, i)
            after = _sums_before(values, sums, centre, middle, node, j)
            count += j - i
            first, second = first + after[0] - before[0], second + after[1] - before[1]
            smallest, largest = min(smallest, values[i]), max(largest, values[j - 1])
    return count, first, second, smallest, largest


@kernel
def _clipped(values, starts, sums, centre, sigma, rounds, out):  # type: ignore[no-untyped-def]
    for p in range(starts.size - 1):
        start, stop = starts[p], starts[p + 1]
        origin = _from(values, start, stop, np.float32(centre))
        node = start // _STEP + p + (origin - start) // _STEP
        i, j, lower, upper = start, stop, -np.inf, np.inf
        for _ in range(rounds):
            if i == j:
                break
            reach = sigma * _mean_and_spread(values, sums, centre, origin, node, i, j)[1]
            lower, upper = _middle(values, i, j) - reach, _middle(values, i, j) + reach
            before = j - i
            i, j = _from(values, i, j, lower), _beyond(values, i, j, upper)
            if j - i == before:
                break
        i, j = _from(values, start, stop, lower), _beyond(values, start, stop, upper)
        out[p, 0] = j - i
        out[p, 1], out[p, 2] = _mean_and_spread(values, sums, centre, origin, node, i, j)
        out[p, 3] = np.float64(np.float32(_middle(values, i, j))) if j > i else np.nan


@helper
def _mean_and_spread(values, sums, centre, origin, node, i, j):  # type: ignore[no-untyped-def]
    """Return mean and standard deviation of a stretch of a piece; NaN if it is empty."""
    if i == j:
        return np.nan, np.nan
    before = _sums_before(values, sums, centre, origin, node, i)
    after = _sums_before(values, sums, centre, origin, node, j)
    shift = (after[0] - before[0]) / (j - i)
    return centre + shift, np.sqrt(max((after[1] - before[1]) / (j - i) - shift * shift, 0.0))


@helper
def _middle(values, i, j):  # type: ignore[no-untyped-def]
    half = (i + j) // 2
    if (j - i) % 2:
        return np.float64(values[half])
    return 0.5 * (np.float64(values[half - 1]) + np.float64(values[half]))


@kernel
def _histogram(values, starts, chosen, first, scale, end, closed, counts):  # type: ignore[no-untyped-def]
    last = counts.size - 1
    for p in chosen:
        i = _from(values, starts[p], starts[p + 1], first)
        stop = _beyond(values, i, starts[p + 1], end) if closed else _from(values, i, starts[p + 1], end)
        while i < stop:
            bin_ = int(scale * (values[i] - first))
            step, low = 1, i  # the bin's last value is at `low` or after it, before `low + step`
            while low + step < stop and int(scale * (values[low + step] - first)) == bin_:
                low += step
                step *= 2
            high = min(low + step, stop)
            while high - low > 1:
                middle = (low + high) // 2
                if int(scale * (values[middle] - first)) == bin_:
                    low = middle
                else:
                    high = middle
            counts[min(bin_, last)] += high - i
            i = high


@helper
def _from(values, start, stop, limit):  # type: ignore[no-untyped-def]
    """Return the first place from `start` whose value is `limit` or larger."""
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] < limit:
            start = middle + 1
        else:
            stop = middle
    return start


@helper
def _beyond(values, start, stop, limit):  # type: ignore[no-untyped-def]
    """Return the first place from `start` whose value is larger than `limit`."""
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] <= limit:
            start = middle + 1
        else:
            stop = middle
    return start


def warm_up() -> None:
    """Compile what is not compiled yet."""
    image = ImageValues(np.ones((1, 1), np.float32), np.ones((1, 1), np.bool_))
    part = image.within(np.ones((1, 1), np.bool_))
    moments(part, 0.0, 2.0)
    histogram(part, 1, 1.0, 0.0)
    clipped(part.pieces[0][0], 3.0, 1)
