"""Spectra of a slitless field beside those that were simulated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from webbcal import datamodels
from webbcal.core.errors import InputError

if TYPE_CHECKING:
    from webbcal.simulate import ExposureConfig

_NEAR = 0.3  # arcsec
_ENDS = 0.04  # of the band, at its ends


@dataclass(frozen=True)
class SourceComparison:
    """One source's spectrum and its truth, by growing wavelength.

    Attributes
    ----------
    label : int
        In the catalogue.
    source : int
        Among those that were simulated.
    galaxy : bool
        Its truth is blurred less than what is measured.
    wavelength, flux, error, truth : ndarray
        Micrometres and Jy; the truth as the optics blur a point source.
    lines : tuple of float
        Wavelengths of its lines.
    """

    label: int
    source: int
    galaxy: bool
    wavelength: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    truth: np.ndarray
    lines: tuple[float, ...]

    @property
    def pulls(self) -> np.ndarray:
        """Measured minus true, in units of the stated errors."""
        return np.asarray((self.flux - self.truth) / self.error)

    @property
    def ratio(self) -> float:
        """Measured over true, weighted by the errors."""
        weights = (self.truth / self.error) ** 2
        return float(np.sum(self.flux / self.truth * weights) / np.sum(weights))


def compare_wfss(config: ExposureConfig, spectra: Path) -> list[SourceComparison]:
    """Compare the spectra of the first order with the truth, in the order of the catalogue.

    Parameters
    ----------
    config : ExposureConfig
        One of the exposures.
    spectra : Path
        Spectra of an exposure (`WFSSMultiSpecModel`), or combined ones (`WFSSMultiCombinedSpecModel`).

    Raises
    ------
    InputError
        If no spectrum is of a source that was simulated.
    """
    from webbcal.simulate.grisms.dispersing import source_table
    from webbcal.simulate.grisms.seen import seen_spectra

    sources = source_table(config)
    truth = seen_spectra(config, sources)
    compared = (_compared(config, sources, truth, row) for row in _rows(spectra))
    found = [comparison for comparison in compared if comparison is not None]
    if not found:
        raise InputError(f"{spectra} has no spectrum of a source that was simulated")
    return found


def _compared(
    config: ExposureConfig, sources: np.ndarray, truth: np.ndarray, row: Any
) -> SourceComparison | None:
    """Compare a row of the table; None if it is of no source, or beyond the band."""
    from webbcal.simulate.grisms.dispersing import beam_of, source_spectrum

    source = _nearest(sources, row)
    if source is None:
        return None
    beam, (low, high) = beam_of(config), beam_of(config).reach
    margin = _ENDS * (high - low)
    true = np.sort(truth[(truth["source"] == source["id"]) & (truth["order"] == 1)], order="wavelength")
    stated = "ERROR" if "ERROR" in (row.dtype.names or ()) else "FLUX_ERROR"
    wave, flux, error = (np.asarray(row[name], float) for name in ("WAVELENGTH", "FLUX", stated))
    good = np.isfinite(flux) & (error > 0) & (wave > low + margin) & (wave < high - margin)
    if not good.any() or not len(true):
        return None
    good = np.flatnonzero(good)[np.argsort(wave[good])]
    seen = np.asarray(np.interp(wave[good], true["wavelength"], true["seen"]))
    lines = tuple(line.wavelength for line in source_spectrum(config, beam, source).lines)
    kind = int(row["SOURCE_ID"]), int(source["id"]), bool(source["galaxy"])
    return SourceComparison(*kind, wave[good], flux[good], error[good], seen, lines)


def _rows(spectra: Path) -> list[Any]:
    """Return the rows of the first order."""
    with datamodels.open(spectra) as model:
        return [row for spec in model.spec if spec.spectral_order == 1 for row in np.array(spec.spec_table)]


def _nearest(sources: np.ndarray, row: Any) -> Any:
    """Return the source at the place of a row, or None."""
    ra, dec = float(row["SOURCE_RA"]), float(row["SOURCE_DEC"])
    east = (sources["ra"] - ra) * np.cos(np.radians(dec))
    distance = 3600.0 * np.hypot(east, sources["dec"] - dec)
    k = int(np.argmin(distance))
    return sources[k] if distance[k] < _NEAR else None
