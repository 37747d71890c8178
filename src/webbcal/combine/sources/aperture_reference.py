"""Apertures, their corrections, and the offset from AB to Vega: the rows of references that fit an image."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core.errors import InputError, ParameterError, ReferenceFileError, SkipStep
from webbcal.io.asdf_text import NotPlain, Tagged, table_array

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Apertures:
    """Circular apertures of one image, in its pixels.

    Attributes
    ----------
    percentages : ndarray of int
        Encircled energy of each aperture, percent.
    radii : ndarray
    corrections : ndarray
        Factors from the flux in an aperture to all flux of a point source.
    sky_inner, sky_outer : float
        Radii of the annulus of the local background.
    """

    percentages: np.ndarray
    radii: np.ndarray
    corrections: np.ndarray
    sky_inner: float
    sky_outer: float

    @property
    def metadata(self) -> dict[str, Any]:
        """The same, by the names that catalogues use."""
        return {
            "aperture_ee": self.percentages,
            "aperture_radii": self.radii,
            "aperture_corrections": self.corrections,
            "bkg_aperture_inner_radius": self.sky_inner,
            "bkg_aperture_outer_radius": self.sky_outer,
        }


def check_percentages(percentages: Sequence[int]) -> np.ndarray:
    """Return the encircled energies of apertures as an array.

    Raises
    ------
    ParameterError
        If they are not three increasing percentages.
    """
    values = np.array(percentages, int)
    if np.any(np.diff(values) <= 0) or np.any((values <= 0) | (values >= 100)):
        raise ParameterError(
            f"source_catalog: aperture_ee1, aperture_ee2 and aperture_ee3 are {tuple(percentages)}; they "
            "must be increasing percentages between 0 and 100"
        )
    return values


def read_apertures(reference: Any, model: Any, percentages: np.ndarray) -> Apertures:
    """Return the apertures of an image, from its APCORR reference.

    Raises
    ------
    SkipStep
        If the reference has no rows for the image's optical elements.
    ReferenceFileError
        If an encircled energy is not in the table, or is there twice; or if the rows disagree on the sky.
    """
    keys = {"NIRCAM": ("filter", "pupil"), "NIRISS": ("filter", "pupil"), "MIRI": ("filter", "subarray")}
    table = _table(reference, "apcorr_table", ("eefraction", "radius", "apcorr", "skyin", "skyout"))
    rows = _matching(table, reference, model, keys)
    if not len(rows):
        raise SkipStep(f"{reference.name} has no row for {_described(model, keys)}")
    picked = np.array([_row_of(rows, p, reference) for p in percentages])
    sky = {name: np.unique(rows[name][picked]) for name in ("skyin", "skyout")}
    if any(len(radii) != 1 for radii in sky.values()):
        raise ReferenceFileError(
            f"{reference.name}: the apertures of {_described(model, keys)} differ in skyin or skyout; they "
            "must share one annulus. Correct the file, or give another with override_apcorr"
        )
    ratio = _pixel_scale_ratio(model)
    return Apertures(
        percentages,
        np.array(rows["radius"][picked]) / ratio,
        np.array(rows["apcorr"][picked]),
        sky["skyin"][0] / ratio,
        sky["skyout"][0] / ratio,
    )


def read_vega_offset(reference: Any, model: Any) -> float:
    """Return AB minus Vega magnitude for an image, from its ABVEGAOFFSET reference.

    Raises
    ------
    SkipStep
        If the reference has no row for the image.
    ReferenceFileError
        If it has several, or lacks columns.
    """
    keys = {"NIRCAM": ("filter", "pupil"), "NIRISS": ("filter", "pupil"), "MIRI": ("filter",)}
    keys["FGS"] = ("detector",)
    table = _table(reference, "abvega_offset", ("abvega_offset",))
    rows = _matching(table, reference, model, keys)
    if not len(rows):
        raise SkipStep(f"{reference.name} has no row for {_described(model, keys)}")
    if len(rows) > 1:
        raise ReferenceFileError(
            f"{reference.name} has {len(rows)} rows for {_described(model, keys)}, expected one; remove the "
            "others, or give another file with override_abvegaoffset"
        )
    return float(rows["abvega_offset"][0])


def _table(reference: Any, name: str, columns: tuple[str, ...]) -> Any:
    table = _plain_table(reference.model.instance.get(name))
    table = getattr(reference.model, name, None) if table is None else table
    names = () if table is None else getattr(table, "colnames", None) or table.dtype.names
    missing = [c for c in columns if c not in names]
    if missing:
        raise ReferenceFileError(
            f"{reference.name} has no column {', '.join(missing)} in its table {name}; check the file, or "
            f"give another with override_{reference.kind}"
        )
    return table


def _plain_table(table: Any) -> Any:
    """Return a table of an ASDF file, without loading the library that makes such; None if it must."""
    try:
        return table_array(table) if isinstance(table, Tagged) else None
    except NotPlain:
        return None


def _wanted(model: Any, keys: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    instrument = str(model.meta.instrument.name).upper()
    if instrument not in ("NIRCAM", "NIRISS", "MIRI", "FGS"):
        raise InputError(
            f"{model.meta.filename}: source catalogues are made of images of NIRCam, NIRISS, MIRI and FGS, "
            f"but this one is of {instrument}"
        )
    found = {"subarray": model.meta.subarray.name}
    found |= {name: getattr(model.meta.instrument, name) for name in ("filter", "pupil", "detector")}
    return {column: str(found[column]).strip() for column in keys.get(instrument, ())}


def _described(model: Any, keys: Mapping[str, tuple[str, ...]]) -> str:
    pairs = _wanted(model, keys).items()
    return ", ".join(f"{column.upper()} = {value}" for column, value in pairs) or "this image"


def _matching(table: Any, reference: Any, model: Any, keys: Mapping[str, tuple[str, ...]]) -> Any:
    """Return the rows whose text columns are as the image has them."""
    fits = np.ones(len(table), bool)
    for column, value in _wanted(model, keys).items():
        if column not in (getattr(table, "colnames", None) or table.dtype.names):
            raise ReferenceFileError(
                f"{reference.name} has no column {column}; check the file, or give another with "
                f"override_{reference.kind}"
            )
        fits &= np.array([str(cell).strip() == value for cell in table[column]], bool)
    return table[fits]


def _row_of(rows: Any, percentage: int, reference: Any) -> int:
    found = np.flatnonzero(np.round(np.asarray(rows["eefraction"]) * 100) == percentage)
    if len(found) == 1:
        return int(found[0])
    known = ", ".join(f"{round(float(e) * 100)}" for e in rows["eefraction"])
    raise ReferenceFileError(
        f"{reference.name} has {'no row' if not len(found) else 'several rows'} for the aperture of "
        f"{percentage} % encircled energy (it has {known}); choose others with aperture_ee1, aperture_ee2 "
        "and aperture_ee3, or give another file with override_apcorr"
    )


def _pixel_scale_ratio(model: Any) -> float:
    """Return the image's pixel scale in units of the detector's."""
    ratio = model.meta.resample.pixel_scale_ratio
    if ratio is None:
        log.warning(
            "%s: keyword PXSCLRT is missing; the apertures assume the pixel scale of the detector",
            model.meta.filename,
        )
        return 1.0
    return float(ratio)
