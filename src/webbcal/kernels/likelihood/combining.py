"""The rate of an exposure from those of its integrations: plain NumPy, once an exposure."""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.likelihood.results import LikelihoodFit

_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])


def combine(fits: LikelihoodFit) -> LikelihoodFit:
    """Average integrations, weighted with the inverse variances that they would have at the common rate.

    The photon noise that an integration states is that of its own rate; weights made of it would favour those
    that happened to collect less. So photon variances are scaled to the common rate, which is first the
    median and then, twice, the mean (in float32, as in the official pipeline).

    Parameters
    ----------
    fits : LikelihoodFit
        Of all integrations, in their order: arrays (nints, ny, nx).

    Returns
    -------
    LikelihoodFit
        Of the exposure. The flags are those that any integration has; of DO_NOT_USE, that all have.
    """
    if len(fits.slope) == 1:
        return LikelihoodFit(*(array[0] for array in fits))
    with np.errstate(all="ignore"):
        slope = _median(fits.slope)
        for _ in range(2):
            scale = slope / fits.slope
            scale[~np.isfinite(scale) | (scale < 0)] = 0
            photons = fits.var_poisson * scale
            weight = 1 / (photons + fits.var_rnoise)
            weight /= np.nansum(weight, axis=0)
            slope = _sum(fits.slope * weight)
        weight *= weight
        var_poisson, var_rnoise = _sum(photons * weight), _sum(fits.var_rnoise * weight)
        err = np.sqrt(var_poisson + var_rnoise)
    dq = np.bitwise_or.reduce(fits.dq, axis=0) & ~_DO_NOT_USE
    dq |= np.bitwise_and.reduce(fits.dq, axis=0) & _DO_NOT_USE
    return LikelihoodFit(slope, dq, var_poisson, var_rnoise, err, np.sum(fits.chisq, axis=0))


def _median(values: np.ndarray) -> np.ndarray:
    """Return the median of the integrations that have a rate (`np.nanmedian` warns, and takes long)."""
    ordered = np.sort(values, axis=0)  # NaN come last
    count = np.count_nonzero(~np.isnan(values), axis=0, keepdims=True)
    low, high = (np.maximum(count - k, 0) // 2 for k in (1, 0))
    middle = (np.take_along_axis(ordered, k, axis=0) for k in (low, np.minimum(high, len(values) - 1)))
    return np.asarray(sum(middle) / np.float32(2))[0]


def _sum(values: np.ndarray) -> np.ndarray:
    """Add up integrations, without those that are NaN; NaN where all are."""
    total = np.nansum(values, axis=0)
    total[np.isnan(values).all(axis=0)] = np.nan
    return total
