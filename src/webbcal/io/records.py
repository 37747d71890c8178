"""Tables in memory: native record arrays whose text columns hold `str`, as astropy's FITS tables behave.

Columns are found in any case, as items and as attributes; `TableRows.columns` is what astropy gives, with
units and null values, and what is set there stands in the file later.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from webbcal.io.masked import masked_column


@dataclass(frozen=True, slots=True)
class ColumnNote:
    """What a file says of a column beside its values.

    Attributes
    ----------
    unit, disp : str or None
        Its unit, and the format that it is shown in.
    null : int or str or None
        The value that stands for none.
    form : str
        Its format, if no other stands for the type of the values: bits (``5X``), arrays on the heap
        (``PE(3)``).
    """

    unit: str | None = None
    disp: str | None = None
    null: int | str | None = None
    form: str = ""


Notes = dict[str, ColumnNote]


class TableRows(np.recarray):
    """Rows of a table.

    Attributes
    ----------
    notes : dict
        By name of a column: what is said of it beside its values.
    source : object or None
        The table in a file that these are all rows of, if only that has all of it; see `FitsTable.is_plain`.
    as_found : bool
        Whether its columns are others than those declared, and it is taken all the same.
    """

    notes: Notes
    source: Any
    as_found: bool

    def __array_finalize__(self, origin: Any) -> None:
        """Take over what is known of the columns."""
        super().__array_finalize__(origin)
        self.__dict__["notes"] = getattr(origin, "notes", {})
        self.__dict__["source"] = None
        self.__dict__["as_found"] = getattr(origin, "as_found", False)
        self.__dict__["_columns"] = getattr(origin, "_columns", None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what is known of the columns, too."""
        reduced: tuple[Any, ...] = super().__reduce__()  # type: ignore[assignment]
        return *reduced[:2], (reduced[2], self.current_notes())

    def __setstate__(self, state: Any) -> None:
        """Unpickle."""
        values, self.__dict__["notes"] = state
        super().__setstate__(values)

    def _name(self, name: str) -> str:
        """Return a name as it is written in this table."""
        names = self.dtype.names or ()
        if name in names:
            return name
        return next((known for known in names if known.lower() == name.lower()), name)

    def __getitem__(self, index: Any) -> Any:
        """Return a column by its name in any case, or rows."""
        return super().__getitem__(self._name(index) if isinstance(index, str) else index)

    def __setitem__(self, index: Any, value: Any) -> None:
        """Set a column by its name in any case, or rows."""
        super().__setitem__(self._name(index) if isinstance(index, str) else index, value)

    def __getattr__(self, name: str) -> Any:
        """Return a column by its name in another case."""
        known = self._name(name) if not name.startswith("_") else name
        if known == name or self.dtype.names is None:
            raise AttributeError(f"the table has no column or attribute {name!r}")
        return super().__getattribute__(known)

    def field(self, name: int | str, value: Any = None) -> Any:
        """Return a column by its number, or by its name in any case; or set it."""
        key = (self.dtype.names or ())[name] if isinstance(name, int) else self._name(name)
        if value is None:
            return self[key]
        self[key] = value
        return None

    @property
    def columns(self) -> Any:
        """The columns as `astropy.io.fits.ColDefs`: names, formats, units, null values."""
        if self.__dict__.get("_columns") is None:
            from astropy.io import fits

            plain = np.empty(0, [(n, *_bare(self.dtype[n])) for n in self.dtype.names or ()])
            columns = fits.ColDefs(plain)
            for column in columns:
                note = self.notes.get(column.name, ColumnNote())
                for field in ("unit", "disp", "null"):
                    if getattr(note, field) is not None:
                        with suppress(ValueError, TypeError, AssertionError, fits.VerifyError):
                            setattr(column, field, getattr(note, field))
            self.__dict__["_columns"] = columns
        return self.__dict__["_columns"]

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.dtype.names or ())

    def current_notes(self) -> Notes:
        """Return the notes, with what was set in `columns`."""
        columns = self.__dict__.get("_columns")
        if columns is None:
            return self.notes
        known = {column.name: column for column in columns}
        made = dict(self.notes)
        for name in self.dtype.names or ():
            if name in known:
                said = (
                    str(value) if (value := known[name].unit) else None,
                    known[name].disp,
                    known[name].null,
                )
                made[name] = ColumnNote(*said, made.get(name, ColumnNote()).form)
        return made


def _bare(kind: np.dtype[Any]) -> tuple[Any, ...]:
    """Return type and shape of an empty column that stands for one in the file."""
    base = np.dtype("f8") if kind.base.kind == "O" else kind.base
    return base, kind.shape


