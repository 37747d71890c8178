"""The tangent plane of FITS: alone, and with the linear transform and the rotation around it.

Source: M. R. Calabretta and E. W. Greisen, "Representations of celestial coordinates in FITS",
A&A 395 (2002), 1077.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.wcs.kinds.directions import to_angles, to_vector
from webbcal.wcs.kinds.kind import ASDF, F64, GWCS, Function, Kind, Transform, Unknown


class TangentPlane:
    """Pixels to the sky by a tangent plane (TAN), and back.

    Parameters
    ----------
    crpix : pair of float
        0-based reference pixel (x, y).
    crval : pair of float
        Its RA and Dec, degrees.
    cdelt : pair of float
        Degrees a pixel along both axes.
    pc : (2, 2) array
        Rotation of the pixel axes to those of the sky.
    """

    def __init__(self, crpix: Any, crval: Any, cdelt: Any, pc: Any) -> None:
        self.crpix, self.crval, self.cdelt = (np.asarray(v, float) for v in (crpix, crval, cdelt))
        self._matrix = self.cdelt[:, None] * np.asarray(pc, float)
        self._inverse = np.linalg.inv(self._matrix)
        # The rows are the directions of the plane's axes (east, north) and of its centre.
        ra, dec = np.radians(self.crval)
        east = [-np.sin(ra), np.cos(ra), 0.0]
        north = [-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)]
        centre = [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
        self._axes = np.array([east, north, centre])

    def forward(self, x: F64, y: F64) -> tuple[F64, F64]:
        """Return RA (0 to 360) and Dec of pixels."""
        u, v = x - self.crpix[0], y - self.crpix[1]
        (a, b), (c, d) = np.radians(self._matrix)
        xi, eta = a * u + b * v, c * u + d * v
        e, n, m = self._axes
        return to_angles(*(m[k] + xi * e[k] + eta * n[k] for k in range(3)))

    def backward(self, ra: F64, dec: F64) -> tuple[F64, F64]:
        """Return pixels; NaN for directions that are not before the plane."""
        vector = to_vector(np.asarray(ra, float), np.asarray(dec, float))
        e, n, m = (axis[0] * vector[0] + axis[1] * vector[1] + axis[2] * vector[2] for axis in self._axes)
        with np.errstate(invalid="ignore", divide="ignore"):
            before = np.where(m > 0, m, np.nan)
            xi, eta = np.degrees(e / before), np.degrees(n / before)
        (a, b), (c, d) = self._inverse
        return a * xi + b * eta + self.crpix[0], c * xi + d * eta + self.crpix[1]


def _fitswcs(t: Transform) -> Function:
    return _tangent_plane(t).forward


def _fitswcs_back(t: Transform) -> Function:
    return _tangent_plane(t).backward


def _tangent_plane(t: Transform) -> TangentPlane:
    projection = t.part(t["projection"])
    if projection.kind.tag != ASDF + "gnomonic" or projection["direction"] != "pix2sky":
        raise Unknown(projection.tag)
    return TangentPlane(t["crpix"], t["crval"], t["cdelt"], t["pc"])


def plane_to_native(x: F64, y: F64) -> tuple[F64, F64]:
    """Return native longitudes (-180 to 180) and latitudes of places on the plane, all in degrees."""
    distance = np.hypot(x, y)
    return np.degrees(np.arctan2(x, -y)), np.degrees(np.arctan2(np.degrees(1.0), distance))


def native_to_plane(lon: F64, lat: F64) -> tuple[F64, F64]:
    """Return places on the plane, degrees; NaN for directions that are not before it."""
    lon, lat = np.radians(lon), np.radians(lat)
    height = np.sin(lat)
    with np.errstate(invalid="ignore"):
        distance = np.degrees(np.cos(lat) / np.where(height > 0, height, np.nan))
    return distance * np.sin(lon), -distance * np.cos(lon)


_GNOMONIC: dict[str, tuple[Function, Function]] = {
    "pix2sky": (plane_to_native, native_to_plane),
    "sky2pix": (native_to_plane, plane_to_native),
}


KINDS = (
    Kind(
        ASDF + "gnomonic",
        2,
        2,
        lambda t: _GNOMONIC[t["direction"]][0],
        lambda t: _GNOMONIC[t["direction"]][1],
    ),
    Kind(GWCS + "fitswcs_imaging", 2, 2, _fitswcs, _fitswcs_back),
)
