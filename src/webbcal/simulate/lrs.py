"""The low-resolution spectrometer of MIRI: where its light falls, how much of it, and what a user asks of it.

Modelled: a prism that spreads light downwards along the columns of the detector, from 5 to 14 micrometres, by
a polynomial; a trace that bends by a pixel; a slit of 4.7 by 0.51 arcsec, or none; a point-spread function of
two Gaussians whose widths go with wavelength, of which the slit takes its cut; a throughput and its loss in
time. Offsets along the slit move a source along rows; across the slit, along columns, and so in wavelength.

Not modelled: the fold of the prism below 4.5 micrometres, which leads light back, and tilt of the lines.
Sky light of a pixel is that of one pixel's width of the slit. The real slit lets in 4.6 times as much, and
blurs it; calibration has one factor for stars and sky, so one of them would be wrong. The level of the sky
can be chosen to make up for it.

Polynomials have the third degree: pipelines fit splines to the table of wavelengths, and give up detail of
0.002 in the sum of squares.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from webbcal.core.errors import ParameterError
from webbcal.simulate.spectrum import Line, Spectrum

if TYPE_CHECKING:
    from webbcal.simulate.geometry import Aperture

SLIT_LENGTH, SLIT_WIDTH = 4.724, 0.51  # arcsec
#: Rows from the source's place to those of the shortest and of the longest wavelength in the table.
ROWS_ABOVE, ROWS_BELOW = 96, 291
#: Wavelengths (micrometres) that reach the detector.
SHORTEST, LONGEST = 4.6, 14.25
#: Wavelength from the row of 5 micrometres downwards, in units of 388 rows.
_DISPERSION = (5.0, 17.4, -14.0, 5.6)
_DISPERSION_ROWS = 388.0
#: Columns by which the trace is off, over the same range.
_TRACE = (1.1, -4.8, 5.8, -1.4)
#: Share of the light and width relative to diffraction of each Gaussian.
PSF = ((0.88, 1.0), (0.12, 2.4))
_DIAMETER = 6.5e6  # micrometres
_ARCSEC = np.pi / 180.0 / 3600.0
#: Share of the throughput that is lost in the end, where the decline begins (MJD), and its time (days).
LOSS, EPOCH, DECAY = 0.06, 59720.0, 250.0
#: Along the slit from its middle: where a nod pair has the source, arcsec.
NOD = 1.1


@dataclass(frozen=True, slots=True)
class Transit:
    """A planet before the star: depth at 9 micrometres, its relative change in a micrometre, and when.

    `middle`, `duration` (first to last contact) and `ingress` are shares of the exposure.
    """

    depth: float = 0.02
    colour: float = 0.03
    middle: float = 0.5
    duration: float = 0.4
    ingress: float = 0.08

    def __post_init__(self) -> None:
        if not 0 <= self.depth < 1 or self.ingress <= 0 or self.duration < 2 * self.ingress:
            raise ParameterError(f"not a transit: {self}")

    def curve(self, when: np.ndarray) -> np.ndarray:
        """Return how far the planet is on the star, from 0 to 1."""
        inside = self.duration / 2 - np.abs(np.asarray(when) - self.middle)
        return np.clip(inside / self.ingress, 0.0, 1.0)

    def depths(self, wavelength: np.ndarray) -> np.ndarray:
        """Return the depth in mid-transit at wavelengths (micrometres)."""
        return np.asarray(self.depth * (1.0 + self.colour * (np.asarray(wavelength) - 9.0)))


def star_with_lines(level: float = 0.02) -> Spectrum:
    """Return a continuum with emission lines all over the range of the spectrometer."""
    places = (5.8, 6.9, 8.2, 9.6, 10.8, 12.0, 13.1)
    # In the pixels of the spectrometer, about half as high as the continuum.
    return Spectrum(level, slope=-0.8, lines=tuple(Line(w, 0.06 * level, 0.01) for w in places))


@dataclass(frozen=True, slots=True)
class Lrs:
    """What the low-resolution spectrometer looks at.

    Attributes
    ----------
    source : Spectrum, optional
        Of a point source, Jy; none for an exposure of the background.
    sky : Spectrum
        MJy/sr.
    offset : tuple of float
        Where the pattern puts the target, arcsec along and across the slit.
    position, positions : int
        Which of how many positions of the pattern.
    transit : Transit, optional
        Makes the exposure a time series.
    """

    source: Spectrum | None = field(default_factory=star_with_lines)
    sky: Spectrum = field(default_factory=lambda: Spectrum(200.0, 10.0, 2.0))
    offset: tuple[float, float] = (0.0, 0.0)
    position: int = 1
    positions: int = 1
    transit: Transit | None = None


def wavelength(rows: np.ndarray) -> np.ndarray:
    """Return the wavelength (micrometres) that falls `rows` above the place of the source."""
    u = (ROWS_ABOVE - np.asarray(rows, float)) / _DISPERSION_ROWS
    return np.polynomial.polynomial.polyval(u, _DISPERSION)


def trace(rows: np.ndarray) -> np.ndarray:
    """Return by how many columns the light is off, `rows` above the place of the source."""
    u = (ROWS_ABOVE - np.asarray(rows, float)) / _DISPERSION_ROWS
    return np.polynomial.polynomial.polyval(u, _TRACE) - np.polynomial.polynomial.polyval(
        ROWS_ABOVE / _DISPERSION_ROWS, _TRACE
    )


def throughput(wave: np.ndarray) -> np.ndarray:
    """Return electrons per photon that reaches the primary mirror, at wavelengths (micrometres)."""
    wave = np.asarray(wave, float)
    ripple = 1.0 + 0.05 * np.sin(1.7 * wave + 0.4) + 0.03 * np.cos(0.9 * wave)
    return np.asarray(0.11 * ripple * np.exp(-0.5 * ((wave - 8.0) / 4.5) ** 2))


def throughput_left(mjd: float) -> float:
    """Return the share of the throughput that is left at a time (MJD)."""
    return float(1.0 - LOSS + LOSS * np.exp(-(mjd - EPOCH) / DECAY))


def sigmas(wave: np.ndarray, scale: float) -> list[tuple[float, np.ndarray]]:
    """Return share and sigma (pixels of `scale` arcsec) of each Gaussian of the point-spread function."""
    core = 1.02 * np.asarray(wave, float) / _DIAMETER / _ARCSEC / 2.3548 / scale
    return [(share, core * factor) for share, factor in PSF]


def slit_share(sigma: np.ndarray, across: float, scale: float) -> np.ndarray:
    """Return how much of a Gaussian (sigma and place across the slit in pixels) the slit's width lets in."""
    from scipy.special import ndtr

    half = SLIT_WIDTH / scale / 2.0
    return np.asarray(ndtr((half - across) / sigma) - ndtr((-half - across) / sigma))


def transmission(wave: np.ndarray, across: float, along: float, scale: float) -> np.ndarray:
    """Return the share of a star's light that passes the slit, the star being off its middle (pixels)."""
    from scipy.special import ndtr

    half = SLIT_LENGTH / scale / 2.0
    return np.asarray(
        sum(
            share * slit_share(s, across, scale) * (ndtr((half - along) / s) - ndtr((-half - along) / s))
            for share, s in sigmas(wave, scale)
        )
    )


def has_slit(aperture: Aperture) -> bool:
    """Tell whether light comes through the slit."""
    return aperture.subarray == "FULL"
