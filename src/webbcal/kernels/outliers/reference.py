"""Outliers against a model: the readable definition.

An outlier deviates from the model by more than ``scale · slope + snr · error``. Beside one by the first pair
of thresholds (that pixel included), one by the second is enough: cosmic rays leave fainter tails. (S. Gonzaga
et al., "The DrizzlePac Handbook", STScI 2012, section 4.2.7, driz_cr.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.outliers.settings import Thresholds

F32 = NDArray[np.float32]


def find(data: F32, error: F32, model: F32, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which pixels of an image are outliers.

    Parameters
    ----------
    data, error, model : (ny, nx) float32
        Where data or model are NaN there is no outlier; an error of NaN counts as 0.
    thresholds : Thresholds

    Returns
    -------
    (ny, nx) bool
    """
    steep = slope(model)
    deviation = np.abs(data - model - np.float32(thresholds.background))
    noise = np.nan_to_num(error)
    with np.errstate(over="ignore"):  # an error of infinity allows everything
        first, second = (
            deviation > np.float32(scale) * steep + np.float32(snr) * noise
            for scale, snr in zip(thresholds.scale, thresholds.snr, strict=True)
        )
    ny, nx = data.shape
    padded = np.pad(first, 1)
    near = np.zeros_like(first)
    for dy in range(3):
        for dx in range(3):
            near |= padded[dy : dy + ny, dx : dx + nx]
    return second & near


def slope(model: F32) -> F32:
    """Return the largest difference of a pixel from its four neighbours, of those that are not NaN."""
    ny, nx = model.shape
    padded = np.pad(model, 1, constant_values=np.nan)
    steep = np.where(np.isnan(model), model, np.float32(0))
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        step = np.abs(padded[dy : dy + ny, dx : dx + nx] - model)
        steep = np.where(step > steep, step, steep)
    return steep


def find_aligned(data: F32, error: F32, model: F32, snr: float) -> NDArray[np.bool_]:
    """Return which pixels deviate by more than `snr` errors from a model that was not resampled."""
    with np.errstate(over="ignore"):
        return np.abs(data - model) > np.float32(snr) * np.nan_to_num(error)
