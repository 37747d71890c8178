"""A small part of the sky as a plane: offsets to the east and north of a point, in arcsec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbcal.plots.sky_axes import label_sky

F64 = NDArray[np.float64]

_ARCSEC = 3600.0


@dataclass(frozen=True)
class Tangent:
    """The plane that touches the sky at a point.

    Attributes
    ----------
    ra, dec : float
        Degrees.
    """

    ra: float
    dec: float

    @classmethod
    def around(cls, points: F64) -> Self:
        """Return the plane at the middle of points, (n, 2): RA, Dec in degrees."""
        ra, dec = np.radians(points).T
        x, y, z = np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)
        middle = [(v.min() + v.max()) / 2 for v in (x, y, z)]
        return cls(
            float(np.degrees(np.arctan2(middle[1], middle[0])) % 360),
            float(np.degrees(np.arctan2(middle[2], np.hypot(middle[0], middle[1])))),
        )

    def offsets(self, ra: ArrayLike, dec: ArrayLike) -> tuple[F64, F64]:
        """Return offsets to the east and north (gnomonic projection), arcsec."""
        a, d = np.radians(np.asarray(ra, float) - self.ra), np.radians(np.asarray(dec, float))
        d0 = np.radians(self.dec)
        depth = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a)
        east = np.cos(d) * np.sin(a) / depth
        north = (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a)) / depth
        return np.degrees(east) * _ARCSEC, np.degrees(north) * _ARCSEC

    @property
    def wcs(self) -> Any:
        """A WCS whose pixels are arcsec: x to the west, y to the north, (0, 0) at the point."""
        from astropy.wcs import WCS

        made = WCS(naxis=2)
        made.wcs.ctype = "RA---TAN", "DEC--TAN"
        made.wcs.cunit = "deg", "deg"
        made.wcs.crval = self.ra, self.dec
        made.wcs.crpix = 1.0, 1.0
        made.wcs.cdelt = -1 / _ARCSEC, 1 / _ARCSEC
        return made

    def prepare(self, axes: Any, ours: bool) -> float:
        """Name axes; return the sign of offsets to the east on them."""
        if ours:
            label_sky(axes)
            return -1.0
        axes.set(xlabel="East (arcsec)", ylabel="North (arcsec)")
        return 1.0

    def frame(self, axes: Any, reach: float, ours: bool) -> None:
        """Show as many arcsec around the point, east to the left."""
        axes.set_aspect("equal")
        axes.set_xlim(*((-reach, reach) if ours else (reach, -reach)))
        axes.set_ylim(-reach, reach)
