"""Fitting the shape of a spectrum: a sum of Legendre polynomials, already dispersed.

Least squares, weighted by the inverse variances, with a penalty on the size of the coefficients (ridge
regression). A fit whose constant is far from 1 is not used: then it is not this source that is seen, but a
brighter neighbour or a background that was not subtracted.

Pixels are fitted, as in jwst, or sums across the dispersion: simulated spectra are wider than real ones (by
the pixels of the mosaic), and where the point spread function is narrow, a fit of pixels makes up for that by
too much light.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal.core.dqflags import pixel
from webbcal.exposure.contamination.source_pixels import F32, F64

_DO_NOT_USE = np.uint32(pixel["DO_NOT_USE"])


class Fitting(NamedTuple):
    """How shapes are fitted.

    Attributes
    ----------
    penalty : float
        Of the sum of squares of the coefficients; 0 for none.
    most : float or None
        How far the constant may be from 1; None for any.
    across : int or None
        Axis across the dispersion, 0 (columns are wavelengths) or 1: fit sums along it. None: fit pixels.
    """

    penalty: float
    most: float | None
    across: int | None = None


def fitted_shape(
    data: F32, err: F32 | None, dq: NDArray[np.uint32] | None, planes: F32, fitting: Fitting
) -> F64 | None:
    """Return the coefficients of the planes whose sum fits a spectrum best, or None if the fit is no use.

    Parameters
    ----------
    data, err : (rows, columns) float32
        Count rates; without errors all pixels count the same.
    dq : (rows, columns) uint32 or None
    planes : (rows, columns, n) float32
        A flat spectrum (or what was fitted before), and the polynomials.
    fitting : Fitting
    """
    used = np.isfinite(data) & np.isfinite(planes[:, :, 0]) & (planes[:, :, 0] != 0)
    if dq is not None:
        used &= (dq & _DO_NOT_USE) == 0
    count = planes.shape[2]
    if np.count_nonzero(used) < count:
        return None
    design, values, variance = _samples(data, err, planes, used, fitting.across)
    known = np.isfinite(variance) & (variance > 0)
    if not known.any():
        return None
    weight: F64 = np.where(known, 1.0 / np.sqrt(np.where(known, variance, 1.0)), 0.0)
    weighted = design * weight[:, None]
    normal = weighted.T @ weighted + fitting.penalty * np.eye(count)
    solution = np.linalg.lstsq(normal, weighted.T @ (values * weight), rcond=None)[0]
    coefficients = np.asarray(solution, np.float64)
    if fitting.most is not None and abs(coefficients[0] - 1) > fitting.most:
        return None
    return coefficients


def _samples(
    data: F32, err: F32 | None, planes: F32, used: NDArray[np.bool_], across: int | None
) -> tuple[F64, F64, F64]:
    """Return what is fitted: planes (samples, n), data and variances of pixels, or of sums of these."""
    variance = np.ones(data.shape) if err is None else err.astype(float) ** 2
    if across is None:
        return planes[used].astype(float), data[used].astype(float), variance[used]
    along = used.any(axis=across)

    def total(values: NDArray[np.floating]) -> F64:
        summed: F64 = np.where(used, values, 0.0).sum(axis=across)
        return summed[along]

    design = np.stack([total(planes[:, :, n]) for n in range(planes.shape[2])], axis=-1)
    return design, total(data), total(variance)
