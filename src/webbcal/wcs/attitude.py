"""The attitude of the telescope: a rotation from its own frame (V1, V2, V3) to the sky (ICRS).

Directions in the telescope frame are given as JWST gives them: V2 and V3 are longitude and latitude on the
sphere around the V1 axis, in arcseconds. The roll at a position is the position angle of the V3 direction
there, east of north. (STScI report JWST-STScI-001550, "Description and Use of the JWST Science Instrument
Aperture File", section 5.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_ARCSEC = np.pi / 180.0 / 3600.0


def _rotation(axis: int, degrees: float) -> np.ndarray:
    """Return the matrix that turns vectors about an axis (0, 1, 2), anticlockwise seen from its tip."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def unit_vector(lon: np.ndarray | float, lat: np.ndarray | float) -> np.ndarray:
    """Return unit vectors, shape (3, …), of a longitude and latitude in radians."""
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def angles(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude in radians of vectors of shape (3, …)."""
    x, y, z = vector
    return np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))


@dataclass(frozen=True)
class Attitude:
    """An orientation of the telescope.

    Attributes
    ----------
    matrix : ndarray
        Rotation from telescope to sky vectors, shape (3, 3).
    """

    matrix: np.ndarray

    @classmethod
    def from_reference(cls, v2: float, v3: float, ra: float, dec: float, roll: float) -> Attitude:
        """Return the attitude that puts a telescope position on a sky position.

        Parameters
        ----------
        v2, v3 : float
            Position in the telescope frame, arcsec.
        ra, dec : float
            Where it points, degrees.
        roll : float
            Position angle of V3 at that position, degrees.
        """
        to_axis = _rotation(1, v3 / 3600.0) @ _rotation(2, -v2 / 3600.0)
        return cls(_rotation(2, ra) @ _rotation(1, -dec) @ _rotation(0, -roll) @ to_axis)

    @classmethod
    def from_v1(cls, ra: float, dec: float, pa_v3: float) -> Attitude:
        """Return the attitude of a V1 pointing and the position angle of V3 there, degrees."""
        return cls.from_reference(0.0, 0.0, ra, dec, pa_v3)

    def sky(self, v2: np.ndarray | float, v3: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Return RA (0 to 360) and Dec in degrees of telescope positions in arcsec."""
        vector = unit_vector(np.asarray(v2) * _ARCSEC, np.asarray(v3) * _ARCSEC)
        ra, dec = angles(np.tensordot(self.matrix, vector, 1))
        return np.degrees(ra) % 360.0, np.degrees(dec)

    def telescope(self, ra: np.ndarray | float, dec: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Return V2 and V3 in arcsec of sky positions in degrees."""
        vector = unit_vector(np.radians(ra), np.radians(dec))
        v2, v3 = angles(np.tensordot(self.matrix.T, vector, 1))
        return v2 / _ARCSEC, v3 / _ARCSEC

    def roll(self, v2: float, v3: float) -> float:
        """Return the position angle of V3 (0 to 360 degrees) at a telescope position in arcsec."""
        a, b = v2 * _ARCSEC, v3 * _ARCSEC
        along_v3 = np.array([-np.sin(b) * np.cos(a), -np.sin(b) * np.sin(a), np.cos(b)])
        ra, dec = (np.radians(float(v)) for v in self.sky(v2, v3))
        east = np.array([-np.sin(ra), np.cos(ra), 0.0])
        north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
        direction = self.matrix @ along_v3
        return float(np.degrees(np.arctan2(direction @ east, direction @ north))) % 360.0
