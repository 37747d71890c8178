"""Outliers against a model, compiled: see `webbcal.kernels.outliers.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.outliers.reference import F32
from webbcal.kernels.outliers.settings import Thresholds


def find(data: F32, error: F32, model: F32, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Return which pixels of an image are outliers; as `reference.find`."""
    found = np.zeros(data.shape, np.bool_)
    first, second = (
        (np.float32(scale), np.float32(snr))
        for scale, snr in zip(thresholds.scale, thresholds.snr, strict=True)
    )
    _find(
        readable(data, np.float32, 2),
        readable(error, np.float32, 2),
        readable(model, np.float32, 2),
        np.float32(thresholds.background),
        first,
        second,
        found,
    )
    return found


def find_aligned(data: F32, error: F32, model: F32, snr: float) -> NDArray[np.bool_]:
    """Return which pixels deviate from a model that was not resampled; as `reference.find_aligned`."""
    found = np.zeros(data.shape, np.bool_)
    _find_aligned(
        readable(data, np.float32, 2),
        readable(error, np.float32, 2),
        readable(model, np.float32, 2),
        np.float32(snr),
        found,
    )
    return found


@kernel
def _find_aligned(data, error, model, snr, found):  # type: ignore[no-untyped-def]
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            found[y, x] = abs(data[y, x] - model[y, x]) > snr * _finite(error[y, x])


@kernel
def _find(data, error, model, background, first, second, found):  # type: ignore[no-untyped-def]
    ny, nx = data.shape
    for y in range(ny):
        for x in range(nx):
            if not _exceeds(data, error, model, background, first, y, x):
                continue
            for v in range(max(0, y - 1), min(ny, y + 2)):  # few pixels get here
                for u in range(max(0, x - 1), min(nx, x + 2)):
                    if not found[v, u]:
                        found[v, u] = _exceeds(data, error, model, background, second, v, u)


@helper
def _exceeds(data, error, model, background, limits, y, x):  # type: ignore[no-untyped-def]
    deviation = abs(data[y, x] - model[y, x] - background)
    noise = limits[1] * _finite(error[y, x])
    if not deviation > noise:  # the slope would only raise the limit; and NaN ends here
        return False
    return deviation > limits[0] * _slope(model, y, x) + noise


@helper
def _finite(value):  # type: ignore[no-untyped-def]
    if value != value:
        return np.float32(0)
    return min(value, np.float32(3.4028235e38))


@helper
def _slope(model, y, x):  # type: ignore[no-untyped-def]
    ny, nx = model.shape
    here, steep = model[y, x], np.float32(0)
    if y > 0:
        steep = _larger(steep, abs(model[y - 1, x] - here))
    if y < ny - 1:
        steep = _larger(steep, abs(model[y + 1, x] - here))
    if x > 0:
        steep = _larger(steep, abs(model[y, x - 1] - here))
    if x < nx - 1:
        steep = _larger(steep, abs(model[y, x + 1] - here))
    return steep


@helper
def _larger(steep, step):  # type: ignore[no-untyped-def]
    return step if step > steep else steep


def warm_up() -> None:
    """Compile what is not compiled yet."""
    image = np.ones((1, 1), np.float32)
    find(image, image, image, Thresholds())
    find_aligned(image, image, image, 5.0)
