"""Look-ups of a parameter between samples of a function of it, for many points at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from webbcal.wcs.kinds.kind import F64

#: Points that are worked on at once: what is sampled for them stays in cache.
_BLOCK = 1 << 14


def interpolated(values: F64, parameter: F64, wanted: F64) -> F64:
    """Return the parameter at which a sampled function has wanted values, linear between samples and beyond.

    Parameters
    ----------
    values : (samples, ...) ndarray
        The function; samples are sorted by it, so that it may fall.
    parameter : (samples, ...) ndarray
        What it was sampled at.
    wanted : ndarray
        Broadcast against ``values[0]``.
    """
    parameter = np.broadcast_to(parameter, values.shape)
    order = np.argsort(values, axis=0)
    values = np.take_along_axis(values, order, 0)
    parameter = np.take_along_axis(parameter, order, 0)
    wanted = np.asarray(wanted, float)
    if values.ndim == 1:
        cell: Any = np.clip(np.searchsorted(values, wanted, side="right") - 1, 0, len(values) - 2)
        low, high, start, end = values[cell], values[cell + 1], parameter[cell], parameter[cell + 1]
    else:
        cell = np.zeros(np.broadcast_shapes(values.shape[1:], wanted.shape), np.intp)
        for inner in values[1:-1]:
            cell += wanted >= inner
        low, high = (_taken(values, cell + k) for k in (0, 1))
        start, end = (_taken(parameter, cell + k) for k in (0, 1))
    return np.asarray(start + (wanted - low) * ((end - start) / (high - low)))


def _taken(samples: F64, index: Any) -> F64:
    """Return for each point the sample of a number."""
    samples = np.broadcast_to(samples, (len(samples), *index.shape))
    return np.take_along_axis(samples, index[None], 0)[0]


def least(function: Callable[[F64, F64, F64], F64], samples: F64, wanted: F64, x0: F64, y0: F64) -> F64:
    """Return the parameter at which a function of it and of a place comes nearest to wanted values.

    The sample with the least square of the difference is found, and where the slope of that square (central
    differences) would vanish between it and its neighbour, if it were linear. At the ends it is the end.

    Parameters
    ----------
    function : callable
        Of the parameter, x0 and y0.
    samples : (n,) ndarray
        Of the parameter, evenly spaced.
    wanted, x0, y0 : ndarray
        Broadcast against each other.
    """
    wanted, x0, y0 = np.broadcast_arrays(*(np.asarray(v, float) for v in (wanted, x0, y0)))
    flat = [np.ravel(v) for v in (wanted, x0, y0)]
    found = np.empty(flat[0].size)
    for start in range(0, len(found), _BLOCK):
        w, x, y = (v[start : start + _BLOCK] for v in flat)
        squares = (function(samples[:, None], x, y) - w) ** 2
        found[start : start + _BLOCK] = _vanishing_slope(squares, samples)
    found[np.isnan(flat[0])] = np.nan
    return found.reshape(wanted.shape)


def _vanishing_slope(squares: F64, samples: F64) -> F64:
    """Return where the slope of sampled squares, (samples, points), vanishes next to the least of them.

    The line goes through the slopes at the sample and at its neighbour on the far side of the minimum, as in
    `stdatamodels`.
    """
    last = len(samples) - 1
    nearest = np.argmin(squares, axis=0)
    k = np.clip(nearest, 1, last - 1)
    centre = _slope(squares, k, last)
    beside = k + np.where(centre > 0, 1, -1)
    change = (_slope(squares, beside, last) - centre) / (samples[beside] - samples[k])
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(centre == 0, samples[k], samples[k] - centre / change)
    return np.where(nearest == 0, samples[0], np.where(nearest == last, samples[-1], crossing))


def _slope(squares: F64, k: Any, last: int) -> F64:
    """Return the differences at a sample, central ones, one-sided at the ends."""
    before, after = np.maximum(k - 1, 0), np.minimum(k + 1, last)
    points = np.arange(squares.shape[1])
    return np.asarray((squares[after, points] - squares[before, points]) / (after - before))
