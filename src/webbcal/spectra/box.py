"""Extraction in a box: the pixels of the aperture added up, above a background fitted beside it."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.kernels.extraction.solving import covariances
from webbcal.spectra.extracted import Extracted

extraction = kernels.get("extraction")

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: The standard error of a median is about this much larger than that of a mean.
_OF_MEDIAN = 1.2


class Background(NamedTuple):
    """A background: polynomial coefficients (terms, columns) across, variances (3, columns) of its sum."""

    coefficients: F64
    variances: F64


def extract_box(
    image: F32, variances: F32, aperture: F64, position: F64, background: Background | None
) -> Extracted:
    """Add up the pixels of an aperture.

    Parameters
    ----------
    image : (across, along) float32
    variances : (3, across, along) float32
    aperture : (across, along) float64
        Weights of pixels.
    position : (across,) float64
        Where the rows are, as the background's polynomial takes it.
    background : Background or None
    """
    coefficients = np.zeros((0, image.shape[1])) if background is None else background.coefficients
    sums = extraction.box_sums(image, variances, aperture, position, coefficients)
    flux = np.where(np.isclose(sums.npixels, 0), np.nan, sums.flux)
    noise = np.zeros_like(sums.variances) if background is None else background.variances
    return Extracted(flux, sums.variances + noise, sums.background, noise, sums.npixels)


def fit_background(
    image: F32,
    variances: F32,
    aperture: F64,
    region: F64,
    position: F64,
    order: int | None,
    smoothing: int,
) -> Background:
    """Return the background of each column.

    Parameters
    ----------
    image, variances, aperture, position
        As `extract_box` takes them.
    region : (across, along) float64
        Not zero where there is background alone.
    order : int or None
        Of a polynomial; None for the median.
    smoothing : int
        Columns over which the image is averaged before. That fills bad pixels; a polynomial leaves them out.
    """
    smooth = smoothed(image, smoothing)
    known = np.isfinite(image) & np.isfinite(variances.sum(axis=0)) & (region != 0)
    if order is None:
        return _median(smooth, variances, aperture, region, known)
    use = (known & np.isfinite(smooth)).astype(np.float32)
    none = np.zeros((0, *image.shape))
    values = np.where(use != 0, smooth, np.float32(0))
    matrix, vector = extraction.normal_equations(values, use, position, order + 1, none)
    covariance = covariances(matrix)
    # Of the polynomial's terms, how much lies in the aperture.
    inside = np.stack([(aperture * position[:, None] ** k).sum(axis=0) for k in range(order + 1)], axis=1)
    combination = np.einsum("xk,xkl->xl", inside, covariance)
    noise = extraction.propagate(variances, use, position, order + 1, none, combination)
    return Background(np.einsum("xij,xj->ix", covariance, vector), noise)


def _median(smooth: F32, variances: F32, aperture: F64, region: F64, known: NDArray[np.bool_]) -> Background:
    """Return the median of each column's region, with the noise of a mean, a little increased."""
    level = extraction.column_medians(smooth, (region != 0).astype(np.float32))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = known / known.sum(axis=0)
        noise = np.nansum(variances * share**2, axis=1)
    return Background(level[None], (_OF_MEDIAN * aperture.sum(axis=0)) ** 2 * noise)


def smoothed(image: F32, length: int) -> F32:
    """Return an image averaged over an odd number of columns; bad pixels are left out, and so filled."""
    if length <= 1:
        return image
    from astropy.convolution import convolve
    from astropy.utils.exceptions import AstropyUserWarning

    kernel = np.full((1, length), 1 / length)
    with warnings.catch_warnings():  # what is beside the spectrum stays NaN
        warnings.filterwarnings("ignore", "nan_treatment", AstropyUserWarning)
        return np.asarray(convolve(image, kernel, boundary="extend"), np.float32)
