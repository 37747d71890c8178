"""Tables in files: column formats (FITS standard 4.0, section 7.3) and reading."""

from __future__ import annotations

import math
import re
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from webbcal.core.errors import InputError
from webbcal.io.arrays import region_of
from webbcal.io.cards import BLOCK, Header, header_bytes
from webbcal.io.file_handle import Handle
from webbcal.io.records import ColumnNote, Notes, plain_table, records, rows_of, text_column

#: Stored types by format letter; text (A) and logical (L) are bytes.
_TYPES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8"}
_TYPES |= {"E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
#: Formats that stand for another integer type by their TZERO.
OFFSETS = {("B", -128): "i1", ("I", 1 << 15): "u2", ("J", 1 << 31): "u4", ("K", 1 << 63): "u8"}
_FORMAT = re.compile(r"(\d*)([A-Z])", re.ASCII)
#: Formats of all kinds, also of tables of text, with what may follow the letter.
_ANY_FORMAT = re.compile(
    r"\d*[LXBIJKEDCM]|\d*A.*|[01]?[PQ][LXBIJKAEDCM](\(\d*\))?|[AIFED]\d*(\.\d+)?", re.ASCII
)


class Column(NamedTuple):
    """A column: its name, its field as stored, and the native type it stands for."""

    name: str
    stored: np.dtype[Any]
    native: np.dtype[Any]


def columns_of(header: Header) -> list[Column] | None:
    """Return the columns of a table, or None if some are of a kind that is left to astropy.

    (Cells of various lengths, bit fields, scaled values and tables of text are rare.)

    Raises
    ------
    InputError
        If the header does not say what a column is.
    """
    if str(header.get("XTENSION")).strip() == "TABLE":
        return None
    columns = []
    for number in range(1, header["TFIELDS"] + 1):
        column = _column(header, number)
        if column is None:
            return None
        columns.append(column)
    width = sum(column.stored.itemsize for column in columns)
    unique = len({column.name.lower() for column in columns}) == len(columns)
    return columns if width == header["NAXIS1"] and unique else None


def _column(header: Header, number: int) -> Column | None:
    form = header.get(f"TFORM{number}")
    match = _FORMAT.fullmatch(form.strip()) if isinstance(form, str) else None
    if match is None and not (isinstance(form, str) and _ANY_FORMAT.fullmatch(form.strip())):
        raise InputError(f"TFORM{number} is {form!r}, which is no format of a column")
    if match is None or match[2] not in {*_TYPES, "A"} or match[1] == "0":
        return None
    letter, count = match[2], int(match[1] or 1)
    dims = _dimensions(header, number)
    shape = dims or (count,)
    if math.prod(shape) != count or count > header["NAXIS1"]:
        return None
    if letter == "A":
        shape, stored = shape[:-1], np.dtype(f"S{shape[-1]}")
        native = stored
    else:
        stored = np.dtype(_TYPES[letter])
        offset = _number(header, f"TZERO{number}", 0)
        kind = OFFSETS.get((letter, int(offset))) if offset else stored.str[1:]
        if kind is None or _number(header, f"TSCAL{number}", 1) != 1:
            return None
        native = np.dtype("?" if letter == "L" else kind)
        shape = () if shape == (1,) and not dims else shape
    name = str(header.get(f"TTYPE{number}") or f"col{number}").strip()
    return Column(name, np.dtype((stored, shape)), np.dtype((native, shape)))


def _dimensions(header: Header, number: int) -> tuple[int, ...]:
    """Return the shape that TDIM gives a cell; none if there is none, or it says nothing."""
    match = re.fullmatch(
        r"\(\s*(\d+(?:\s*,\s*\d+)*)\s*\)", str(header.get(f"TDIM{number}")).strip(), re.ASCII
    )
    return tuple(int(length) for length in reversed(match[1].split(","))) if match else ()


def _number(header: Header, keyword: str, default: float) -> float:
    value = header.get(keyword)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"{keyword} is {value!r}, and should be a number")
    return value


def notes_in(header: Header) -> Notes:
    """Return what a header says of the columns beside their values."""
    notes: Notes = {}
    ascii_table = str(header.get("XTENSION")).strip() == "TABLE"
    for number in range(1, header["TFIELDS"] + 1):
        unit, disp, null, form = (
            header.get(f"{key}{number}") for key in ("TUNIT", "TDISP", "TNULL", "TFORM")
        )
        if unit is not None or disp is not None or null is not None or (form and not ascii_table):
            odd = (
                form.strip() if isinstance(form, str) and re.search("[XPQ]", form) and not ascii_table else ""
            )
            name = str(header.get(f"TTYPE{number}") or f"col{number}").strip()
            units = None if unit is None else str(unit), disp if isinstance(disp, str) else None
            notes[name] = ColumnNote(*units, null if isinstance(null, (int, str)) else None, odd)
    return notes


