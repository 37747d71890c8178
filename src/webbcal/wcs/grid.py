"""Pixel maps between images, fast: exact on a coarse grid, interpolated between, to a stated accuracy.

The map from the pixels of one image to those of another on the same sky is very smooth: low polynomials, a
rotation, a tangent plane. Its interpolating polynomial in two dimensions on Chebyshev points converges
exponentially, so a few hundred exact points replace millions. On a box of pixels the polynomial is a product
of small matrices: rows × coefficients × columns. (L. N. Trefethen, "Approximation Theory and Approximation
Practice", SIAM 2013, chapters 3 and 8.)

The number of points is doubled until the interpolation is good at points in between; they are where it is
worst. A map that is not smooth enough is evaluated exactly instead, with a warning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from webbcal.core.box import Box

log = logging.getLogger(__name__)

PointMap = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

_FIRST, _LAST = 8, 64  # points along each axis
#: The error between the points is measured at some; the true one may be this much larger.
_SAFETY = 4.0


def through_the_sky(wcs_from: Any, wcs_to: Any) -> PointMap:
    """Return the exact map from pixels of one WCS to those of another.

    Bounding boxes do not count: a pixel beyond the edge of the other image has a place there too.

    Parameters
    ----------
    wcs_from, wcs_to : gwcs.WCS
        Any objects that are called for the sky position of 0-based pixels, and have `invert`.
    """

    def exact(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sky = wcs_from(x, y, with_bounding_box=False)
        to_x, to_y = wcs_to.invert(*sky, with_bounding_box=False)
        return np.asarray(to_x, float), np.asarray(to_y, float)

    return exact


class PixelMap:
    """The map from the pixels of one image to those of another.

    Parameters
    ----------
    wcs_from, wcs_to : gwcs.WCS
        World coordinates of the two images.
    shape_from : tuple of int
        Rows and columns of the source image; the map holds on all of it, to the outer edges of its pixels.
    accuracy : float
        Largest error allowed, in pixels of the target.

    Attributes
    ----------
    error : float
        The measured error of interpolation (target pixels), with a margin; 0 where the map is exact.
    points : int
        Grid points along each axis; 0 where every pixel is computed exactly.
    """

    def __init__(
        self, wcs_from: Any, wcs_to: Any, shape_from: tuple[int, int], accuracy: float = 1e-4
    ) -> None:
        self.shape = tuple(shape_from)
        self.accuracy = accuracy
        self._exact = through_the_sky(wcs_from, wcs_to)
        self.error, self.points = 0.0, 0
        self._coefficients = np.zeros((2, 0, 0))
        self._fit()

    def _fit(self) -> None:
        points, error = _FIRST, np.inf
        while points <= _LAST:
            coefficients = self._interpolant(points)
            error = _SAFETY * self._error_of(coefficients)
            if error <= self.accuracy:
                self.points, self.error = points, error
                self._coefficients = coefficients
                return
            points *= 2
        log.warning(
            "a pixel map is not smooth: interpolated from %d × %d points it is off by %.2g pixel; "
            "evaluating it exactly, which is slow",
            _LAST, _LAST, error,
        )  # fmt: skip

    def _interpolant(self, points: int) -> np.ndarray:
        """Return the Chebyshev coefficients, shape (2, points, points), along y and x."""
        nodes = np.cos(np.pi * (np.arange(points) + 0.5) / points)
        values = np.array(self._exact(*self._positions(nodes, nodes)))
        # Discrete orthogonality on these nodes: the transform is one small matrix for each axis.
        transform = chebyshev.chebvander(nodes, points - 1).T * (2.0 / points)
        transform[0] /= 2.0
        return transform @ values @ transform.T

    def _error_of(self, coefficients: np.ndarray) -> float:
        """Return the largest error at points off the grid: between, in the corners, on the edges."""
        points = coefficients.shape[-1]
        between = np.cos(np.pi * np.arange(0, points + 1, 2) / points)
        between = np.append(between, -1.0) if points % 2 else between
        exact = np.array(self._exact(*self._positions(between, between)))
        base = chebyshev.chebvander(between, points - 1)
        error = float(np.abs(base @ coefficients @ base.T - exact).max())
        return error if np.isfinite(error) else np.inf

    def _positions(self, v: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pixel coordinates x, y of a grid in -1…1 along y (v) and x (u)."""
        ny, nx = self.shape
        y, x = np.meshgrid((v + 1) * ny / 2 - 0.5, (u + 1) * nx / 2 - 0.5, indexing="ij")
        return x, y

    def _base(self, pixels: np.ndarray, size: int) -> np.ndarray:
        return chebyshev.chebvander((pixels + 0.5) * (2.0 / size) - 1.0, self.points - 1)

    def __call__(
        self, box: Box | None = None, out: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the target positions of all pixel centres of a box.

        Parameters
        ----------
        box : Box, optional
            Pixels of the source image; all by default.
        out : (2, ny, nx) float64, optional
            Where they are put.

        Returns
        -------
        x, y : ndarray
            0-based positions in the target, float64, of the shape of the box.
        """
        box = box or Box(0, self.shape[0], 0, self.shape[1])
        y, x = np.arange(box.y0, box.y1, dtype=float), np.arange(box.x0, box.x1, dtype=float)
        to = np.empty((2, *box.shape)) if out is None else out
        if self.points:
            rows, columns = self._base(y, self.shape[0]), self._base(x, self.shape[1])
            for coefficients, values in zip(self._coefficients, to, strict=True):
                np.matmul(rows @ coefficients, columns.T, out=values)
        else:
            yy, xx = np.meshgrid(y, x, indexing="ij")
            to[0], to[1] = self._exact(xx, yy)
        return to[0], to[1]

    def at(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the target positions of scattered points within the source image."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        if not self.points:
            return self._exact(x, y)
        rows, columns = self._base(y, self.shape[0]), self._base(x, self.shape[1])
        to_x, to_y = (np.sum((rows @ c) * columns, axis=-1) for c in self._coefficients)
        return to_x, to_y