def text_column(values: np.ndarray) -> np.ndarray:
    """Return text as `str` without trailing blanks; other values as they are, in native byte order.

    Bytes that are not ASCII, as FITS wants them, become what `encoded` makes the same bytes of.
    """
    values = np.asarray(values)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "ascii", "surrogateescape")
    if values.dtype.kind == "U":
        return np.char.rstrip(values)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def encoded(values: np.ndarray) -> np.ndarray:
    """Return text as bytes for a file, with room for as many characters as the column has.

    Raises
    ------
    UnicodeEncodeError
        If it is not ASCII.
    """
    text = np.char.encode(values, "ascii", "surrogateescape")
    return text.astype(f"S{max(1, values.dtype.itemsize // np.dtype('U1').itemsize)}", copy=False)


def plain_table(value: Any, name: str = "table") -> np.ndarray:
    """Return any table as a native record array whose text columns hold `str`; see `unmasked`.

    `name` is what messages call it.
    """
    notes = notes_of(value)
    value = value.as_array() if hasattr(value, "as_array") else value
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.names is None:
        return array
    if isinstance(array, np.ma.MaskedArray):
        return unmasked(array, notes, name)
    if type(array) in (np.ndarray, np.recarray, TableRows) and is_plain(array.dtype):
        return rows_of(array, notes)
    return records({name: text_column(array[name]) for name in array.dtype.names}, array.shape, notes)


def unmasked(table: np.ma.MaskedArray, notes: Notes, name: str) -> TableRows:
    """Return a table without its mask: what is masked is NaN, no text, or the null value of its column.

    Raises
    ------
    InputError
        If truth values are masked; `name` is what the message calls the table.
    """
    columns, made = {}, dict(notes)
    for column in table.dtype.names or ():
        note = notes.get(column, ColumnNote())
        values, null = masked_column(table[column], f"{name}.{column}", note.null)
        columns[column], made[column] = text_column(values), replace(note, null=null)
    return records(columns, table.shape, made)


def notes_of(table: Any) -> Notes:
    """Return what is said of the columns of a table (ours, or one of astropy.io.fits or astropy.table)."""
    if isinstance(table, TableRows):
        return table.current_notes()
    columns = getattr(table, "columns", None)
    if columns is None:
        return {}
    members = list(columns.values()) if isinstance(columns, Mapping) else list(columns)
    return {
        column.name: ColumnNote(
            str(column.unit) if column.unit else None,
            getattr(column, "disp", None),
            getattr(column, "null", None),
        )
        for column in members
        if hasattr(column, "unit")
    }


def rows_of(array: np.ndarray, notes: Notes) -> TableRows:
    """Return a structured array as rows, sharing its memory."""
    rows = array.view(TableRows)
    rows.__dict__["notes"] = {k: n for k, n in notes.items() if any(getattr(n, f.name) for f in fields(n))}
    if isinstance(array, TableRows):
        rows.__dict__["source"] = array.source
    return rows


def is_plain(dtype: np.dtype[Any]) -> bool:
    """Tell whether a table of this type is as `records` makes it: native, packed, text as `str`."""
    fields = [dtype[name] for name in dtype.names or ()]
    packed = sum(field.itemsize for field in fields) == dtype.itemsize
    return packed and all(field.base.kind not in "SUO" and field.isnative for field in fields)


def records(columns: dict[str, np.ndarray], shape: tuple[int, ...], notes: Notes | None = None) -> TableRows:
    """Return a record array of `shape` (rows) made of columns, which may have further axes."""
    fields: list[tuple[Any, ...]] = []
    for name, values in columns.items():
        kind: Any = values.dtype
        if kind.kind == "U" and kind.itemsize == 0:
            kind = np.dtype("U1")
        fields.append((name, kind, values.shape[len(shape) :]))
    table = np.empty(shape, dtype=fields)
    for name, values in columns.items():
        table[name] = values
    return rows_of(table, notes or {})


def same_rows(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two tables have the same columns and values (NaN is as NaN)."""
    if one.dtype.names != other.dtype.names or one.shape != other.shape:
        return False
    return all(_same(np.asarray(one[name]), np.asarray(other[name])) for name in one.dtype.names or ())


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype.kind == "O" and other.dtype.kind == "O":
        pairs = zip(one.reshape(-1), other.reshape(-1), strict=True)
        return all(_same(np.asarray(a), np.asarray(b)) for a, b in pairs)
    if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
        return False
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
