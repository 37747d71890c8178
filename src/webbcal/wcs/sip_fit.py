"""Least-squares fit of a tangent plane with SIP polynomials to a transform from pixels to the sky.

Distorted pixels (u, v), counted from the reference pixel, are brought to the plane that touches the sky at
the reference position (gnomonic projection; Calabretta & Greisen 2002, A&A 395, 1077) by polynomials without
a constant term. Their linear terms are the CD matrix; the others, divided by it, are the SIP terms A and B
(Shupe et al. 2005, ADASS XIV). The inverse terms AP and BP are fitted to the same points, from undistorted
pixels (U, V) = CD⁻¹ (x, y) to what has to be added to them.

NumPy only: this is on the way of every image, and anything heavier would cost more to import than to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal.wcs.bounds import Bounds

Array = NDArray[np.float64]

#: Degrees that the SIP convention has keywords for.
_LOWEST, _HIGHEST = 1, 9
#: Fewer points along an axis cannot be told from a polynomial of the highest degrees.
_FEWEST = 8


class PixelToSky(Protocol):
    """What is approximated: from 0-based pixels to longitudes and latitudes in degrees."""

    def __call__(self, x: Array, y: Array, /, *, with_bounding_box: bool) -> Any:
        """Return longitudes and latitudes; also of pixels outside of the bounding box, if that is False."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What to fit: degrees to try, rising; the first with errors up to `tolerance` (pixels) is taken.

    If there is only one, it is taken whatever its errors are.
    """

    degrees: Sequence[int]
    tolerance: float

    def __post_init__(self) -> None:
        if not self.degrees or min(self.degrees) < _LOWEST or max(self.degrees) > _HIGHEST:
            raise ValueError(f"degrees of SIP polynomials are {_LOWEST} to {_HIGHEST}, not {self.degrees}")


@dataclass(frozen=True, slots=True)
class Polynomials:
    """Two polynomials of two variables, without constant terms.

    Attributes
    ----------
    degree : int
    coefficients : array
        Shape (terms, 2), in the order of `powers`.
    fitted_error : float
        Largest distance from the fitted points, pixels.
    error : float
        The same with the finer grid, if the fit is good enough to be checked on that.
    """

    degree: int
    coefficients: Array
    fitted_error: float
    error: float

    @property
    def terms(self) -> list[tuple[tuple[int, int], Array]]:
        """Return powers and the pair of coefficients of each term."""
        return list(zip(powers(self.degree), self.coefficients, strict=True))

    @property
    def coarsely_sampled(self) -> bool:
        """Tell whether the fit is far worse between the points it was made from: they are too few."""
        return self.error > 5 * self.fitted_error


@dataclass(frozen=True, slots=True)
class TangentSip:
    """An approximation of a WCS.

    Attributes
    ----------
    crval : tuple of float
        Longitude and latitude of the reference pixel, degrees.
    cd : array
        From pixels to the tangent plane in degrees, shape (2, 2).
    forward : Polynomials
        A and B: what is added to distorted pixels; the linear terms are 0.
    inverse : Polynomials, optional
        AP and BP: what is added to undistorted pixels.
    """

    crval: tuple[float, float]
    cd: Array
    forward: Polynomials
    inverse: Polynomials | None


def fit_tangent_sip(
    wcs: PixelToSky,
    bounds: Bounds,
    origin: tuple[float, float],
    npoints: int,
    forward: Goal,
    inverse: Goal | None,
) -> TangentSip:
    """Fit a transform on a grid of pixels, and check it on one twice as fine.

    Parameters
    ----------
    wcs : callable
        From 0-based pixels to degrees.
    bounds : tuple
        Outer edges of the pixels to fit, ((x0, x1), (y0, y1)).
    origin : tuple of float
        The reference pixel, 0-based.
    npoints : int
        Points of the fitted grid along each axis, edges included; 8 or more.
    forward, inverse : Goal
        The inverse is not fitted if not asked for, nor if the forward polynomials turn out linear.

    Raises
    ------
    ValueError
        If the grid is too small, or if a point of it has no position on the tangent plane.
    """
    if npoints < _FEWEST:
        raise ValueError(f"{npoints} points along an axis are too few; give {_FEWEST} or more")
    if any(high - low < 1 for low, high in bounds):
        raise ValueError(f"bounds of less than a pixel: {bounds}")
    here = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # the origin and a pixel along x and y
    coarse, fine = _grid(bounds, origin, npoints), _grid(bounds, origin, 2 * npoints)
    pixels = np.concatenate([here, coarse, fine], axis=1)
    crval, plane = _on_tangent_plane(wcs, pixels, origin)
    at_origin, x, x_fine = np.split(plane, (3, 3 + coarse.shape[1]), axis=1)
    steps = at_origin[:, 1:] - at_origin[:, :1]
    scale = float(np.sqrt(abs(np.linalg.det(steps))))  # degrees a pixel: errors are told in pixels
    cd, fit = _split(_fit(coarse, x / scale, fine, x_fine / scale, forward), scale)
    if inverse is None or fit.degree == 1:
        return TangentSip(crval, cd, fit, None)
    to_pixels = np.linalg.inv(cd)
    flat, flat_fine = to_pixels @ x, to_pixels @ x_fine
    return TangentSip(crval, cd, fit, _fit(flat, coarse - flat, flat_fine, fine - flat_fine, inverse))


def powers(degree: int) -> list[tuple[int, int]]:
    """Return the powers of u and v of each term up to a degree, but for the constant."""
    return [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i) if i + j > 0]


def tangent_plane(lon: Array, lat: Array, lon0: float, lat0: float) -> Array:
    """Return gnomonic coordinates x (east) and y (north) about a position, shape (2, n); all in degrees.

    Written with differences of the angles, so that positions near the centre keep their digits; NaN where
    a position is 90 degrees or more from the centre.
    """
    turn, lat, lat0 = np.radians(lon - lon0), np.radians(lat), np.radians(lat0)
    rise = 2.0 * np.cos(lat) * np.sin(turn / 2) ** 2
    depth = np.cos(lat - lat0) - rise * np.cos(lat0)
    plane = np.array([np.cos(lat) * np.sin(turn), np.sin(lat - lat0) + rise * np.sin(lat0)])
    return np.degrees(plane / np.where(depth > 0, depth, np.nan))


def _on_tangent_plane(
    wcs: PixelToSky, pixels: Array, origin: tuple[float, float]
) -> tuple[tuple[float, float], Array]:
    """Return the position of the origin, which is the first pixel, and the pixels' places on its plane."""
    sky = wcs(pixels[0] + origin[0], pixels[1] + origin[1], with_bounding_box=False)
    lon, lat = (np.asarray(values, dtype=float) for values in sky[:2])
    crval = float(lon[0]), float(lat[0])
    plane = tangent_plane(lon, lat, *crval)
    lost = int(np.count_nonzero(~np.isfinite(plane).all(axis=0)))
    if lost:
        raise ValueError(f"{lost} of {lon.size} grid points have no position on the tangent plane")
    return crval, plane


