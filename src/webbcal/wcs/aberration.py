"""Velocity aberration: what the motion of the telescope does to directions and to the plate scale.

Source: C. Cox, STScI Instrument Science Report OSG-CAL-97-06 (1997); the exact Lorentz transformation of a
direction. JWST's 30 km/s move a star by up to 20 arcsec, which guiding takes out, and change the plate scale
by up to 1e-4, which the WCS corrects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from webbcal.wcs.attitude import angles, unit_vector

_SPEED_OF_LIGHT = 299792.458  # km/s


def aberration(velocity: Sequence[float], ra: float, dec: float) -> tuple[float, float, float]:
    """Return the scale factor and the apparent position of a star.

    Parameters
    ----------
    velocity : sequence of float
        Barycentric velocity of the telescope in km/s; equatorial axes of the catalogue's equinox.
    ra, dec : float
        Position in a catalogue, degrees.

    Returns
    -------
    scale : float
        Ratio of the plate scale on the sky to that seen from the moving telescope (VA_SCALE).
    apparent_ra, apparent_dec : float
        Degrees.
    """
    beta = np.asarray(velocity, float) / _SPEED_OF_LIGHT
    direction = unit_vector(np.radians(ra), np.radians(dec))
    beta2, along = float(beta @ beta), float(direction @ beta)
    if beta2 == 0.0:
        return 1.0, ra, dec
    inverse_gamma = np.sqrt(1.0 - beta2)
    seen = inverse_gamma * direction + beta * (1.0 + (1.0 - inverse_gamma) * along / beta2)
    lon, lat = angles(seen / (1.0 + along))
    return (1.0 + along) / inverse_gamma, float(np.degrees(lon)) % 360.0, float(np.degrees(lat))
