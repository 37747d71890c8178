"""Clusters of wavelengths, compiled: see `webbcal.kernels.wavelengths.reference` for the definition.

Means are rounded as NumPy rounds them (it adds up eight sums side by side): whether a spectrum's first sample
lies within the range of the clusters' means may hang on the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_CUTOFF = 0.8
_UNKNOWN = 9999.0


def clusters(wavelength: F64, covering: I64) -> F64:
    """Return one wavelength for each cluster of samples; as `reference.clusters`."""
    chosen = np.zeros(len(wavelength))
    _clusters(readable(wavelength, np.float64, 1), readable(covering, np.int64, 1), chosen)
    return chosen[chosen > 0]


@kernel
def _clusters(wavelength, covering, chosen):  # type: ignore[no-untyped-def]
    size = wavelength.size
    scatter, mean = np.full(size, _UNKNOWN), np.full(size, -99.0)
    for k in range(size):
        n = covering[k]
        end = k + n // 2 + 1
        if n == 1:
            scatter[k], mean[k] = 0.0, wavelength[k]
        elif end - n >= 0 and end <= size:
            mean[k] = _sum(wavelength[end - n : end], 0.0, False) / n
            scatter[k] = math.sqrt(_sum(wavelength[end - n : end], mean[k], True) / n)
    for k in range(size):
        if covering[k] == 1 or scatter[k] == 0.0 or scatter[k] < _CUTOFF * _around(scatter, k):
            chosen[k] = mean[k]
    i = 0
    while i < size:
        n = covering[i]
        middle = i + n // 2
        if middle < size:
            n = covering[middle]
            if i + n < size and not _any_chosen(chosen[max(i - 1, 0) : min(i + n + 1, size - 1)]):
                chosen[i] = _sum(wavelength[i : i + n], 0.0, False) / n
        i += n


@helper
def _around(scatter, k):  # type: ignore[no-untyped-def]
    if k == 0:
        return scatter[1]
    if k == scatter.size - 1:
        return scatter[k - 1]
    return (scatter[k - 1] + scatter[k + 1]) / 2.0


@helper
def _any_chosen(chosen):  # type: ignore[no-untyped-def]
    found = False
    for value in chosen:
        found |= value > 0.0
    return found


@helper
def _term(value, centre, squared):  # type: ignore[no-untyped-def]
    away = value - centre
    return away * away if squared else value


@helper
def _sum(values, centre, squared):  # type: ignore[no-untyped-def]
    """Sum of values, or of their squared distances from a centre, in NumPy's order (up to 128 of them)."""
    n = values.size
    if n < 8:
        total = 0.0
        for v in values:
            total += _term(v, centre, squared)
        return total
    a, b = _term(values[0], centre, squared), _term(values[1], centre, squared)
    c, d = _term(values[2], centre, squared), _term(values[3], centre, squared)
    e, f = _term(values[4], centre, squared), _term(values[5], centre, squared)
    g, h = _term(values[6], centre, squared), _term(values[7], centre, squared)
    i = 8
    while i < n - n % 8:
        a += _term(values[i], centre, squared)
        b += _term(values[i + 1], centre, squared)
        c += _term(values[i + 2], centre, squared)
        d += _term(values[i + 3], centre, squared)
        e += _term(values[i + 4], centre, squared)
        f += _term(values[i + 5], centre, squared)
        g += _term(values[i + 6], centre, squared)
        h += _term(values[i + 7], centre, squared)
        i += 8
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    while i < n:
        total += _term(values[i], centre, squared)
        i += 1
    return total


def warm_up() -> None:
    """Compile what is not compiled yet."""
    clusters(np.arange(1.0, 5.0), np.full(4, 2))
