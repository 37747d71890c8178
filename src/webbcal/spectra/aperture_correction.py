"""Aperture correction: from the flux in the aperture to that of a point source, by the APCORR reference."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbcal.core.errors import ReferenceFileError
from webbcal.spectra.layout import Layout

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

#: By exposure type: class of the reference, and what selects its row.
_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "MIR_LRS-FIXEDSLIT": ("MirLrsApcorrModel", ("subarray",)),
    "MIR_LRS-SLITLESS": ("MirLrsApcorrModel", ("subarray",)),
    "MIR_WFSS": ("MirLrsApcorrModel", ("subarray",)),
    "NRC_WFSS": ("NrcWfssApcorrModel", ("filter", "pupil")),
    "NRC_GRISM": ("NrcWfssApcorrModel", ("filter", "pupil")),
    "NRC_TSGRISM": ("NrcWfssApcorrModel", ("filter", "pupil")),
    "NIS_WFSS": ("NisWfssApcorrModel", ("filter", "pupil")),
    "NRS_FIXEDSLIT": ("NrsFsApcorrModel", ("filter", "grating", "slit")),
    "NRS_BRIGHTOBJ": ("NrsFsApcorrModel", ("filter", "grating", "slit")),
    "NRS_MSASPEC": ("NrsMosApcorrModel", ("filter", "grating")),
}
#: Where in its pixel a source is taken to be (NIRSpec's tables depend on it).
_PIXEL_PHASE = 0.5


@dataclass(frozen=True)
class ApertureCorrection:
    """Factors on a grid; beyond its ends, those at the ends.

    Attributes
    ----------
    wavelength : (wavelengths,) float64
        µm, ascending.
    size : (sizes,) or (sizes, wavelengths) float64
        Size of the aperture across, pixels; it may depend on wavelength.
    factor : (wavelengths, sizes) float64
    """

    wavelength: F64
    size: F64
    factor: F64

    def why_strange(self, wavelength: F64) -> str | None:
        """Return what is odd about the correction of a spectrum that lies beyond the table, or None."""
        low, high = self.wavelength[0], self.wavelength[-1]
        if not len(wavelength) or not ((wavelength > high).all() or (wavelength < low).all()):
            return None
        return (
            f"its table covers {low:.4g} to {high:.4g} µm, and the spectrum "
            f"{wavelength.min():.4g} to {wavelength.max():.4g}: the factor at its end is taken"
        )

    def at(self, wavelength: F64, npixels: F64) -> F64:
        """Return the factor for a wavelength and size of aperture; 1 where a table in both has none."""
        by_size = self.size.ndim == 2
        w = np.clip(wavelength, self.wavelength[0], self.wavelength[-1])
        k, right = _cell(self.wavelength, w)
        if not by_size:
            j, upper = _cell(self.size, np.clip(npixels, self.size[0], self.size[-1]))
        else:
            sizes = self.size[:, k] * (1 - right) + self.size[:, k + 1] * right
            j, upper = _cell_of_each(sizes, npixels)
        low = self.factor[k, j] * (1 - upper) + self.factor[k, j + 1] * upper
        high = self.factor[k + 1, j] * (1 - upper) + self.factor[k + 1, j + 1] * upper
        factor = low * (1 - right) + high * right
        if by_size:
            factor = np.where((wavelength == w) & (factor != 0), factor, 1.0)
        return np.asarray(factor)


def _cell(grid: F64, at: F64) -> tuple[NDArray[np.int64], F64]:
    """Return the cell of a grid that each value is in, and where within (0 to 1)."""
    k = np.clip(np.searchsorted(grid, at, side="right") - 1, 0, len(grid) - 2)
    return k, (at - grid[k]) / (grid[k + 1] - grid[k])


def _cell_of_each(grids: F64, at: F64) -> tuple[NDArray[np.int64], F64]:
    """Do what `_cell` does with a grid for each value, (points, values); the ends hold beyond them."""
    at = np.clip(at, grids[0], grids[-1])
    k = np.clip((grids <= at).sum(axis=0) - 1, 0, len(grids) - 2)
    low, high = (np.take_along_axis(grids, (k + step)[None], 0)[0] for step in (0, 1))
    return k, (at - low) / (high - low)


def read_correction(
    reference: Any, layout: Layout, exp_type: str, slit: str, place: tuple[float, float, float] | None
) -> ApertureCorrection:
    """Return the correction of a slit.

    Parameters
    ----------
    reference : Reference
    layout : Layout
    exp_type : str
    slit : str
        Name of the slit.
    place : (RA, Dec, wavelength)
        Where the scale of pixels is measured (degrees, µm), if sizes are in arcsec.

    Raises
    ------
    ReferenceFileError
        If there is no row for the slit, or several, or what is in it is no table.
    """
    if exp_type not in _KINDS:
        raise ReferenceFileError(
            f"{reference.name}: aperture corrections of {exp_type} are not known; set apply_apcorr = false"
        )
    kind, keys = _KINDS[exp_type]
    model = reference.opened_as(kind)
    row = _row(reference, model, _wanted(layout.model, keys, slit))
    unit = str(model.sizeunit or "")
    scale = _pixel_scale(layout, place, reference) if unit.lower().startswith("arcsec") else 1.0
    try:
        return _with_phase(row, scale) if "pixphase" in row else _plain(row, scale)
    except (ValueError, IndexError) as error:
        raise ReferenceFileError(
            f"{reference.name}: its row for {exp_type} is no table of factors ({error}); correct the file, "
            "or set apply_apcorr = false"
        ) from None


def _wanted(model: Any, keys: tuple[str, ...], slit: str) -> dict[str, str]:
    """Return what the row must have."""
    known = {"subarray": model.meta.subarray.name, "slit": slit}
    return {key: str(known.get(key) or getattr(model.meta.instrument, key, None)).upper() for key in keys}


def _row(reference: Any, model: Any, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return the only row that fits, by column in small letters."""
    table = model.apcorr_table
    if table is None or not len(table):
        raise ReferenceFileError(
            f"{reference.name} has no table (APCORR); give another with override_apcorr, or set "
            "apply_apcorr = false"
        )
    fits = np.ones(len(table), bool)
    for key, value in wanted.items():
        fits &= np.array([str(cell).strip().upper() == value for cell in table[key]], bool)
    if fits.sum() != 1:
        text = ", ".join(f"{key.upper()} = {value}" for key, value in wanted.items())
        count = "no row" if not fits.any() else f"{fits.sum()} rows"
        raise ReferenceFileError(
            f"{reference.name} has {count} for {text}; correct the file, give another with override_apcorr, "
            "or set apply_apcorr = false"
        )
    found = table[int(np.flatnonzero(fits)[0])]
    return {name.lower(): found[name] for name in table.dtype.names}