def _grid(bounds: Bounds, origin: tuple[float, float], npoints: int) -> Array:
    """Return pixels relative to the origin, shape (2, npoints²)."""
    axes = [np.linspace(low, high, npoints) - zero for (low, high), zero in zip(bounds, origin, strict=True)]
    return np.array([values.ravel() for values in np.meshgrid(*axes)])


def _split(fit: Polynomials, scale: float) -> tuple[Array, Polynomials]:
    """Split polynomials to the plane, in units of a scale (degrees), into the CD matrix and SIP terms."""
    linear = np.sum(powers(fit.degree), axis=1) == 1
    matrix = fit.coefficients[linear][::-1].T  # the power (0, 1) comes before (1, 0)
    sip = np.linalg.solve(matrix, fit.coefficients.T).T
    sip[linear] = 0.0
    return scale * matrix, replace(fit, coefficients=sip)


def _fit(points: Array, values: Array, points_fine: Array, values_fine: Array, goal: Goal) -> Polynomials:
    """Return the polynomials of the lowest degree that reaches the goal, or else the best of those tried.

    All arrays have shape (2, n). A degree may have a larger maximum error than the one below, since it is the
    sum of squares that is least; the search goes on.
    """
    trials: list[tuple[float, int, Array]] = []
    for degree in goal.degrees:
        coefficients = _least_squares(points, values, degree)
        error = _largest_error(points, values, degree, coefficients)
        trials.append((error, degree, coefficients))
        if error <= goal.tolerance:
            break
    best = min(trials, key=lambda trial: trial[0])
    fitted, degree, coefficients = best
    checked = fitted
    if fitted <= goal.tolerance or len(goal.degrees) == 1:
        checked = max(fitted, _largest_error(points_fine, values_fine, degree, coefficients))
    return Polynomials(degree, coefficients, fitted, checked)


def _least_squares(points: Array, values: Array, degree: int) -> Array:
    """Return coefficients, shape (terms, 2); points are scaled to 1, for high powers swamp the low ones."""
    size = np.abs(points).max()
    scaled = np.linalg.lstsq(_monomials(points / size, degree), values.T, rcond=None)[0]
    return scaled / size ** np.sum(powers(degree), axis=1)[:, None]


def _largest_error(points: Array, values: Array, degree: int, coefficients: Array) -> float:
    off = values - (_monomials(points, degree) @ coefficients).T
    return float(np.hypot(*off).max())


def _monomials(points: Array, degree: int) -> Array:
    """Return each term at each point, shape (n, terms)."""
    u, v = (np.vander(values, degree + 1, increasing=True) for values in points)
    i, j = np.array(powers(degree)).T
    return u[:, i] * v[:, j]
