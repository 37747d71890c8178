"""Bad pixels replaced by the profile along the slit that the places beside them have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from webbcal import kernels
from webbcal.exposure.repair.spectrum import DO_NOT_USE, FLUX_ESTIMATED, Spectrum2D

replacement = kernels.get("replacement")


def replace_by_profile(spectrum: Spectrum2D, dispersion: int, neighbours: int) -> int:
    """Replace the pixels that must not be used, in place; return how many got a value.

    Parameters
    ----------
    spectrum : Spectrum2D
    dispersion : int
        1: dispersed along rows; 2: along columns.
    neighbours : int
        Places on each side that are looked at.
    """
    part = _where_good(spectrum)
    if part is None:
        return 0
    turned: Callable[[Any], Any] = np.transpose if dispersion == 1 else np.asarray
    data, dq = (np.ascontiguousarray(turned(array[part])) for array in (spectrum.data, spectrum.dq))
    with np.errstate(invalid="ignore"):
        spread = [spectrum.err[part], *(np.sqrt(variance[part]) for variance in spectrum.variances)]
    errors = np.array([turned(array) for array in spread])
    replaced = turned(replacement.fit_profiles(data, errors, dq, neighbours))
    spectrum.data[part] = turned(data)
    spectrum.err[part] = turned(errors[0])
    for variance, deviation in zip(spectrum.variances, errors[1:], strict=True):
        with np.errstate(over="ignore"):
            variance[part][replaced] = turned(deviation)[replaced] ** 2
    spectrum.dq[part][replaced] ^= DO_NOT_USE ^ FLUX_ESTIMATED
    return int(np.count_nonzero(replaced))


def _where_good(spectrum: Spectrum2D) -> tuple[slice, slice] | None:
    """Return the rows and columns that hold all pixels that may be used; None if there are none."""
    good = (spectrum.dq & DO_NOT_USE) == 0
    rows, columns = (np.flatnonzero(good.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
