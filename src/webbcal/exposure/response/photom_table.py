"""PHOTOM references: the row that fits an exposure, its conversion factor, and how that changes with time.

A table holds a factor from DN/s to MJy/sr for each combination of optical elements. Tables of coefficients,
row by row, say what share of the throughput is left at a time (the product of a linear, an exponential and a
power-law decline). Numbers stay in the precision of the file, as jwst keeps them: the rounding of times to
single precision (a few minutes) matters at the level of 1e-6 soon after the decline starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from webbcal.core.errors import InputError, ReferenceFileError

_DAYS_OF_A_YEAR = 365.0

#: Table of coefficients -> share of the throughput that is left at a time (MJD), for a row.
_DECLINES: dict[str, Callable[[float, Any], Any]] = {
    "timecoeff_linear": lambda time, c: 1.0 - c["lossperyear"] * (time - c["t0"]) / _DAYS_OF_A_YEAR,
    "timecoeff_exponential": lambda time, c: (
        c["amplitude"] * np.exp(-(time - c["t0"]) / c["tau"]) + c["const"]
    ),
    "timecoeff_powerlaw": lambda time, c: (
        (time - c["t0"] + c["tsoft"]) ** c["alpha"]
        / (((_DAYS_OF_A_YEAR + c["tsoft"]) ** c["alpha"]) / c["year1value"])
    ),
}


def keys_of(model: Any) -> list[dict[str, str | None]]:
    """Return what a row must match, by column, for an imaging exposure; later entries are second choices."""
    instrument = model.meta.instrument
    name = str(instrument.name).upper()
    if name == "FGS":
        return [{}]  # no filters: the only row
    if name == "MIRI":
        named = {"subarray": _upper(model.meta.subarray.name), "filter": _upper(instrument.filter)}
        return [named, named | {"subarray": "GENERIC"}]
    return [{"filter": _upper(instrument.filter), "pupil": _upper(instrument.pupil)}]


def find_row(reference: Any, model: Any) -> int | None:
    """Return the row of a PHOTOM table for an exposure, or None if there is none.

    Raises
    ------
    ReferenceFileError
        If the reference has no such table, or several rows fit.
    """
    table = _table(reference)
    for wanted in keys_of(model):
        if str(model.meta.instrument.name).upper() == "NIRCAM" and "subarray" in table.dtype.names:
            wanted = wanted | {"subarray": _upper(model.meta.subarray.name)}
        rows = _matching(table, wanted, reference)
        if not wanted and len(rows):
            return 0
        if len(rows) > 1:
            raise ReferenceFileError(
                f"{reference.name}: {len(rows)} rows for {describe(wanted)}, expected one; "
                "remove the others, or give another file with override_photom"
            )
        if len(rows):
            return int(rows[0])
    return None


def describe(wanted: Mapping[str, str | None]) -> str:
    """Return what was looked for, for messages."""
    return ", ".join(f"{column.upper()} = {value}" for column, value in wanted.items()) or "any exposure"


def _table(reference: Any) -> Any:
    table = getattr(reference.model, "phot_table", None)
    columns = () if table is None else table.dtype.names
    if "photmjsr" not in columns or "wavelength" in columns:
        raise ReferenceFileError(
            f"{reference.name} has no table of imaging conversion factors (PHOTOM extension with a column "
            "photmjsr); check the file, or give another with override_photom"
        )
    return table


def _matching(table: Any, wanted: Mapping[str, str | None], reference: Any) -> np.ndarray:
    fits = np.ones(len(table), bool)
    for column, value in wanted.items():
        if column not in table.dtype.names:
            raise ReferenceFileError(f"{reference.name}: its PHOTOM table has no column {column}")
        fits &= np.array([_upper(cell) == value for cell in table[column]], bool)
    return np.nonzero(fits)[0]


def conversion(reference: Any, row: int) -> np.floating:
    """Return the factor from DN/s to MJy/sr of a row of the table (float32).

    Raises
    ------
    ReferenceFileError
        If it is no positive number.
    """
    factor: np.floating = _table(reference)["photmjsr"][row]
    if not (np.isfinite(factor) and factor > 0):
        raise ReferenceFileError(
            f"{reference.name}: photmjsr = {factor} in row {row + 1} is no conversion factor; "
            "correct it, or give another file with override_photom"
        )
    return factor


def throughput_left(reference: Any, row: int, time: float | None, name: str) -> np.float64:
    """Return the share of the throughput of a row that is left at a time.

    Parameters
    ----------
    reference : Reference
        The PHOTOM reference; 1 is returned if it has no tables of coefficients.
    row : int
        Row of its tables.
    time : float or None
        Middle of the exposure (MJD), if it is known.
    name : str
        The exposure, for messages.

    Raises
    ------
    ReferenceFileError
        If the tables differ in length.
    InputError
        If the time is needed but not known.
    """
    share = np.float64(1.0)
    rows = len(_table(reference))
    for table_name, decline in _DECLINES.items():
        table = getattr(reference.model, table_name) if reference.has(table_name) else None
        if table is None:
            continue
        if len(table) != rows:
            raise ReferenceFileError(
                f"{reference.name}: {table_name} has {len(table)} rows, but PHOTOM has {rows}; "
                "they must agree row by row"
            )
        if time is None:
            raise InputError(
                f"{name}: {reference.name} corrects for the change of throughput, but EXPMID "
                "(meta.exposure.mid_time) is missing; set it, or use apply_time_correction=False"
            )
        share *= decline(float(time), table[row])
    return share


def _upper(text: Any) -> str | None:
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    return None if text is None else str(text).strip().upper()
