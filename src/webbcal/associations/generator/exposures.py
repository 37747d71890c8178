"""The pool of exposures that are there, from their headers.

Headers do not know everything that a pool does. What is made up, and of what:

==============  ==========================================================================================
column          where it comes from
==============  ==========================================================================================
filename        the file's name, as that of the raw exposure: rules name members after what is made of it
obs_num         OBSERVTN
targetid        targets are counted, by TARGNAME (or TARGPROP)
asn_candidate   the observation; and where a programme has backgrounds of an instrument, or reference stars,
                a group of all its observations with that instrument
expspcin        VISITGRP and ACT_ID, which count the exposures that were specified, in their order
dithptin        PATT_NUM
mostilno        1: tiles of mosaics are not told apart
pntgtype        science; target acquisitions are known by EXP_TYPE
==============  ==========================================================================================
"""

from __future__ import annotations

import gzip
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from webbcal.associations.generator.columns import EMPTY
from webbcal.associations.generator.pool import NULL, Pool, pool_of
from webbcal.core.errors import InputError, MissingInputError
from webbcal.core.suffixes import remove_suffix
from webbcal.io.cards import Header, read_header

#: Endings of names of exposures; other files of a folder are products.
EXPOSURES = ("uncal", "rate", "rateints", "cal", "calints")
_EXTENSIONS = (".fits", ".fits.gz")
#: Columns that headers do not have, and what they hold if nobody says.
UNKNOWN = {
    "dms_note": "",
    "is_imprt": "f",
    "pntgtype": "science",
    "mostilno": "1",
    "exposerr": NULL,
}
#: Groups of observations, by the column that tells that they are needed.
_GROUPS = {"bkgdtarg": ("c1{number:03d}", "background"), "is_psf": ("c2{number:03d}", "group")}
_ACT_BASE = 36


def exposures_in(places: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return the files of exposures among some files and folders, sorted in each folder.

    Raises
    ------
    InputError
        If one is not there, or a folder has no exposures.
    """
    found: list[Path] = []
    for place in map(Path, places):
        if not place.is_dir():
            if not place.exists():
                raise MissingInputError(f"{place}: there is no such file; check the name")
            found.append(place)
            continue
        inside = [path for path in sorted(place.iterdir()) if _is_exposure(path)]
        if not inside:
            endings = ", ".join(f"_{suffix}.fits" for suffix in EXPOSURES)
            raise InputError(f"{place}: has no exposures; their names end with {endings}")
        found += inside
    return found


def _is_exposure(path: Path) -> bool:
    return path.name.endswith(_EXTENSIONS) and _stem(path).rpartition("_")[2] in EXPOSURES


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".fits")


def pool_of_exposures(
    paths: Iterable[str | os.PathLike[str]],
    *,
    candidates: Iterable[tuple[str, str]] = (),
    given: Mapping[str, str] | None = None,
) -> Pool:
    """Make a pool from the headers of exposures, of whichever level; those of one exposure are one row.

    Parameters
    ----------
    paths : iterable of path
        FITS files.
    candidates : iterable of (id, type)
        Further candidates of all of them, as ``("c1000", "background")``.
    given : mapping, optional
        Columns that headers do not have, as ``{"is_imprt": "t"}``.

    Raises
    ------
    InputError
        If a file cannot be read, or does not say what it is.
    """
    rows: dict[str, dict[str, str]] = {}
    targets: dict[str, str] = {}
    for path in map(Path, paths):
        root = remove_suffix(_stem(path))[0]
        if root in rows:
            continue
        row = _columns(_header(path), path)
        name = row.get("targname", NULL)
        target = (name if name not in EMPTY else row.get("targprop", NULL)).lower()
        row["targetid"] = targets.setdefault(target, str(len(targets) + 1))
        row["filename"] = f"{root}_uncal.fits"
        rows[root] = {**UNKNOWN, **row, **(given or {})}
    _add_candidates(list(rows.values()), list(candidates))
    return pool_of(rows.values(), "headers", as_written=("filename",))


def _header(path: Path) -> Header:
    try:
        with cast(BinaryIO, gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as file:
            if file.read(9) != b"SIMPLE  =":
                raise InputError("it is no FITS file")
            file.seek(0)
            return read_header(file)
    except FileNotFoundError:
        raise MissingInputError(f"{path}: there is no such file; check the name") from None
    except (OSError, EOFError, InputError) as error:
        raise InputError(f"{path}: cannot be read as an exposure: {error}") from error


def _columns(header: Header, path: Path) -> dict[str, str]:
    row = {
        card.keyword.lower(): _text(card.value)
        for card in header.cards
        if card.keyword not in ("", "COMMENT", "HISTORY")
    }
    for column in ("program", "observtn", "exp_type", "instrume", "detector"):
        if row.get(column, NULL) in EMPTY:
            raise InputError(
                f"{path}: has no keyword {column.upper()}; without it nobody knows where it belongs"
            )
    row["program"] = row["program"].rjust(5, "0")
    row["obs_num"] = row["observtn"] = row["observtn"].rjust(3, "0")
    row["dithptin"] = row.get("patt_num", "1")
    row["expspcin"] = _sequence(row.get("visitgrp", ""), row.get("act_id", ""))
    return row


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    return NULL if value is None else str(value).strip()


def _sequence(group: str, activity: str) -> str:
    try:
        return str(int(group or "0") * _ACT_BASE**2 + int(activity, _ACT_BASE))
    except ValueError:
        return NULL


def _add_candidates(rows: list[dict[str, str]], further: list[tuple[str, str]]) -> None:
    """Write into each row what it is a candidate for."""
    observed: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        observed[row["program"], row["instrume"].lower()].append(row)
    groups: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for number, together in enumerate(observed.values()):
        for column, (name, kind) in _GROUPS.items():
            flagged = {row["obs_num"] for row in together if row.get(column, "f").lower() not in EMPTY}
            others = {row["obs_num"] for row in together} - flagged
            if flagged and others:
                for row in together:
                    groups[id(row)].append((name.format(number=number), kind))
    for row in rows:
        observation = (f"o{row['obs_num']}", "observation")
        row["asn_candidate"] = str([observation, *groups[id(row)], *further])
