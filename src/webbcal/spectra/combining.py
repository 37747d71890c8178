"""Several spectra of a source made one: common wavelengths, weighted means.

Wavelengths of the result are those of clusters of the inputs' (`kernels.wavelengths`); each sample counts for
the nearest of them. Of several samples of one spectrum that come to the same, the last counts.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core import dqflags

log = logging.getLogger(__name__)

wavelengths = kernels.get("wavelengths")

F64 = NDArray[np.float64]
_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])

#: What is averaged: columns of a spectrum, and of what comes of them.
AVERAGED = {"FLUX": "FLUX", "FLUX_ERROR": "ERROR", "SURF_BRIGHT": "SURF_BRIGHT", "SB_ERROR": "SB_ERROR"}


@dataclass(frozen=True)
class InputSpectrum:
    """One spectrum to be combined.

    Attributes
    ----------
    columns : dict
        ``WAVELENGTH``, ``DQ`` and those in `AVERAGED`, (samples,).
    weight : float
    """

    columns: dict[str, NDArray[np.generic]]
    weight: float

    @property
    def wavelength(self) -> F64:
        """Wavelengths, µm."""
        return np.asarray(self.columns["WAVELENGTH"], float)

    @property
    def why_unusable(self) -> str | None:
        """Why it cannot be combined, or None."""
        if not np.isfinite(np.asarray(self.columns["FLUX"], float)).any():
            return "has no valid flux values"
        steps = np.diff(self.wavelength)
        if not ((steps > 0).all() or (steps < 0).all()):
            return "has wavelengths that go up and down"
        return None


@dataclass(frozen=True)
class CombinedSpectrum:
    """What comes of several spectra.

    Attributes
    ----------
    columns : dict
        By name, (samples,).
    grid : (samples,) float64
        All wavelengths, those without data too.
    """

    columns: dict[str, NDArray[np.generic]]
    grid: F64


def combine(spectra: Sequence[InputSpectrum], sigma_clip: float | None) -> CombinedSpectrum:
    """Return the weighted mean of spectra.

    Parameters
    ----------
    spectra : sequence of InputSpectrum
    sigma_clip : float or None
        Limit beyond which samples are left out, in median absolute deviations (one for all wavelengths).
    """
    grid = common_wavelengths([spectrum.wavelength for spectrum in spectra])
    values = {name: np.zeros((len(spectra), len(grid))) for name in (*AVERAGED, "WEIGHT", "COUNT")}
    dq = np.zeros(len(grid), np.uint32)
    for k, spectrum in enumerate(spectra):
        _place(spectrum, grid, {name: array[k] for name, array in values.items()}, dq)
    if sigma_clip is not None:
        _clip(values, sigma_clip)
    weight = values["WEIGHT"].sum(axis=0)
    total = np.where(weight > 0, weight, 1.0)
    columns: dict[str, NDArray[np.generic]] = {"WAVELENGTH": grid}
    for name, made in AVERAGED.items():
        weighted = values[name] * values["WEIGHT"]
        is_error = made.endswith("ERROR")
        columns[made] = (
            np.sqrt(np.nansum(weighted**2, axis=0)) if is_error else np.nansum(weighted, axis=0)
        ) / total
    columns |= {"DQ": dq, "WEIGHT": weight, "N_INPUT": values["COUNT"].sum(axis=0)}
    filled = columns["N_INPUT"] > 0  # type: ignore[operator]
    if not filled.all():
        log.info("%d of %d common wavelengths have no data, and are left out", (~filled).sum(), len(filled))
    return CombinedSpectrum({name: column[filled] for name, column in columns.items()}, grid)


def _place(spectrum: InputSpectrum, grid: F64, rows: dict[str, F64], dq: NDArray[np.uint32]) -> None:
    """Put the good samples of a spectrum into the rows, each at its nearest wavelength."""
    flags, flux = np.asarray(spectrum.columns["DQ"]), np.asarray(spectrum.columns["FLUX"], float)
    at = positions(spectrum.wavelength, grid)
    good = ((flags & _DO_NOT_USE) == 0) & np.isfinite(at) & ~np.isnan(flux)
    nearest = np.rint(at[good]).astype(np.int64)
    np.bitwise_or.at(dq, nearest, flags[good].astype(np.uint32))
    for name in AVERAGED:
        rows[name][nearest] = np.asarray(spectrum.columns[name], float)[good]
    rows["WEIGHT"][nearest], rows["COUNT"][nearest] = spectrum.weight, 1.0


def positions(wavelength: F64, grid: F64) -> F64:
    """Return where wavelengths are in an ascending grid, as numbers of its points; NaN outside."""
    if len(grid) == 1:
        return np.where(wavelength == grid[0], 0.0, np.nan)
    k = np.clip(np.searchsorted(grid, wavelength, side="right") - 1, 0, len(grid) - 2)
    right = (wavelength - grid[k]) / (grid[k + 1] - grid[k])
    outside = (wavelength < grid[0]) | (wavelength > grid[-1])
    return np.where(outside, np.nan, k * (1 - right) + (k + 1) * right)


def _clip(values: dict[str, F64], limit: float) -> None:
    """Leave out samples that are far from the median at their wavelength."""
    weighted = values["FLUX"] * values["WEIGHT"]
    known = np.where((values["COUNT"] < 1) | (weighted == 0.0), np.nan, weighted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # wavelengths without data
        median = np.nanmedian(known, axis=0)
        deviation = np.nanmedian(np.abs(known - median))
    clipped = np.abs(weighted - median) > limit * deviation
    for name, array in values.items():
        array[clipped] = np.nan if name in AVERAGED else 0.0


def common_wavelengths(all_wavelengths: Sequence[F64]) -> F64:
    """Return the wavelengths of the combination of spectra, ascending."""
    usable = [w for w in all_wavelengths if len(w) > 1]
    if not usable:
        return np.unique(np.concatenate([np.asarray(w) for w in all_wavelengths]))
    merged = np.sort(np.concatenate(usable))
    covering = np.zeros(len(merged), np.int64)
    for w in usable:
        low, high = _ends(w)
        covering += (merged >= low) & (merged < high)
    return np.sort(wavelengths.clusters(merged, covering))


def _ends(wavelength: F64) -> tuple[float, float]:
    """Return the ends of a spectrum's range, half a sample beyond its first and last."""
    w = wavelength if wavelength[1] > wavelength[0] else wavelength[::-1]
    return w[0] - 0.5 * (w[1] - w[0]), w[-1] + 0.5 * (w[-1] - w[-2])
