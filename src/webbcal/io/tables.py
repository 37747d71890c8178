"""Binary tables in files: column formats (FITS standard 4.0, section 7.3) and reading."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np

from webbcal.io.cards import BLOCK, Header, header_bytes
from webbcal.io.file_handle import FileHandle
from webbcal.io.records import plain_table

#: Stored types by format letter; text (A) and logical (L) are bytes.
_TYPES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8"}
_TYPES |= {"E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
#: Formats that stand for another integer type by their TZERO.
OFFSETS = {("B", -128): "i1", ("I", 1 << 15): "u2", ("J", 1 << 31): "u4", ("K", 1 << 63): "u8"}
_FORMAT = re.compile(r"(\d*)([A-Z])")


class Column(NamedTuple):
    """A column: its name, its field as stored, and the native type it stands for."""

    name: str
    stored: np.dtype[Any]
    native: np.dtype[Any]


def columns_of(header: Header) -> list[Column] | None:
    """Return the columns of a table, or None if some are of a kind that is left to astropy.

    (Cells of various lengths, bit fields, and scaled values are rare.)
    """
    columns = []
    for number in range(1, header["TFIELDS"] + 1):
        column = _column(header, number)
        if column is None:
            return None
        columns.append(column)
    width = sum(column.stored.itemsize for column in columns)
    unique = len({column.name for column in columns}) == len(columns)
    return columns if width == header["NAXIS1"] and unique else None


def _column(header: Header, number: int) -> Column | None:
    match = _FORMAT.fullmatch(str(header[f"TFORM{number}"]).strip())
    if match is None or match[2] not in {*_TYPES, "A"} or match[1] == "0":
        return None
    letter, count = match[2], int(match[1] or 1)
    dims = header.get(f"TDIM{number}")
    shape = tuple(int(n) for n in reversed(dims.strip("() ").split(","))) if dims else (count,)
    if math.prod(shape) != count:
        return None
    if letter == "A":
        shape, stored = shape[:-1], np.dtype(f"S{shape[-1]}")
        native = stored
    else:
        stored = np.dtype(_TYPES[letter])
        offset = header.get(f"TZERO{number}", 0)
        kind = OFFSETS.get((letter, int(offset))) if offset else stored.str[1:]
        if kind is None or header.get(f"TSCAL{number}", 1) != 1:
            return None
        native = np.dtype("?" if letter == "L" else kind)
        shape = () if shape == (1,) and not dims else shape
    name = str(header.get(f"TTYPE{number}", f"col{number}")).strip()
    return Column(name, np.dtype((stored, shape)), np.dtype((native, shape)))


class FitsTable:
    """A binary table on disk as an array source; it is read whole."""

    def __init__(self, handle: FileHandle, offset: int, nbytes: int, header: Header) -> None:
        self.handle = handle
        self.offset = offset
        self.nbytes = nbytes
        self.header = header
        self.shape: tuple[int, ...] = (header["NAXIS2"],)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a row, in native byte order; text as bytes."""
        columns = columns_of(self.header)
        if columns is None:
            return self.read().dtype
        return np.dtype([(column.name, column.native) for column in columns])

    def raw(self) -> bytes:
        """Return the data as stored, with the heap."""
        buffer = bytearray(self.nbytes)
        self.handle.read_at(memoryview(buffer), self.offset)
        return bytes(buffer)

    def read(self, *index: slice | int) -> np.ndarray:
        """Return (some rows of) the table as a native record array; text columns hold `str`."""
        columns = columns_of(self.header)
        table = self._read_with_astropy() if columns is None else plain_table(self._read(columns))
        return table[index] if index else table

    def _read(self, columns: list[Column]) -> np.ndarray:
        stored = np.dtype([(column.name, column.stored) for column in columns])
        rows = np.frombuffer(self.raw(), stored, count=self.shape[0])
        table = np.empty(self.shape, [(column.name, column.native) for column in columns])
        for name, _, native in columns:
            values = rows[name]
            if native.base.kind == "b":
                table[name] = values == b"T"
            elif native.base.kind == values.dtype.kind or native.base.kind == "S":
                table[name] = values
            else:  # adding TZERO flips the top bit
                bits = values.astype(f"u{values.dtype.itemsize}") ^ (1 << (8 * values.dtype.itemsize - 1))
                table[name] = bits.view(native.base)
        return table

    def _read_with_astropy(self) -> np.ndarray:
        from astropy.io import fits

        content = header_bytes(self.header.cards) + self.raw() + bytes(-self.nbytes % BLOCK)
        return plain_table(fits.BinTableHDU.fromstring(content).data)

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy (some rows of) the table into `out`."""
        out[...] = self.read(*index)
