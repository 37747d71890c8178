"""Columns of a spectrum, from sums over pixels: units, averages, errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.spectra.planes import COMPONENTS

F64 = NDArray[np.float64]
#: By name: (integrations, samples).
Columns = dict[str, NDArray[Any]]

#: Columns that an aperture correction multiplies, and those that it multiplies twice.
CORRECTED = ("FLUX", "FLUX_ERROR", "SURF_BRIGHT", "SB_ERROR")
CORRECTED_TWICE = tuple(f"{kind}_VAR_{name.upper()}" for kind in ("FLUX", "SB") for name in COMPONENTS)


@dataclass(frozen=True)
class Units:
    """What the columns of a spectrum are in.

    Attributes
    ----------
    flux, brightness : str
        Units of fluxes and of surface brightness.
    flux_variance, brightness_variance : str
        Of their variances.
    factor : float
        From sums over pixels to flux.
    background_factor : float
        From means of pixels to the surface brightness of the background.
    has_brightness : bool
        Whether surface brightness makes sense.
    """

    flux: str
    flux_variance: str
    brightness: str
    brightness_variance: str
    factor: float
    background_factor: float
    has_brightness: bool

    @classmethod
    def counts(cls, has_brightness: bool) -> Units:
        """Count rates, where photom was not applied."""
        return cls("DN/s", "DN^2 / s^2", "DN/s", "DN^2 / s^2", 1.0, 1.0, has_brightness)

    @classmethod
    def janskys(cls, pixel_area: float, in_flux: bool, has_brightness: bool) -> Units:
        """Flux densities.

        Parameters
        ----------
        pixel_area : float
            Solid angle of a pixel, sr.
        in_flux : bool
            Whether the image is in MJy (point sources of NIRSpec), not in MJy/sr.
        has_brightness : bool
        """
        names = ("Jy", "Jy^2", "MJy/sr", "MJy^2 / sr^2")
        if in_flux:
            return cls(*names, 1e6, 1 / pixel_area, False)
        return cls(*names, pixel_area * 1e6, 1.0, has_brightness)

    def of_column(self, name: str) -> str | None:
        """Return the unit of a column."""
        if name == "WAVELENGTH":
            return "um"
        if name in ("DQ", "NPIXELS"):
            return None
        variance, flux = "_VAR_" in name, name.startswith("FLUX")
        if flux:
            return self.flux_variance if variance else self.flux
        return self.brightness_variance if variance else self.brightness


def columns_of(
    wavelength: F64,
    flux: F64,
    variances: F64,
    background: F64,
    background_variances: F64,
    npixels: F64,
    units: Units,
) -> Columns:
    """Return the columns of the spectra of integrations.

    Parameters
    ----------
    wavelength : (samples,) float64
    flux, background, npixels : (integrations, samples) float64
        Sums over pixels.
    variances, background_variances : (integrations, 3, samples) float64
    units : Units
    """
    per_pixel = 1 / np.where(npixels > 0, npixels, 1.0)
    bright = per_pixel if units.has_brightness else np.zeros_like(per_pixel)
    level = per_pixel * units.background_factor
    columns: Columns = {"WAVELENGTH": np.broadcast_to(wavelength, flux.shape), "FLUX": flux * units.factor}
    columns |= _errors("FLUX_ERROR", "FLUX", variances, np.full_like(per_pixel, units.factor))
    columns["SURF_BRIGHT"] = flux * bright if units.has_brightness else np.zeros_like(flux)
    columns |= _errors("SB_ERROR", "SB", variances, bright)
    missing = np.isnan(flux)
    columns["DQ"] = np.where(missing, np.uint32(dqflags.pixel["DO_NOT_USE"]), np.uint32(0))
    columns["BACKGROUND"] = background * level
    columns |= _errors("BKGD_ERROR", "BKGD", background_variances, level)
    columns["NPIXELS"] = npixels
    return columns


def _errors(error: str, kind: str, variances: F64, factor: F64) -> Columns:
    """Return an error and the variances that it is made of."""
    scaled = variances * factor[:, None] ** 2
    if not factor.any():  # of what makes no sense, whatever its variance is
        scaled = np.zeros_like(variances)
    names = (f"{kind}_VAR_{name.upper()}" for name in COMPONENTS)
    return {error: np.sqrt(scaled.sum(axis=1)), **dict(zip(names, np.moveaxis(scaled, 1, 0), strict=True))}


def correct(columns: Columns, factor: F64) -> None:
    """Apply an aperture correction (integrations, samples)."""
    for name in CORRECTED:
        columns[name] = columns[name] * factor
    for name in CORRECTED_TWICE:
        columns[name] = columns[name] * factor**2
