"""Areas on the sky, in steradians."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.wcs.of_model import bounds_of

F64 = NDArray[np.float64]

#: Pixels between the points of an outline: distortion bends it.
_SPACING = 15


def polygon_area(ra: F64, dec: F64) -> float:
    """Return the area of a polygon (degrees) whose sides are great circles, without regard to its sense.

    It is fanned into triangles from its mean direction; the area of each is its spherical excess. (A. Van
    Oosterom and J. Strackee, "The Solid Angle of a Plane Triangle", IEEE Trans. Biomed. Eng. 30 (1983), 125.)
    """
    lon, lat = np.radians(ra), np.radians(dec)
    corners = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]).T
    centre = corners.mean(axis=0)
    centre /= np.linalg.norm(centre)
    # Differences from the centre keep the digits that the cross product of nearly equal vectors would lose.
    a = corners - centre
    b = np.roll(a, -1, axis=0)
    triple = np.cross(a, b) @ centre
    dots = corners @ centre
    following = np.roll(corners, -1, axis=0)
    denominator = 1.0 + dots + np.roll(dots, -1) + np.sum(corners * following, axis=1)
    return abs(float(np.sum(2.0 * np.arctan2(triple, denominator))))


def mean_pixel_area(wcs: Any, shape: tuple[int, int]) -> float:
    """Return the mean area of the pixels within the bounding box of a WCS (the whole array if it has none).

    Parameters
    ----------
    wcs : gwcs.WCS
        From 0-based pixels to RA, Dec in degrees.
    shape : tuple of int
        Rows and columns.
    """
    (x0, x1), (y0, y1) = pixel_bounds(wcs, shape)
    across, up = (max(1, round((b - a) / _SPACING)) for a, b in ((x0, x1), (y0, y1)))
    u, v = np.linspace(x0, x1, across, endpoint=False), np.linspace(y0, y1, up, endpoint=False)
    x = np.concatenate([u, np.full(up, x1), x1 + x0 - u, np.full(up, x0)])
    y = np.concatenate([np.full(across, y0), v, np.full(across, y1), y1 + y0 - v])
    ra, dec = wcs(x, y, with_bounding_box=False)
    return polygon_area(np.asarray(ra, float), np.asarray(dec, float)) / ((x1 - x0) * (y1 - y0))


def pixel_bounds(wcs: Any, shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first and last column and row whose pixels lie in the bounding box of a WCS."""
    ny, nx = shape
    bounds = bounds_of(wcs)
    if bounds is None:
        return (0, nx - 1), (0, ny - 1)
    (x0, x1), (y0, y1) = bounds
    columns = max(0, int(x0 + 0.5)), min(nx - 1, int(x1 + 0.5))
    rows = max(0, int(y0 + 0.5)), min(ny - 1, int(y1 + 0.5))
    return columns, rows
