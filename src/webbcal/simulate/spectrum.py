"""Spectra of what is on the sky: a continuum and lines whose wavelengths and fluxes are known.

Modelled: a continuum that is a power law or a black body, and Gaussian lines in emission or absorption.
A spectrum is of flux density (Jy) or of surface brightness (MJy/sr): the numbers are the same. Lines are
integrated exactly over whatever bin they fall into, so that one narrower than a pixel loses nothing.

Not modelled: bands and edges, extinction, variability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.core.errors import ParameterError

#: Second radiation constant, micrometres times kelvin.
_C2 = 14387.77


@dataclass(frozen=True, slots=True)
class Line:
    """A Gaussian line.

    Attributes
    ----------
    wavelength : float
        Of its centre, micrometres.
    strength : float
        Its integral over wavelength in units of the spectrum times micrometres; negative in absorption.
    sigma : float
        Its width, micrometres.
    """

    wavelength: float
    strength: float
    sigma: float = 0.005

    def __post_init__(self) -> None:
        if self.wavelength <= 0 or self.sigma <= 0:
            raise ParameterError(f"a line needs a wavelength and a width: {self}")

    def integral(self, edges: np.ndarray) -> np.ndarray:
        """Return the line's share between successive edges (micrometres), times its strength."""
        from scipy.special import ndtr

        return np.asarray(self.strength * np.diff(ndtr((edges - self.wavelength) / self.sigma)))


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A continuum and lines.

    Attributes
    ----------
    level : float
        The continuum at the pivot: Jy, or MJy/sr of an extended source.
    pivot : float
        Micrometres.
    slope : float
        The continuum goes as wavelength to this power (per unit frequency), times the black body if any.
    temperature : float
        Of a black body (kelvin); 0 for none.
    lines : tuple of Line
    """

    level: float = 0.02
    pivot: float = 8.0
    slope: float = 0.0
    temperature: float = 0.0
    lines: tuple[Line, ...] = ()

    def __post_init__(self) -> None:
        if self.level < 0 or self.pivot <= 0 or self.temperature < 0:
            raise ParameterError(f"level, pivot and temperature of a spectrum cannot be negative: {self}")

    def continuum(self, wavelength: np.ndarray) -> np.ndarray:
        """Return the continuum at wavelengths (micrometres)."""
        wave = np.asarray(wavelength, float)
        values = self.level * (wave / self.pivot) ** self.slope
        if self.temperature:
            values = values * _planck(wave, self.temperature) / _planck(self.pivot, self.temperature)
        return np.asarray(values)

    def __call__(self, wavelength: np.ndarray) -> np.ndarray:
        """Return continuum and lines at wavelengths (micrometres)."""
        wave = np.asarray(wavelength, float)
        values = self.continuum(wave)
        for line in self.lines:
            shape = np.exp(-0.5 * ((wave - line.wavelength) / line.sigma) ** 2)
            values = values + line.strength / (np.sqrt(2.0 * np.pi) * line.sigma) * shape
        return values

    def mean(self, edges: np.ndarray) -> np.ndarray:
        """Return the mean between successive edges (micrometres, either direction): lines exactly."""
        edges = np.asarray(edges, float)
        values = self.continuum((edges[1:] + edges[:-1]) / 2.0)
        for line in self.lines:
            values = values + line.integral(edges) / np.diff(edges)
        return values


def _planck(wave: np.ndarray | float, temperature: float) -> np.ndarray:
    """Return a black body's relative flux density per unit frequency."""
    return np.asarray(wave, float) ** -3.0 / np.expm1(_C2 / (np.asarray(wave, float) * temperature))
