"""Clusters of wavelengths in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Samples are a cluster if they scatter less than this share of what those around their neighbours do.
_CUTOFF = 0.8
#: The scatter of samples that have too few neighbours.
_UNKNOWN = 9999.0


def clusters(wavelength: F64, covering: I64) -> F64:
    """Return one wavelength for each cluster of samples.

    Parameters
    ----------
    wavelength : (samples,) float64
        Samples of all spectra, ascending.
    covering : (samples,) int64
        How many spectra cover each; as many neighbours should be of one cluster.

    Returns
    -------
    ndarray of float64
        Means of clusters; where samples are evenly spread, means of as many as there are spectra.
    """
    scatter, mean = _neighbourhoods(wavelength, covering)
    chosen = np.zeros(len(wavelength))
    for k, n in enumerate(covering):
        if n == 1 or scatter[k] == 0.0 or scatter[k] < _CUTOFF * _around(scatter, k):
            chosen[k] = mean[k]
    _fill_gaps(wavelength, covering, chosen)
    return chosen[chosen > 0]


def _neighbourhoods(wavelength: F64, covering: I64) -> tuple[F64, F64]:
    """Return scatter and mean of the samples around each sample."""
    scatter, mean = np.full(len(wavelength), _UNKNOWN), np.full(len(wavelength), -99.0)
    for k, n in enumerate(covering):
        end = k + n // 2 + 1
        if n == 1:
            scatter[k], mean[k] = 0.0, wavelength[k]
        elif end - n >= 0 and end <= len(wavelength):
            near = wavelength[end - n : end]
            scatter[k], mean[k] = near.std(), near.mean()
    return scatter, mean


def _around(scatter: F64, k: int) -> float:
    """Return the mean scatter at both neighbours, or at the only one."""
    if k == 0 or k == len(scatter) - 1:
        return float(scatter[1] if k == 0 else scatter[-2])
    return float(scatter[k - 1] + scatter[k + 1]) / 2.0


def _fill_gaps(wavelength: F64, covering: I64, chosen: F64) -> None:
    """Where nothing is chosen nearby, take the mean of as many samples as there are spectra."""
    size, i = len(wavelength), 0
    while i < size:
        n = covering[i]
        middle = i + n // 2
        if middle < size:
            n = covering[middle]
            if i + n < size and chosen[max(i - 1, 0) : min(i + n + 1, size - 1)].max() <= 0.0:
                chosen[i] = wavelength[i : i + n].mean()
        i += n
