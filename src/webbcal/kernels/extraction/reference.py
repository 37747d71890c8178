"""Extraction in plain NumPy: the definition that the compiled kernels must reproduce."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class Sums(NamedTuple):
    """What lies in an aperture, for each column.

    Attributes
    ----------
    flux, background : (columns,) float64
        Sum above the background, and of the background.
    variances : (kinds, columns) float64
        Of the sum of the samples.
    npixels : (columns,) float64
        Weights of the pixels that were added up.
    """

    flux: F64
    background: F64
    variances: F64
    npixels: F64


def box_sums(image: F32, variances: F32, aperture: F64, position: F64, coefficients: F64) -> Sums:
    """Add up the pixels of an aperture, less a background that is a polynomial across the spectrum.

    Parameters
    ----------
    image : (rows, columns) float32
        Pixels that are not finite are left out.
    variances : (kinds, rows, columns) float32
        NaN counts as zero.
    aperture : (rows, columns) float64
        Weight of each pixel, 0 to 1.
    position : (rows,) float64
        Where each row is, as the polynomial takes it.
    coefficients : (terms, columns) float64
        Of the background, constant first; no terms for none. A column whose coefficients are NaN has no
        pixels, and the background 0.
    """
    level = polynomial(position, coefficients)
    value = image - level
    weight = np.where(np.isfinite(value), aperture, 0.0)
    flux = np.sum(np.where(weight == 0, 0.0, value) * weight, axis=0)
    background = np.sum(level * weight, axis=0)
    background[~np.isfinite(background)] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of weight zero times infinity
        return Sums(flux, background, np.nansum(variances * weight**2, axis=1), weight.sum(axis=0))


def polynomial(position: F64, coefficients: F64) -> F64:
    """Return a polynomial of each column (terms, columns) at the rows' positions: (rows, columns)."""
    level = np.zeros((len(position), coefficients.shape[1]))
    for c in coefficients[::-1]:
        level = level * position[:, None] + c
    return level


def normal_equations(values: F32, use: F32, position: F64, terms: int, profiles: F64) -> tuple[F64, F64]:
    """Return the normal equations of a fit to each column.

    Parameters
    ----------
    values : (rows, columns) float32
        Finite everywhere.
    use : (rows, columns) float32
        1 for pixels that are fitted, else 0.
    position : (rows,) float64
        Where each row is.
    terms : int
        Number of terms of the polynomial: order plus one, or zero.
    profiles : (sources, rows, columns) float64
        What is fitted beside the polynomial.

    Returns
    -------
    matrix : (columns, terms + sources, terms + sources) float64
    vector : (columns, terms + sources) float64
    """
    design = _design(values.shape, position, terms, profiles) * use
    return np.einsum("iyx,jyx->xij", design, design), np.einsum("iyx,yx->xi", design, values)


def propagate(variances: F32, use: F32, position: F64, terms: int, profiles: F64, combination: F64) -> F64:
    """Return the variances (kinds, columns) of a combination of what was fitted.

    Parameters
    ----------
    variances : (kinds, rows, columns) float32
        NaN counts as zero.
    use, position, terms, profiles
        As `normal_equations` takes them.
    combination : (columns, terms + sources) float64
        A row (or a sum of rows) of the covariances of each column.
    """
    design = _design(use.shape, position, terms, profiles)
    weight = use * np.einsum("xi,iyx->yx", combination, design)
    return np.asarray(np.nansum(variances * weight**2, axis=1))


def _design(shape: tuple[int, ...], position: F64, terms: int, profiles: F64) -> F64:
    powers = position[None, :, None] ** np.arange(terms)[:, None, None]
    return np.concatenate([np.broadcast_to(powers, (terms, *shape)), profiles])


def column_medians(values: F32, use: F32) -> F64:
    """Return the median of each column's pixels that are used (1) and not NaN; NaN if there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without pixels
        return np.asarray(np.nanmedian(np.where(use != 0, values, np.nan), axis=0), float)
