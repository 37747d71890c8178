"""Catalogues of sources: of an image (found, or given by the user), and of the sky to align to.

An image's catalogue is a table with 0-based pixel positions ``x`` and ``y``; one of the sky has ``RA`` and
``DEC`` in degrees. Either may have a ``weight``.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from webbcal.combine.sources.finder_settings import FinderSettings
from webbcal.combine.sources.star_finding import find_sources
from webbcal.core import dqflags
from webbcal.core.errors import InputError, MissingParameterFileError, OutputError, ParameterError, unreadable
from webbcal.wcs.footprint import footprint
from webbcal.wcs.of_model import bounds_of, wcs_of

if TYPE_CHECKING:
    from astropy.table import Table

log = logging.getLogger(__name__)

#: Catalogues of the sky that the web service knows.
GAIA = ("GAIAREFCAT", "GAIADR3", "GAIADR2", "GAIADR1")
_SERVICE = "https://gsss.stsci.edu/webservices"
_TIMEOUT = 30.0  # seconds
_FORMATS = {"ecsv": "ascii.ecsv", "fits": "fits"}
_UNUSABLE = dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["NON_SCIENCE"]


class CatalogUnavailable(InputError):
    """A catalogue of the sky cannot be had: no network, or the service does not answer."""


# Of an image


def catalog_of_image(model: Any, settings: FinderSettings) -> Table:
    """Return the sources found in an image, inside the bounding box of its WCS.

    The arrays are read for this alone; they do not stay in memory.
    """
    data = np.asarray(model.source("data").read(), np.float32)
    dq = model.source("dq")
    masked = np.zeros(data.shape, bool) if dq is None else (dq.read() & _UNUSABLE) != 0
    error = model.source("err") if settings.starfinder == "segmentation" else None
    if not (np.isfinite(data) & ~masked).any():
        log.warning("%s: all pixels are flagged as unusable: no sources", model.meta.filename)
        masked[:] = True
    found = find_sources(data, masked, None if error is None else error.read(), settings)
    return _prepared(found, model)


def user_catalog(path: str, model: Any) -> Table:
    """Return the user's catalogue of an image, inside the bounding box of its WCS.

    Raises
    ------
    InputError
        If it cannot be read or has no positions.
    """
    return _prepared(_read(path), model)


def _prepared(catalog: Table, model: Any) -> Table:
    """Return a catalogue with columns ``x`` and ``y``, a name, and nothing outside the bounding box."""
    for axis in "xy":
        names = (axis, f"{axis}centroid", f"{axis}_centroid")
        present = next((name for name in names if name in catalog.colnames), None)
        if present is None:
            raise InputError(
                f"catalogue of {model.meta.filename}: has no column {', '.join(names[:-1])} or {names[-1]}"
            )
        catalog.rename_column(present, axis)
    catalog.meta.setdefault("name", Path(str(model.meta.filename)).stem.strip("_- "))
    bounds = bounds_of(wcs_of(model))
    if bounds is None or not len(catalog):
        return catalog
    (x0, x1), (y0, y1) = bounds
    x, y = np.asarray(catalog["x"]), np.asarray(catalog["y"])
    return catalog[(x > x0) & (x < x1) & (y > y0) & (y < y1)]


def save_catalog(catalog: Table, filename: str, format: str, folder: Path) -> str:
    """Write an image's catalogue beside its products (``…_cat.ecsv``); return its name."""
    name = filename.removesuffix(".fits") + f"_cat.{format}"
    try:
        catalog.write(folder / name, format=_FORMATS[format], overwrite=True)
    except KeyError:
        raise ParameterError(f"catalog_format = {format!r}: expected 'ecsv' or 'fits'") from None
    except OSError as error:
        raise OutputError(f"cannot write catalogue {folder / name}: {error}") from None
    log.info("saved %s", folder / name)
    return name


def read_catalog_list(path: str) -> dict[str, str | None]:
    """Return image name -> path of its catalogue (None: to be made) from a ``catfile``.

    Each line has the name of an image and that of its catalogue, relative to the folder of the list.

    Raises
    ------
    InputError
        If the file cannot be read, or a line has more than two words.
    """
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        message = f"catfile {path} cannot be read: {error.strerror}"
        raise unreadable(InputError, message, error) from None
    catalogs: dict[str, str | None] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 2:
            raise InputError(
                f"catfile {path}, line {number}: expected an image and its catalogue, not {line!r}"
            )
        catalogs[words[0]] = str(Path(path).parent / words[1]) if len(words) == 2 else None
    return catalogs


def _read(path: str) -> Table:
    from astropy.table import Table

    try:
        return Table.read(path)
    except Exception as error:  # whatever a reader finds wrong with a file
        raise InputError(f"catalogue {path} cannot be read: {error}") from None


# Of the sky


