"""A star with a transiting planet, seen by NIRISS through the grism GR700XD (single-object slitless spectra).

Modelled: orders 1 and 2 as curved traces with wavelengths along them; a spectrum like that of a warm star,
with the throughput of each order; the broad, flat profile that the weak lens of the grism makes across the
trace; a transit with a trapezoidal light curve whose depth may depend on wavelength; order 2 where it crosses
the edge of the subarray. Not modelled: order 3, order 0 of field stars, the step in the background, tilt of
monochromatic lines, limb darkening, motion of the pupil wheel between exposures.

Positions and wavelengths are simple functions of our own, near those of the instrument: what a calibration
must find again is what the PASTASOSS file that is written from them says (`references_soss`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.core.errors import ParameterError
from webbcal.simulate.geometry import Aperture

#: Where the pupil wheel stands, degrees.
PUPIL_POSITION = 245.76
#: Subarrays that hold the traces, and the row of SUBSTRIP256 at which they begin.
SUBARRAYS = {"SUBSTRIP256": 0, "SUBSTRIP96": 10, "FULL": -1792}
COLUMNS = 2048
#: Half the width of the profile and the steepness of its edges.
_HALFWIDTH, _STEEPNESS = 11.0, 8
#: Order -> (longest wavelength, micrometres lost from column to column).
DISPERSION = {1: (2.83, 0.00097), 2: (1.47, 0.00045)}
#: Order -> (lowest row of the trace, column where it is lowest, rows by which it rises within 1000 columns).
_CURVE = {1: (40.0, 1250.0, 38.0), 2: (82.0, 850.0, 62.0)}
#: Order -> (relative brightness, wavelength of the blaze, its width).
_BLAZE = {1: (1.0, 1.25, 0.55), 2: (0.35, 0.75, 0.18)}


@dataclass(frozen=True, slots=True)
class Soss:
    """A star and its planet.

    Attributes
    ----------
    peak : float
        Light in the brightest pixel of order 1, e-/s.
    depth : float
        Share of the light that is lost in mid-transit, at 1.7 micrometres.
    colour : float
        Relative change of the depth in a micrometre.
    middle, duration, ingress : float
        Middle of the transit, its length from first to last contact, and the length of ingress and egress, as
        shares of the exposure.
    """

    peak: float = 600.0
    depth: float = 0.02
    colour: float = 0.1
    middle: float = 0.5
    duration: float = 0.4
    ingress: float = 0.06

    def __post_init__(self) -> None:
        if self.peak <= 0 or not 0 <= self.depth < 1 or self.ingress <= 0 or self.duration < 2 * self.ingress:
            raise ParameterError(f"not a star with a transit: {self}")

    def curve(self, when: np.ndarray) -> np.ndarray:
        """Return how far the planet is on the star, from 0 to 1, at times that are shares of the exposure."""
        inside = self.duration / 2 - np.abs(np.asarray(when) - self.middle)
        return np.clip(inside / self.ingress, 0.0, 1.0)

    def light(self, aperture: Aperture) -> tuple[np.ndarray, np.ndarray]:
        """Return the light of the star, and what the planet takes of it in mid-transit, e-/s."""
        if aperture.subarray not in SUBARRAYS:
            raise ParameterError(
                f"spectra of SOSS fall on {', '.join(SUBARRAYS)}, not on {aperture.subarray}"
            )
        star, lost = np.zeros(aperture.shape), np.zeros(aperture.shape)
        rows = np.arange(aperture.shape[0])[:, None] + SUBARRAYS[aperture.subarray]
        for order in DISPERSION:
            wave = wavelength(order, np.arange(COLUMNS))
            profile = np.exp(-(((rows - trace(order, np.arange(COLUMNS))) / _HALFWIDTH) ** _STEEPNESS))
            light = self.peak * profile * _spectrum(order, wave)
            star += light
            lost += light * self.depth * (1 + self.colour * (wave - 1.7))
        return star.astype(np.float32), lost.astype(np.float32)


def trace(order: int, x: np.ndarray) -> np.ndarray:
    """Return the row of SUBSTRIP256 on which an order lies at a column."""
    lowest, column, rise = _CURVE[order]
    return np.asarray(lowest + rise * ((x - column) / 1000.0) ** 2)


def wavelength(order: int, x: np.ndarray) -> np.ndarray:
    """Return the wavelength (micrometres) of an order at a column."""
    longest, step = DISPERSION[order]
    return np.asarray(longest - step * x)


def _spectrum(order: int, wave: np.ndarray) -> np.ndarray:
    """Return the relative light of an order: the star's, times the throughput."""
    height, blaze, width = _BLAZE[order]
    return np.asarray(height * np.exp(-(((wave - blaze) / width) ** 2) / 2) * (1.1 - 0.12 * wave))