class FitsTable:
    """A table on disk, binary or of text, as an array source; of a binary one any rows can be read."""

    def __init__(self, handle: Handle, offset: int, nbytes: int, header: Header) -> None:
        self.handle = handle
        self.offset = offset
        self.nbytes = nbytes
        self.header = header
        self.shape: tuple[int, ...] = (header["NAXIS2"],)
        self._has_undefined = False  # logical values that are neither true nor false

    @property
    def name(self) -> str:
        """What messages call it: the file and the HDU."""
        return f"{self.handle.name}: {self.header.get('EXTNAME', 'table')}"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a row, in native byte order; text as bytes."""
        columns = self._columns
        if columns is None:
            return self.read().dtype
        return np.dtype([(column.name, column.native) for column in columns])

    @property
    def is_plain(self) -> bool:
        """Whether rows that are written anew are all there is to it.

        They are not if its values are scaled, or cells of various lengths, or text that is not ASCII; or if
        it is a table of text.
        """
        return self._columns is not None and (self.header.get("PCOUNT") or 0) == 0

    def raw(self) -> bytes:
        """Return the data as stored, with the heap."""
        return self.handle.bytes_at(self.offset, self.nbytes)

    def read(self, *index: slice | int) -> np.ndarray:
        """Return (some rows of) the table as a native record array; text columns hold `str`.

        Raises
        ------
        InputError
            If it is damaged.
        """
        columns, notes = self._columns, notes_in(self.header)
        if columns is None:
            table = self._read_with_astropy(notes)
            return table[index] if index else self._known_as(table)
        ((start, stop),), selected = region_of(self.shape, index)
        table = plain_table(rows_of(self._read(columns, start, stop), notes))
        if not index:
            return self._known_as(table)
        return table if selected else table[0]

    def _known_as(self, table: Any) -> Any:
        """Return all rows, which know where they are from if they are not all there is to the table."""
        if not self.is_plain or self._has_undefined:
            table.__dict__["source"] = self
        return table

    @cached_property
    def _columns(self) -> list[Column] | None:
        try:
            return columns_of(self.header)
        except InputError as error:
            raise InputError(
                f"{self.name}: cannot be read as a table: {error}; fetch the file again"
            ) from error

    def _read(self, columns: list[Column], start: int, stop: int) -> np.ndarray:
        stored = np.dtype([(column.name, column.stored) for column in columns])
        if not stored.itemsize:
            raise InputError(
                f"{self.name}: cannot be read as a table: its rows are empty; fetch the file again"
            )
        place, nbytes = self.offset + start * stored.itemsize, (stop - start) * stored.itemsize
        rows = np.frombuffer(self.handle.bytes_at(place, nbytes), stored)
        table = np.empty(stop - start, [(column.name, column.native) for column in columns])
        for name, _, native in columns:
            values = rows[name]
            if native.base.kind == "b":
                table[name] = values == b"T"
                self._has_undefined |= bool((~table[name] & (values != b"F")).any())
            elif native.base.kind == values.dtype.kind or native.base.kind == "S":
                table[name] = values
            else:  # adding TZERO flips the top bit
                bits = values.astype(f"u{values.dtype.itemsize}") ^ (1 << (8 * values.dtype.itemsize - 1))
                table[name] = bits.view(native.base)
        return table

    def _read_with_astropy(self, notes: Notes) -> np.ndarray:
        import warnings

        from astropy.io import fits

        kind = fits.TableHDU if str(self.header.get("XTENSION")).strip() == "TABLE" else fits.BinTableHDU
        content = header_bytes(self.header.cards) + self.raw() + bytes(-self.nbytes % BLOCK)
        if not self.header["NAXIS1"] * self.shape[0]:
            raise InputError(
                f"{self.name}: cannot be read as a table: its rows are empty; fetch the file again"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = kind.fromstring(content, uint=True).data
                columns = {name: text_column(data[name]) for name in data.dtype.names}
        except Exception as error:  # astropy raises whatever its parts raise
            raise InputError(
                f"{self.name}: cannot be read as a table ({error}); fetch the file again"
            ) from error
        return records(self._without_nulls(columns), self.shape, notes)

    def _without_nulls(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return columns in which scaled values that stand for none are NaN."""
        for number, (name, values) in enumerate(columns.items(), 1):
            null = self.header.get(f"TNULL{number}")
            scaled = re.fullmatch(r"\d*[BIJK]", str(self.header.get(f"TFORM{number}")).strip())
            if scaled and values.dtype.kind == "f" and isinstance(null, int):
                scale = _number(self.header, f"TSCAL{number}", 1), _number(self.header, f"TZERO{number}", 0)
                values = values.copy()
                values[values == null * scale[0] + scale[1]] = np.nan
                columns[name] = values
        return columns

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy (some rows of) the table into `out`."""
        out[...] = self.read(*index)
