"""Extraction by profiles: sources and a background fitted to each column together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.kernels.extraction.solving import covariances
from webbcal.spectra.extracted import Extracted

extraction = kernels.get("extraction")

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class Fit(NamedTuple):
    """What was fitted: the first source, and if it was asked for, the image of all."""

    spectrum: Extracted
    model: F64


def fit_columns(
    image: F32,
    variances: F32,
    profiles: F64,
    region: F64 | None,
    order: int | None,
    wants_model: bool = False,
) -> Fit:
    """Fit sources and a polynomial background to each column, all pixels with the same weight.

    Parameters
    ----------
    image : (across, along) float32
    variances : (3, across, along) float32
    profiles : (sources, across, along) float64
        Of the source, and of others that are fitted with it.
    region : (across, along) float64 or None
        Where there is background alone: pixels that are not zero are used too.
    order : int or None
        Of the background; None for no background.
    wants_model : bool
        Whether the image of what was fitted is made.

    Notes
    -----
    Variances are those of the fit, pixel by pixel. What of them is the background's is what they exceed those
    of a fit without it.
    """
    terms = 0 if order is None else order + 1
    good = np.isfinite(variances.sum(axis=0)) & np.isfinite(image)
    covered = (profiles != 0).any(axis=0)
    if region is not None:
        covered |= region != 0
    use = (good & covered).astype(np.float32)
    values = np.where(use != 0, image, np.float32(0))
    position = np.linspace(-1, 1, image.shape[0])
    matrix, vector = extraction.normal_equations(values, use, position, terms, profiles)
    covariance = covariances(matrix)
    coefficients = np.einsum("xij,xj->xi", covariance, vector)
    noise = extraction.propagate(variances, use, position, terms, profiles, covariance[:, terms])
    with np.errstate(invalid="ignore", divide="ignore"):
        npixels = np.sum(profiles[0] * good / np.sum(profiles[0] ** 2, axis=0), axis=0)
    flux = np.where(np.isclose(npixels, 0), np.nan, coefficients[:, terms])
    background, background_noise = np.zeros_like(flux), np.zeros_like(noise)
    if terms:
        level = np.polynomial.polynomial.polyval(position, coefficients[:, :terms].T).T
        background, background_noise = _of_background(variances, profiles[0], good, level, noise)
    spectrum = Extracted(flux, noise, background, background_noise, npixels)
    model = np.zeros(0)
    if wants_model:
        model = np.einsum("syx,xs->yx", profiles, coefficients[:, terms:])
        model = model + level if terms else model
    return Fit(spectrum, model)


def _of_background(
    variances: F32, profile: F64, good: NDArray[np.bool_], level: F64, noise: F64
) -> tuple[F64, F64]:
    """Return the background that lies under a source, and its variances."""
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = profile * good / np.sum(profile**2 * good, axis=0)
        background = np.sum(weight * level, axis=0)
        excess = noise - np.sum(variances * weight * weight, axis=1)
        excess *= excess > 0
    background[~np.isfinite(background)] = 0.0
    return background, excess
