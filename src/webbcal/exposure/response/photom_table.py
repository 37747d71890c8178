"""PHOTOM references: the row that fits an exposure, its conversion factor, and how that changes with time.

A table holds a factor from DN/s to MJy/sr for each combination of optical elements; for spectra also their
orders, and the response relative to that factor against wavelength (`photom_spectra`). Tables of
coefficients, row by row, say what share of the throughput is left at a time (the product of a linear, an
exponential and a power-law decline). Numbers stay in the precision of the file, as jwst keeps them: the
rounding of times to single precision (a few minutes) matters at the level of 1e-6 soon after the decline
starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from webbcal.core.errors import InputError, ReferenceFileError, SkipStep
from webbcal.core.modes import mode_of

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


def keys_of(model: Any, order: int | None = None) -> list[dict[str, str | None]]:
    """Return what a row must match, by column, for an exposure; later entries are second choices.

    Parameters
    ----------
    model : DataModel
    order : int, optional
        The spectral order, where rows are for one.
    """
    instrument = model.meta.instrument
    name = str(instrument.name).upper()
    if name == "FGS":
        return [{}]  # no filters: the only row
    if name == "MIRI":
        named = {"subarray": _upper(model.meta.subarray.name), "filter": _upper(instrument.filter)}
        wide = mode_of(model.meta.exposure.type).is_wide_field
        return [named] if wide else [named, named | {"subarray": "GENERIC"}]
    elements = {"filter": _upper(instrument.filter), "pupil": _upper(instrument.pupil)}
    return [elements if order is None else elements | {"order": str(order)}]


def find_row(reference: Any, model: Any, order: int | None = None, spectral: bool = False) -> int | None:
    """Return the row of a PHOTOM table for an exposure (and a spectral order), or None if there is none.

    Raises
    ------
    ReferenceFileError
        If the reference has no such table, or several rows fit.
    """
    table = table_of(reference, spectral)
    for wanted in keys_of(model, order):
        if (
            str(model.meta.instrument.name).upper() == "NIRCAM"
            and "subarray" in table.dtype.names
            and not spectral
        ):
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


def table_of(reference: Any, spectral: bool = False) -> Any:
    """Return the table of conversion factors, for images or for spectra.

    Raises
    ------
    ReferenceFileError
        If the reference has none of that kind.
    """
    table = getattr(reference.model, "phot_table", None)
    columns = () if table is None else table.dtype.names
    factor = "photmjsr" in columns or (spectral and "photmj" in columns)
    if not factor or ("wavelength" in columns) != spectral:
        kind = "spectral" if spectral else "imaging"
        needed = "columns photmjsr or photmj, wavelength and relresponse" if spectral else "a column photmjsr"
        raise ReferenceFileError(
            f"{reference.name} has no table of {kind} conversion factors (PHOTOM extension with {needed}); "
            "check the file, or give another with override_photom"
        )
    return table


def _matching(table: Any, wanted: Mapping[str, str | None], reference: Any) -> np.ndarray:
    fits = np.ones(len(table), bool)
    for column, value in wanted.items():
        if column not in table.dtype.names:
            raise ReferenceFileError(f"{reference.name}: its PHOTOM table has no column {column}")
        fits &= np.array([_upper(cell) == value for cell in table[column]], bool)
    return np.nonzero(fits)[0]


def conversion(reference: Any, row: int, spectral: bool = False) -> np.floating:
    """Return the factor from DN/s to MJy/sr (or MJy) of a row of the table (float32).

    Raises
    ------
    ReferenceFileError
        If it is no positive number.
    """
    table = table_of(reference, spectral)
    column = "photmjsr" if "photmjsr" in table.dtype.names else "photmj"
    factor: np.floating = table[column][row]
    if not (np.isfinite(factor) and factor > 0):
        raise ReferenceFileError(
            f"{reference.name}: {column} = {factor} in row {row + 1} is no conversion factor; "
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
    rows = len(reference.model.phot_table)
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


class Calibration:
    """The PHOTOM reference of an exposure.

    Parameters
    ----------
    model : DataModel
    reference : Reference
    spectral : bool
        Whether its table is one of spectra.
    in_time : bool
        Whether factors are corrected for the change of throughput.
    """

    def __init__(self, model: Any, reference: Any, spectral: bool, in_time: bool) -> None:
        self.model, self.reference, self.spectral = model, reference, spectral
        self._in_time = in_time

    def factor(self, order: int | None = None) -> tuple[np.floating, int]:
        """Return the factor from DN/s to physical units, and its row, for an order (of spectra).

        Raises
        ------
        SkipStep
            If there is no row for it.
        """
        model, reference = self.model, self.reference
        name = str(model.meta.filename or "input model")
        order = (order or 0) if self.spectral else None
        row = find_row(reference, model, order, self.spectral)
        if row is None:
            wanted = describe(keys_of(model, order)[0])
            raise SkipStep(f"{reference.name} has no row for {wanted}; the data of {name} stay in DN/s")
        factor = conversion(reference, row, self.spectral)
        if self._in_time:
            left = throughput_left(reference, row, model.meta.exposure.mid_time, name)
            factor = factor if left == 1.0 else factor / left
        return factor, row
