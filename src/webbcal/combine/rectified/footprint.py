"""Footprints of rectified spectra: S_REGION."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.combine.members.footprints import polygons_of
from webbcal.combine.rectified.grid import SpectralGrid, unwrapped
from webbcal.wcs.footprint import s_region

F64 = NDArray[np.float64]


def slit_region(first: Any, grid: SpectralGrid) -> str:
    """Return the footprint of a slit of MIRI: as long as the grid, as wide as that of the first exposure.

    Raises
    ------
    InputError
        If the first exposure has no footprint.
    """
    corners = _vectors(*polygons_of(first)[0][:4].T)
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width = 2 * np.arcsin(np.min(sides) / 2)
    ny, nx = grid.shape
    ra, dec = (np.asarray(v) for v in grid.wcs(np.array([0, nx - 1]), np.array([0, ny - 1]))[:2])
    start, end = _vectors(ra, dec)
    return s_region(np.array([
        _beside(start, end, -width / 2), _beside(end, start, width / 2),
        _beside(end, start, -width / 2), _beside(start, end, width / 2),
    ]))  # fmt: skip


def _beside(point: F64, other: F64, distance: float) -> tuple[float, float]:
    """Return RA and Dec of the place so far (radians) to the right of a point, if one looks at the other."""
    aside = np.cross(other, point)
    vector = np.cos(distance) * point - np.sin(distance) * -aside / np.linalg.norm(aside)
    lon, lat = np.arctan2(vector[1], vector[0]), np.arctan2(vector[2], np.hypot(vector[0], vector[1]))
    return float(np.degrees(lon) % 360.0), float(np.degrees(lat))


def _vectors(ra: F64, dec: F64) -> F64:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]).T


def spectral_region(grid: SpectralGrid) -> str | None:
    """Return the box of RA and Dec around all pixels of a grid; None if none has a position."""
    y, x = np.indices(grid.shape, dtype=float)
    ra, dec = (np.asarray(v, float) for v in grid.wcs(x, y)[:2])
    good = np.isfinite(ra) & np.isfinite(dec)
    if not good.any():
        return None
    ra, dec = unwrapped(ra[good]), dec[good]
    (west, east), (south, north) = (ra.min() % 360.0, ra.max() % 360.0), (dec.min(), dec.max())
    return s_region(np.array([(west, south), (east, south), (east, north), (west, north)]))