def _plain(row: Mapping[str, Any], scale: float) -> ApertureCorrection:
    """Return factors against wavelength and size."""
    n, m = int(row["nelem_wl"]), int(row["nelem_size"])
    wavelength, size = (np.asarray(row[c], float)[:k] for c, k in (("wavelength", n), ("size", m)))
    return _checked(wavelength, size / scale, np.asarray(row["apcorr"], float)[:n, :m])


def _with_phase(row: Mapping[str, Any], scale: float) -> ApertureCorrection:
    """Return factors for a source in the middle of its pixel, where they depend on that (NIRSpec)."""
    phases, factor = np.asarray(row["pixphase"], float), np.asarray(row["apcorr"], float)
    k, upper = _cell(phases, np.array([_PIXEL_PHASE]))
    factor = factor[..., k[0]] * (1 - upper[0]) + factor[..., k[0] + 1] * upper[0]
    return _checked(np.asarray(row["wavelength"], float), np.asarray(row["size"], float) / scale, factor.T)


def _checked(wavelength: F64, size: F64, factor: F64) -> ApertureCorrection:
    """Return a correction with ascending wavelengths.

    Raises
    ------
    ValueError
        If there are too few, or sizes do not ascend.
    """
    order = np.argsort(wavelength)
    size = size if size.ndim == 1 else size[:, order]
    if len(wavelength) < 2 or len(size) < 2:
        raise ValueError("it needs two wavelengths and two sizes at least")
    if factor.shape != (len(wavelength), len(size)):
        raise ValueError(f"{factor.shape} factors for {len(wavelength)} wavelengths and {len(size)} sizes")
    if not (np.diff(wavelength[order]) > 0).all() or not (np.diff(size, axis=0) > 0).all():
        raise ValueError("wavelengths or sizes are there twice, or sizes do not ascend")
    return ApertureCorrection(wavelength[order], size, factor[order])


def _pixel_scale(layout: Layout, place: tuple[float, float, float] | None, reference: Any) -> float:
    """Return the size of a pixel across the spectrum, arcsec."""
    if place is None:
        raise ReferenceFileError(
            f"{reference.name} has sizes in arcsec, but where the slit is on the sky is not known; set "
            "apply_apcorr = false"
        )
    across, along = layout.pixel(*place)
    a = layout.world(across, along, everywhere=True)
    b = layout.world(across + 1, along, everywhere=True)
    return 3600 * float(separation(a[0], a[1], b[0], b[1]))


def separation(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> F64:
    """Return the angle between points of the sky; all in degrees (formula of Vincenty)."""
    ra1, dec1, ra2, dec2 = (np.radians(v) for v in (ra1, dec1, ra2, dec2))
    away, c1, s1, c2, s2 = ra2 - ra1, np.cos(dec1), np.sin(dec1), np.cos(dec2), np.sin(dec2)
    across = np.hypot(c2 * np.sin(away), c1 * s2 - s1 * c2 * np.cos(away))
    return np.degrees(np.arctan2(across, s1 * s2 + c1 * c2 * np.cos(away)))
