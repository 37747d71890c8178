"""Bad pixels replaced by the mean of two neighbours: along the axis where those differ least.

Near a point source that is along the dispersion, in an emission line of an extended one along the slit. A
pixel with a bad neighbour on both axes stays as it is, and so do the two outermost rows and columns at the
beginning and the last ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core.image_arrays import F32
from webbcal.exposure.repair.spectrum import Spectrum2D

#: Rows and columns at the edges that are left alone: at the beginning and at the end.
_BEFORE, _AFTER = 2, 1


def replace_by_gradient(spectrum: Spectrum2D) -> int:
    """Replace the pixels without a value, in place; return how many got one."""
    y, x = _between_good_ones(spectrum.data)
    with np.errstate(invalid="ignore", over="ignore"):
        pairs = _neighbours(spectrum.data, y, x)
        steps = np.abs(pairs[:, 0] - pairs[:, 1])
    steps[np.isnan(steps)] = np.inf
    known = ~np.isinf(steps).all(axis=0)
    y, x, axis = y[known], x[known], np.argmin(steps, axis=0)[known]
    means = [_mean(_neighbours(array, y, x), axis) for array in (spectrum.data, spectrum.err)]
    with np.errstate(invalid="ignore"):
        means += [_mean(np.sqrt(_neighbours(array, y, x)), axis) ** 2 for array in spectrum.variances]
    for array, values in zip((spectrum.data, spectrum.err, *spectrum.variances), means, strict=True):
        array[y, x] = values
    spectrum.take_estimates((y, x))
    return len(y)


def _between_good_ones(data: F32) -> tuple[NDArray[np.intp], ...]:
    """Return rows and columns of the pixels without a value that have two neighbours with one, on some axis.

    They may be few where those without a value are many: there is nothing around a slit.
    """
    good = np.isfinite(data)
    wanted = np.zeros(data.shape, bool)
    wanted[:, 1:-1] = good[:, :-2] & good[:, 2:]
    wanted[1:-1] |= good[:-2] & good[2:]
    wanted &= ~good
    wanted[:_BEFORE], wanted[:, :_BEFORE] = False, False
    wanted[-_AFTER:], wanted[:, -_AFTER:] = False, False
    return np.nonzero(wanted)


def _neighbours(array: F32, y: NDArray[np.intp], x: NDArray[np.intp]) -> F32:
    """Return the neighbours of pixels, (axis: along rows, along columns; before, after; n)."""
    return np.array([[array[y, x - 1], array[y, x + 1]], [array[y - 1, x], array[y + 1, x]]])


def _mean(pairs: F32, axis: NDArray[np.intp]) -> F32:
    """Return the means of the pairs along the axis that is chosen for each pixel."""
    chosen = np.take_along_axis(pairs, axis[None, None, :], axis=0)[0]
    mean: F32 = (chosen[0] + chosen[1]) / np.float32(2)
    return mean
