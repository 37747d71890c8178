"""Moments and histograms in plain NumPy: the definition that the compiled kernels must reproduce.

The conventions are those of IRAF's ``gstatistics``, in single precision at the ends and double in the sums,
as the field's sky values are made: a bin's number decides a mode, so that the arithmetic matters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class Moments(NamedTuple):
    """Values within limits: how many, mean, standard deviation (N - 1), smallest, largest; as float32."""

    number: int
    mean: np.float32
    stddev: np.float32
    smallest: np.float32
    largest: np.float32


def moments(values: F32, lower: float, upper: float) -> Moments:
    """Return the moments of the values from `lower` to `upper` (inclusive).

    Parameters
    ----------
    values : (n,) float32
        At least one; NaN is in no range.
    lower, upper : float
        Limits, taken to single precision. Where the first value is beyond a limit, that limit stands for the
        smallest or largest value (so it is in the field's code, and the place of histograms hangs on it).
    """
    low, high, first = np.float32(lower), np.float32(upper), values[0]
    kept = values[(values >= low) & (values <= high)]
    smallest = min(kept.min(initial=np.inf), max(low, first))
    largest = max(kept.max(initial=-np.inf), min(high, first))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.float32(np.sum(kept, dtype=np.float64) / np.float64(len(kept)))
        squares = np.sum((kept - mean) * (kept - mean), dtype=np.float64)
        stddev = np.float32(np.sqrt(squares / np.float64(len(kept) - 1)))
    return Moments(len(kept), mean, stddev, np.float32(smallest), np.float32(largest))


class Clipped(NamedTuple):
    """What is left of values after clipping: how many, their mean, standard deviation (N), and median."""

    number: int
    mean: float
    stddev: float
    median: np.float32


def clipped(values: F32, sigma: float, rounds: int) -> Clipped:
    """Return what is left after clipping about the median, as `astropy.stats.SigmaClip` does it.

    Parameters
    ----------
    values : (n,) float32
        Finite values.
    sigma : float
        Distance of the limits from the median, in standard deviations.
    rounds : int
        Rounds of clipping at most. The last limits count for all values.
    """
    lower, upper, left = -np.inf, np.inf, values.astype(np.float64)
    for _ in range(rounds):
        if not len(left):
            break
        middle, reach = np.median(left), sigma * np.std(left)
        lower, upper = middle - reach, middle + reach
        remaining = left[(left >= lower) & (left <= upper)]
        if len(remaining) == len(left):
            break
        left = remaining
    kept = values[(values >= lower) & (values <= upper)]
    if not len(kept):
        return Clipped(0, np.nan, np.nan, np.float32(np.nan))
    mean, stddev = np.mean(kept, dtype=np.float64), np.std(kept, dtype=np.float64)
    return Clipped(len(kept), float(mean), float(stddev), np.median(kept))


def bounds(nbins: int, width: float, start: float) -> tuple[np.float32, np.float32, np.float32, bool]:
    """Return start, bins a unit, and end of a histogram, and whether a value at the end counts."""
    first, step = np.float32(start), np.float32(width)
    scale = np.float32(np.float32(1) / step)
    end = np.float32(first + np.float32(step * np.float32(nbins)))
    closed = int(scale * (end - first)) == nbins
    if closed:  # a value at the end would be beyond the last bin
        end = np.float32(end * (np.float32(1) - np.finfo(np.float32).eps))
    return first, scale, end, closed


def histogram(values: F32, nbins: int, width: float, start: float) -> NDArray[np.int64]:
    """Return how many values fall into each bin.

    Parameters
    ----------
    values : (n,) float32
    nbins : int
        Number of bins.
    width, start : float
        Width of a bin and lower edge of the first, taken to single precision.
    """
    first, scale, end, closed = bounds(nbins, width, start)
    inside = values[(values >= first) & ((values <= end) if closed else (values < end))]
    index = (scale * (inside - first)).astype(np.int64)
    return np.bincount(np.minimum(index, nbins - 1), minlength=nbins)
