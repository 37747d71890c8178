"""The background of grism exposures: a reference image, scaled to where no source has its spectrum.

The scale minimises the residuals weighted by their variances. A share of the most extreme residuals is
rejected, and the scale fitted again, some times.

A pixel that has collected fewer photons states a smaller variance. Weights from stated variances, which are
the default as in jwst, make the scale too small: by one part in the number of electrons that the background
has left in a pixel, where photons are most of the noise (Neyman's chi-square; see e.g. Humphrey, Liu & Buote
2009, ApJ 693, 822). `expected_error` makes errors without that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.core.dqflags import pixel

log = logging.getLogger(__name__)

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
_DO_NOT_USE = np.uint32(pixel["DO_NOT_USE"])


class Rejection(NamedTuple):
    """How residuals are rejected.

    Attributes
    ----------
    percent : float
        Share that is rejected on either side in each round.
    rounds : int
        At most.
    improvement : float
        Stop when the noise of the profile falls by less than this, relative; 0: never.
    axis : int
        Along which the exposure disperses, 1 (columns) or 2.
    """

    percent: float
    rounds: int
    improvement: float
    axis: int


def outside(boxes: Sequence[Box], shape: tuple[int, int]) -> Mask:
    """Return a mask that is true where none of the boxes is, (rows, columns)."""
    free = np.ones(shape, bool)
    frame = Box.of_shape(shape)
    for box in boxes:
        part = box.overlap(frame)
        if part is not None:
            free[part.slices] = False
    return free


def enough(dq: NDArray[np.uint32], free: Mask, least: float) -> bool:
    """Tell whether more than a fraction of all pixels is good background."""
    return int(np.count_nonzero(free & (dq & _DO_NOT_USE == 0))) > int(least * dq.size)


def expected_error(var_poisson: F32, var_rnoise: F32, background: F32, free: Mask) -> F32:
    """Return the error of pixels that see background alone, whatever each of them has happened to collect.

    Photon noise goes with the background, in proportion; read noise is that of the pixel.

    Parameters
    ----------
    var_poisson, var_rnoise, background : (rows, columns) float32
    free : (rows, columns) bool
        Where no source is.
    """
    known = free & np.isfinite(var_poisson) & np.isfinite(background) & (background > 0)
    share = var_poisson[known].sum(dtype=np.float64) / background[known].sum(dtype=np.float64)
    expected: F32 = np.sqrt(var_rnoise + np.float32(share) * np.maximum(background, 0))
    return expected


def scale_of(data: F32, err: F32, background: F32, free: Mask, rejection: Rejection) -> float:
    """Return the factor between an exposure and the reference background; NaN if there is none.

    Parameters
    ----------
    data, err, background : (rows, columns) float32
    free : (rows, columns) bool
        Where no source is.
    rejection : Rejection
    """
    every = err**2
    used = free & (every != 0)
    values, model, variance = data[used], background[used], every[used]
    where = np.flatnonzero(used) if rejection.improvement > 0 else None
    before = np.inf
    for turn in range(rejection.rounds):
        residual = values - _factor(values, model, variance) * model
        if not np.isfinite(residual).any():
            return float("nan")
        if where is not None:
            noise = _profile_noise(residual, where, data.shape, rejection.axis)
            if turn and (before - noise) / before < rejection.improvement:
                break
            before = noise
        limits = np.nanpercentile(residual, (rejection.percent, 100 - rejection.percent))
        kept = ~((residual < limits[0]) | (residual > limits[1]))
        values, model, variance = values[kept], model[kept], variance[kept]
        where = None if where is None else where[kept]
    return float(_factor(values, model, variance))


def _factor(values: F32, model: F32, variance: F32) -> np.float64:
    """Return the factor of least squares."""
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.nansum(values * model / variance, dtype=np.float64)
        below = np.nansum(model * model / variance, dtype=np.float64)
        return np.float64(above / below)


def _profile_noise(
    residual: NDArray[np.float64], where: NDArray[np.int64], shape: tuple[int, ...], axis: int
) -> float:
    """Return the root mean square of the residuals' median profile across the axis that is collapsed."""
    image = np.full(shape, np.nan)
    image.flat[where] = residual
    seen = np.isfinite(image).any(axis=axis - 1)
    profile = np.nanmedian(np.compress(seen, image, axis=2 - axis), axis=axis - 1)
    return float(np.sqrt(np.mean(profile**2)))
