"""Light on pixels: very many Gaussians at places along traces, each integrated over the pixels.

A trace is cut into short pieces. Each puts its light on the detector as the Gaussians of the point-spread
function (`optics.PSF_GAUSSIANS`), whose widths grow with the wavelength, and, for a galaxy, with those of its
profile. Round ones are integrated over pixels exactly; elliptical ones are sampled at the pixels'
centres, row by row, after the pixel has been added to their covariance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import erf, exp, pi, sqrt
from typing import Any

import numpy as np

REACH = 5.0  # sigmas
_PIXEL = 1.0 / 12.0  # variance of a pixel
#: Least variance of what is sampled at pixel centres: narrower profiles would lose light between them.
_LEAST = 0.35


def add_round(image: np.ndarray, x: np.ndarray, y: np.ndarray, light: np.ndarray, sigma: np.ndarray) -> None:
    """Add round Gaussians to an image, in place.

    Parameters
    ----------
    image : ndarray
        float64, shape (ny, nx).
    x, y : ndarray
        Centres, 0-based pixels.
    light : ndarray
        Of each, in all.
    sigma : ndarray
        Pixels.
    """
    _compiled(_add_round)(image, x, y, light, sigma)


def add_line(profile: np.ndarray, x: np.ndarray, light: np.ndarray, sigma: np.ndarray) -> None:
    """Add Gaussians to a row of pixels, in place; arguments as for `add_round`."""
    _compiled(_add_line)(profile, x, light, sigma)


def add_elliptical(
    image: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    light: np.ndarray,
    covariance: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Add elliptical Gaussians to an image, in place.

    Parameters
    ----------
    image, x, y, light
        As for `add_round`.
    covariance : tuple of ndarray
        xx, yy and xy of each, pixels².
    """
    xx, yy, xy = covariance
    wide = [np.maximum(v + _PIXEL, _LEAST) for v in (xx, yy)]
    _compiled(_add_elliptical)(image, x, y, light, *wide, xy)


@lru_cache
def _compiled(function: Callable[..., None]) -> Any:
    from numba import njit

    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no place to keep it
        return njit(nogil=True, error_model="numpy")(function)


def _add_round(image: Any, x: Any, y: Any, light: Any, sigma: Any) -> None:
    ny, nx = image.shape
    across = np.empty(nx)
    for k in range(x.size):
        reach, scale = REACH * sigma[k] + 1.0, 1.0 / (sqrt(2.0) * sigma[k])
        x0, x1 = max(int(np.ceil(x[k] - reach)), 0), min(int(np.floor(x[k] + reach)) + 1, nx)
        y0, y1 = max(int(np.ceil(y[k] - reach)), 0), min(int(np.floor(y[k] + reach)) + 1, ny)
        if x0 >= x1 or y0 >= y1:
            continue
        before = erf((x0 - 0.5 - x[k]) * scale)
        for i in range(x0, x1):
            after = erf((i + 0.5 - x[k]) * scale)
            across[i] = 0.25 * light[k] * (after - before)
            before = after
        before = erf((y0 - 0.5 - y[k]) * scale)
        for j in range(y0, y1):
            after = erf((j + 0.5 - y[k]) * scale)
            share = after - before
            before = after
            for i in range(x0, x1):
                image[j, i] += share * across[i]


def _add_line(profile: Any, x: Any, light: Any, sigma: Any) -> None:
    for k in range(x.size):
        reach, scale = REACH * sigma[k] + 1.0, 1.0 / (sqrt(2.0) * sigma[k])
        x0, x1 = max(int(np.ceil(x[k] - reach)), 0), min(int(np.floor(x[k] + reach)) + 1, profile.size)
        before = erf((x0 - 0.5 - x[k]) * scale)
        for i in range(x0, x1):
            after = erf((i + 0.5 - x[k]) * scale)
            profile[i] += 0.5 * light[k] * (after - before)
            before = after


def _add_elliptical(image: Any, x: Any, y: Any, light: Any, xx: Any, yy: Any, xy: Any) -> None:
    ny, nx = image.shape
    for k in range(x.size):
        lean = xy[k] / yy[k]
        inner = xx[k] - xy[k] * lean  # variance along a row
        step = exp(-1.0 / inner)
        height = light[k] / (2.0 * pi * sqrt(inner * yy[k]))
        reach_y, reach_x = REACH * sqrt(yy[k]) + 1.0, REACH * sqrt(inner) + 1.0
        y0, y1 = max(int(np.ceil(y[k] - reach_y)), 0), min(int(np.floor(y[k] + reach_y)) + 1, ny)
        for j in range(y0, y1):
            dy = j - y[k]
            centre = x[k] + lean * dy
            x0, x1 = max(int(np.ceil(centre - reach_x)), 0), min(int(np.floor(centre + reach_x)) + 1, nx)
            d = x0 - centre
            value = height * exp(-0.5 * (dy * dy / yy[k] + d * d / inner))
            ratio = exp(-(d + 0.5) / inner)
            for i in range(x0, x1):  # each is the one before times a ratio that shrinks by a constant
                image[j, i] += value
                value *= ratio
                ratio *= step