def reference_catalog(name: str, wcs: Sequence[Any], epoch: float) -> Table:
    """Return a catalogue of the sky with columns ``RA`` and ``DEC``.

    Parameters
    ----------
    name : str
        Path of a file, or one of `GAIA`.
    wcs : sequence of gwcs.WCS
        Of the images to align: a catalogue from the web covers them.
    epoch : float
        Year for which proper motions are applied.

    Raises
    ------
    CatalogUnavailable
        If a catalogue from the web cannot be had.
    ParameterError
        If there is no such file or catalogue.
    InputError
        If the file has no positions.
    """
    if name.upper() in GAIA:
        return _from_web(name.upper(), wcs, epoch)
    if not Path(name).is_file():
        raise MissingParameterFileError(
            f"abs_refcat = {name!r}: neither a file nor a catalogue that is known ({', '.join(GAIA)})"
        )
    catalog = _sky_columns(_read(name), name)
    catalog.meta["name"] = Path(name).name
    return catalog


def _sky_columns(catalog: Table, name: str) -> Table:
    """Bring a catalogue's positions into columns RA and DEC, whatever the case of their names."""
    found: dict[str, list[str]] = {"ra": [], "dec": [], "sky_centroid": []}
    for column in catalog.colnames:
        if column.lower() in found:
            found[column.lower()].append(column)
    if any(len(names) > 1 for names in found.values()):
        raise InputError(f"catalogue {name}: several columns of one name ({found}); names ignore case")
    if found["ra"] and found["dec"]:
        catalog.rename_columns([found["ra"][0], found["dec"][0]], ["RA", "DEC"])
    elif found["sky_centroid"]:
        # As the catalogues of `source_catalog` have it.
        position = catalog[found["sky_centroid"][0]]
        catalog["RA"], catalog["DEC"] = position.ra.deg, position.dec.deg
    else:
        raise InputError(f"catalogue {name}: has neither RA and DEC nor sky_centroid")
    for column in found["sky_centroid"]:
        catalog.remove_column(column)
    return catalog


def _from_web(name: str, wcs: Sequence[Any], epoch: float) -> Table:
    """Ask the web service (or the one in ASTROMETRIC_CATALOG_URL) for the sky around the images."""
    from urllib.parse import urlencode
    from urllib.request import urlopen

    from astropy.table import Table

    ra, dec, radius = field_of_view(wcs)
    address = os.environ.get("ASTROMETRIC_CATALOG_URL", _SERVICE)
    query = {"RA": ra, "DEC": dec, "EPOCH": epoch, "SR": radius, "FORMAT": "CSV", "CAT": name}
    try:
        with urlopen(f"{address}/vo/CatalogSearch.aspx?{urlencode(query)}", timeout=_TIMEOUT) as answer:
            text = answer.read().decode()
    except (OSError, ValueError) as error:
        raise CatalogUnavailable(
            f"catalogue {name} cannot be had from {address} ({error}); "
            "give a file with columns RA and DEC as abs_refcat instead"
        ) from None
    if text.startswith("No data records") or not text.strip():
        raise CatalogUnavailable(
            f"catalogue {name} has no sources within {radius:.4f} deg of {ra:.5f} {dec:+.5f}"
        )
    rows = Table.read(io.StringIO(text).read(), format="csv", comment="#")
    moving = ~_missing(rows, "pmra") & ~_missing(rows, "pmdec")  # others are not at the epoch asked for
    catalog = _sky_columns(rows[moving], name)
    catalog.meta["name"] = name
    return catalog


def _missing(table: Table, column: str) -> np.ndarray:
    if column not in table.colnames:
        return np.zeros(len(table), bool)
    return np.ma.getmaskarray(np.ma.asarray(table[column]))


def field_of_view(wcs: Sequence[Any]) -> tuple[float, float, float]:
    """Return centre (RA, Dec) and radius, in degrees, of a circle around the footprints of images."""
    ra, dec = np.radians(np.concatenate([footprint(w) for w in wcs]).T)
    corners = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    centre = corners.mean(axis=1)
    centre /= np.linalg.norm(centre)
    distance = np.arctan2(np.linalg.norm(np.cross(centre, corners.T), axis=1), centre @ corners)
    ra0, dec0 = np.arctan2(centre[1], centre[0]), np.arcsin(centre[2])
    return float(np.degrees(ra0) % 360), float(np.degrees(dec0)), float(np.degrees(distance.max()))


def chosen_catalogs(models: Sequence[Any], use_custom: bool, catfile: str) -> list[str | None]:
    """Return for each image the path of the user's catalogue, or None where one is to be made.

    `catfile` decides, then ``meta.tweakreg_catalog`` (which an association may have set).
    """
    if not use_custom:
        return [None] * len(models)
    named = read_catalog_list(catfile) if catfile.strip() else {}
    if catfile.strip() and not named:
        log.warning("catfile %s lists no catalogues: they are made", catfile)
        return [None] * len(models)
    chosen = []
    for model in models:
        name = str(model.meta.filename)
        own = str(model.meta.tweakreg_catalog or "").strip() or None
        chosen.append(named.get(name, own))
    return chosen
