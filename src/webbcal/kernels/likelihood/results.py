"""What the likelihood fit returns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class LikelihoodFit(NamedTuple):
    """Count rates with their errors: of integrations, (nints, ny, nx), or of the exposure, (ny, nx).

    Attributes
    ----------
    slope, err : array of float32
        Most likely rate and its standard error, DN/s; NaN and infinity where no difference is usable.
    dq : array of uint32
    var_poisson, var_rnoise : array of float32
        Variances due to photon noise and read noise, (DN/s)²; their sum is the square of `err`.
    chisq : array of float32
        Of the used differences against the rate; as many degrees of freedom as differences, less one.
    """

    slope: np.ndarray
    dq: np.ndarray
    var_poisson: np.ndarray
    var_rnoise: np.ndarray
    err: np.ndarray
    chisq: np.ndarray

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> LikelihoodFit:
        """Allocate arrays to be filled."""
        f, u = np.float32, np.uint32
        return cls(*(np.empty(shape, dtype) for dtype in (f, u, f, f, f, f)))
