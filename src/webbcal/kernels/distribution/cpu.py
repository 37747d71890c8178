"""Moments and histograms, compiled: see `webbcal.kernels.distribution.reference` for the definition.

Sums run in a fixed order of their own, so they agree with the reference to rounding in double precision.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import kernel
from webbcal.kernels.distribution.reference import Moments, bounds

F32 = NDArray[np.float32]


def moments(values: F32, lower: float, upper: float) -> Moments:
    """Return the moments of the values from `lower` to `upper`; as `reference.moments`."""
    numbers = _moments(readable(values, np.float32, 1), np.float32(lower), np.float32(upper))
    count, mean, stddev, smallest, largest = numbers
    return Moments(int(count), *map(np.float32, (mean, stddev, smallest, largest)))


def histogram(values: F32, nbins: int, width: float, start: float) -> NDArray[np.int64]:
    """Return how many values fall into each bin; as `reference.histogram`."""
    counts = np.zeros(nbins, np.int64)
    _histogram(readable(values, np.float32, 1), *bounds(nbins, width, start), counts)
    return counts


@kernel
def _moments(values, lower, upper):  # type: ignore[no-untyped-def]
    count, total, squares = 0, 0.0, 0.0
    smallest, largest = max(lower, values[0]), min(upper, values[0])
    for k in range(values.size):
        value = values[k]
        if value >= lower and value <= upper:
            count += 1
            total += value
            smallest, largest = min(smallest, value), max(largest, value)
    mean = np.float32(total / np.float64(count))
    for k in range(values.size):
        value = values[k]
        if value >= lower and value <= upper:
            squares += np.float64((value - mean) * (value - mean))
    return count, mean, np.float32(np.sqrt(squares / np.float64(count - 1))), smallest, largest


@kernel
def _histogram(values, first, scale, end, closed, counts):  # type: ignore[no-untyped-def]
    last = counts.size - 1
    for k in range(values.size):
        value = values[k]
        if value >= first and (value < end or (closed and value == end)):
            counts[min(int(scale * (value - first)), last)] += 1
