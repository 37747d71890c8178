"""The sources of a direct image, as its catalogue (``cat.ecsv``) lists them, and the choice among them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import InputError, ParameterError

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]
#: Corners of the smallest box around a source, in the order of `SkySources.corners`.
_CORNERS = ("ll", "lr", "ul", "ur")
_COLUMNS = ("label", "sky_centroid", "isophotal_abmag", "is_extended", *(f"sky_bbox_{c}" for c in _CORNERS))


@dataclass(frozen=True)
class SkySources:
    """Sources on the sky; all arrays have one element (a row) a source.

    Attributes
    ----------
    label : (n,) int
    sky : (n, 2) float64
        RA and Dec of the centroid, degrees.
    corners : (n, 4, 2) float64
        RA and Dec of the corners of the box around its pixels: lower left and right, upper left and right.
    abmag : (n,) float64
        Isophotal AB magnitude; NaN if it has none.
    extended : (n,) bool
    """

    label: NDArray[np.int64]
    sky: F64
    corners: F64
    abmag: F64
    extended: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Whether each has a position, and a corner of its box."""
        has_corner = np.isfinite(np.asarray(self.corners)).all(axis=-1).any(axis=-1)
        return np.asarray(np.isfinite(self.sky).all(axis=-1) & has_corner)

    def chosen(self, which: NDArray[Any]) -> SkySources:
        """Return some of the sources: a mask or indices."""
        return SkySources(
            self.label[which], self.sky[which], self.corners[which], self.abmag[which], self.extended[which]
        )

    def labels_near(self, ra: Sequence[float], dec: Sequence[float], most: float) -> list[int]:
        """Return the labels of the sources next to positions (degrees), at most so many arcseconds away."""
        found = []
        for place in zip(ra, dec, strict=True):
            separation = _separation(self.sky, place)
            if not (separation <= most).any():
                log.warning("no source of the catalogue within %g arcsec of RA %g, Dec %g", most, *place)
            else:
                found.append(int(self.label[np.nanargmin(separation)]))
        return found


def read_sources(path: Path) -> SkySources:
    """Read a catalogue.

    Raises
    ------
    InputError
        If it is none, or lacks columns, or they do not hold what they should.
    """
    from astropy.table import QTable

    try:
        table = QTable.read(path, format="ascii.ecsv")
    except Exception as error:  # astropy raises whatever its parts raise
        (reason, *_) = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"{path}: cannot be read as a catalogue (ECSV): {reason}") from error
    missing = [name for name in _COLUMNS if name not in table.colnames]
    if missing:
        raise InputError(
            f"{path}: the catalogue has no columns {', '.join(missing)}; use one that source_catalog has made"
        )
    try:
        return _sources(table)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: a column of the catalogue does not hold what it should ({error}); use one that "
            "source_catalog has made"
        ) from error


def _sources(table: Any) -> SkySources:
    """Return the sources of a table that has all columns."""
    corners = [_degrees(table[f"sky_bbox_{corner}"]) for corner in _CORNERS]
    return SkySources(
        _numbered(table["label"]),
        _degrees(table["sky_centroid"]),
        np.stack(corners, axis=1) if len(table) else np.zeros((0, 4, 2)),
        _numbers(table["isophotal_abmag"]),
        _truths(table["is_extended"]),
    )


def select(
    sources: SkySources,
    faintest: float | None = None,
    ids: Sequence[int | str] | None = None,
    ra: Sequence[float | str] | None = None,
    dec: Sequence[float | str] | None = None,
    separation: float = 2.0,
) -> tuple[SkySources, bool]:
    """Return the sources brighter than a magnitude, and of these the ones asked for, by label or position.

    Returns
    -------
    SkySources
    asked : bool
        Whether some were asked for.

    Raises
    ------
    ParameterError
        If positions are incomplete, or nothing is near any of them.
    """
    wanted = _labels(sources, ids, ra, dec, separation)
    kept = ~(sources.abmag >= (999.0 if faintest is None else faintest))  # what has no magnitude is kept
    if wanted is not None:
        kept &= np.isin(sources.label, wanted)
        if missing := sorted(set(wanted) - set(sources.label.tolist())):
            log.warning("the catalogue has no sources %s", missing)
    return sources.chosen(kept), wanted is not None


def _labels(
    sources: SkySources,
    ids: Sequence[int | str] | None,
    ra: Sequence[float | str] | None,
    dec: Sequence[float | str] | None,
    separation: float,
) -> list[int] | None:
    """Return the labels asked for, or None for all."""
    if (ra is None) != (dec is None) or len(ra or ()) != len(dec or ()):
        raise ParameterError("source_ra and source_dec go together: give as many of the one as of the other")
    try:
        wanted = [int(n) for n in ids or ()]
        places = [float(v) for v in ra or ()], [float(v) for v in dec or ()]
    except ValueError as error:
        raise ParameterError(f"source_ids, source_ra and source_dec are numbers: {error}") from None
    wanted += sources.labels_near(*places, separation)
    if places[0] and not wanted:
        raise ParameterError(
            f"no source of the catalogue is within {separation:g} arcsec (source_max_sep) of any position "
            "given as source_ra, source_dec"
        )
    return wanted or None


def _degrees(positions: Any) -> F64:
    """Return sky positions as RA and Dec (ICRS), (n, 2)."""
    icrs = positions.icrs
    return np.stack([np.asarray(icrs.ra.deg, float), np.asarray(icrs.dec.deg, float)], axis=-1)


def _numbered(column: Any) -> NDArray[np.int64]:
    """Return the labels: products of spectra tell sources by them, so that each is a number of its own.

    Raises
    ------
    ValueError
        If one is no whole number, or stands for several sources.
    """
    given = _numbers(column)
    if not (given == np.floor(given)).all():
        raise ValueError("a label is no whole number")
    labels = given.astype(np.int64)
    values, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"label {values[counts > 1][0]} stands for {counts[counts > 1][0]} sources")
    return labels


def _numbers(column: Any) -> F64:
    """Return a column as numbers, without its unit; NaN where it is masked."""
    values = np.ma.asarray(getattr(column, "value", column)).astype(float)
    return np.asarray(np.ma.filled(values, np.nan))


def _truths(column: Any) -> NDArray[np.bool_]:
    values = np.asarray(column)
    if values.dtype == bool:
        return values
    return np.array([str(v).strip().lower() in ("true", "1") for v in values], bool)


def _separation(sky: F64, place: tuple[float, float]) -> F64:
    """Return angles on the sky between positions and a place (degrees), in arcseconds (haversine)."""
    (ra, dec), (ra0, dec0) = np.radians(sky).T, np.radians(place)
    chord = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(chord))) * 3600
