"""The coordinate frames of an imaging WCS, with the names and units that the field knows."""

from __future__ import annotations

from typing import Any

from astropy import coordinates
from astropy import units as u
from gwcs import coordinate_frames

DETECTOR, V2V3, V2V3_CORRECTED, WORLD = "detector", "v2v3", "v2v3vacorr", "world"


def detector() -> Any:
    """Pixels: (0, 0) is the centre of the first pixel of the science array."""
    return coordinate_frames.Frame2D(name=DETECTOR, axes_order=(0, 1), unit=(u.pix, u.pix))


def telescope(name: str) -> Any:
    """V2 and V3 in arcseconds: as seen (v2v3), or with the velocity aberration corrected (v2v3vacorr)."""
    return coordinate_frames.Frame2D(
        name=name, axes_order=(0, 1), axes_names=("v2", "v3"), unit=(u.arcsec, u.arcsec)
    )


def world() -> Any:
    """RA and Dec in degrees, ICRS."""
    return coordinate_frames.CelestialFrame(reference_frame=coordinates.ICRS(), name=WORLD)
