"""An extracted spectrum beside the spectrum that was simulated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from webbcal import datamodels
from webbcal.core.errors import InputError
from webbcal.simulate.truth import Truth

#: Pixels to both sides of a line that a fit looks at, and those that the ends of a spectrum are short of.
_REACH, _ENDS = 8, 3


@dataclass(frozen=True)
class LineFound:
    """A line: its true wavelength (micrometres) and how far off it was found, pixels of the spectrum."""

    wavelength: float
    offset: float


@dataclass(frozen=True)
class SpectrumComparison:
    """A spectrum and its truth, by growing wavelength.

    Attributes
    ----------
    wavelength : ndarray
        Micrometres.
    flux, error, truth : ndarray
        Jy; the truth as blurred by the optics.
    pixels : ndarray
        How many pixels were extracted.
    lines : tuple of LineFound
    """

    wavelength: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    truth: np.ndarray
    pixels: np.ndarray
    lines: tuple[LineFound, ...]

    @property
    def pulls(self) -> np.ndarray:
        """Measured minus true, in units of the stated errors."""
        return np.asarray((self.flux - self.truth) / self.error)

    @property
    def excess(self) -> np.ndarray:
        """Measured over true, minus one."""
        return np.asarray(self.flux / self.truth - 1.0)


def compare_spectrum(x1d: Path, truth: Path) -> SpectrumComparison:
    """Compare an extracted spectrum with the truth of an exposure.

    Parameters
    ----------
    x1d : Path
        The product of `extract_1d`; its first spectrum is taken.
    truth : Path
        Truth file of the simulator.

    Raises
    ------
    InputError
        If the truth holds no spectrum, or the product no valid point.
    """
    known = Truth.load(truth)
    if known.spectrum is None:
        raise InputError(f"{truth} is not of an exposure of spectra")
    with datamodels.open(x1d) as model:
        table = np.array(model.spec[0].spec_table)
    names = {name.upper(): name for name in table.dtype.names or ()}
    columns = ("WAVELENGTH", "FLUX", "FLUX_ERROR", "NPIXELS")
    wave, flux, error, pixels = (table[names[n]].astype(float) for n in columns)
    good = np.isfinite(wave) & np.isfinite(flux) & (error > 0)
    if not good.any():
        raise InputError(f"{x1d} has no valid flux")
    order = np.flatnonzero(good)[np.argsort(wave[good])]
    wave, flux, error, pixels = (values[order] for values in (wave, flux, error, pixels))
    seen = known.spectrum[np.argsort(known.spectrum["wavelength"])]
    true = np.interp(wave, seen["wavelength"], seen["seen"])
    places = np.array([]) if known.lines is None else known.lines
    found = (_find(wave, flux, error, true, float(place)) for place in places)
    lines = tuple(line for line in found if line is not None)
    return SpectrumComparison(wave, flux, error, true, pixels, lines)


def _find(
    wave: np.ndarray, flux: np.ndarray, error: np.ndarray, truth: np.ndarray, place: float
) -> LineFound | None:
    """Fit a line in the spectrum and in its truth alike; None if it is beyond the ends."""
    middle = int(np.argmin(np.abs(wave - place)))
    if not _REACH + _ENDS <= middle < len(wave) - _REACH - _ENDS:
        return None
    part = slice(middle - _REACH, middle + _REACH + 1)
    pixel = np.arange(-_REACH, _REACH + 1.0)
    measured, true = (_centre(pixel, values[part], error[part]) for values in (flux, truth))
    return LineFound(place, measured - true)


def _centre(x: np.ndarray, values: np.ndarray, error: np.ndarray) -> float:
    """Return the centre of a Gaussian on a sloping continuum, fitted by weighted least squares."""
    from scipy.optimize import least_squares

    def residuals(p: np.ndarray) -> np.ndarray:
        level, slope, height, centre, sigma = p
        line = height * np.exp(-0.5 * ((x - centre) / sigma) ** 2)
        return np.asarray((level + slope * x + line - values) / error)

    level = float(np.median(values))
    start = (level, 0.0, float(values[len(x) // 2] - level), 0.0, 1.5)
    return float(least_squares(residuals, start, x_scale=(level, level, level, 1.0, 1.0)).x[3])
