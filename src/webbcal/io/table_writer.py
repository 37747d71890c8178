"""Writing binary tables: headers, and the bytes of the rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from webbcal.core.errors import InputError, OutputError
from webbcal.io.arrays import in_file
from webbcal.io.cards import BLOCK, STRUCTURAL, Card, Header, header_bytes, read_header
from webbcal.io.compressed import tile_cards
from webbcal.io.hdus import PlannedHdu, name_cards
from webbcal.io.records import ColumnNote, Notes, TableRows, encoded, notes_of, same_rows
from webbcal.io.tables import FitsTable

#: Column format and offset by native type (unsigned integers as signed ones with an offset).
_FORMATS: dict[str, tuple[str, int]] = {"b1": ("L", 0), "u1": ("B", 0), "i1": ("B", -128), "i2": ("I", 0)}
_FORMATS |= {"u2": ("I", 1 << 15), "i4": ("J", 0), "u4": ("J", 1 << 31), "i8": ("K", 0), "u8": ("K", 1 << 63)}
_FORMATS |= {"f4": ("E", 0), "f8": ("D", 0), "c8": ("C", 0), "c16": ("M", 0)}

Bytes = bytes | memoryview


class Carried(Protocol):
    """The data of an HDU in another file, that can be passed on as they are."""

    header: Header

    def raw(self) -> bytes:
        """Return the data as stored."""


def table_hdu(hdu: PlannedHdu) -> tuple[bytes, Bytes]:
    """Return header and data of a table; the header is padded to blocks.

    A table that is still in another file keeps its bytes, and all that its header says of them; so does one
    that was read and is as it was, if rows alone would not be all of it.

    Raises
    ------
    OutputError
        If FITS has no place for the values of a column.
    """
    if hasattr(hdu.data, "raw"):
        return carried(hdu, hdu.data)
    table = np.asanyarray(hdu.data.read() if in_file(hdu.data) else hdu.data)
    source = _source_of(table)
    if source is not None:
        return carried(hdu, source)
    names = table.dtype.names or ()
    notes = _notes(table, hdu)
    if any(table.dtype[name].kind == "O" for name in names):
        return _with_astropy(hdu, table, notes)
    rows = _stored_rows(table, hdu.name, notes)
    cards = [Card("XTENSION", "BINTABLE", "binary table extension"), Card("BITPIX", 8), Card("NAXIS", 2)]
    cards += [Card("NAXIS1", rows.dtype.itemsize), Card("NAXIS2", rows.size)]
    cards += [Card("PCOUNT", 0), Card("GCOUNT", 1), Card("TFIELDS", len(names))]
    for number, name in enumerate(names, 1):
        cards += _column_cards(
            number, name, rows.dtype[name], table.dtype[name], notes.get(name, ColumnNote())
        )
    header = header_bytes([*cards, *name_cards(hdu), *hdu.cards])
    return header, rows.view(np.uint8).data if rows.size else b""


def carried(hdu: PlannedHdu, source: Carried) -> tuple[bytes, Bytes]:
    """Return an HDU with the bytes of another file as they are, and what its header says of them."""
    other = ("CHECKSUM", "DATASUM", "EXTNAME", "EXTVER", "")
    cards = (card for card in source.header.cards if card.keyword not in other)
    structural = [card for card in cards if STRUCTURAL.fullmatch(card.keyword)] + tile_cards(source.header)
    known = {card.keyword for card in structural}
    own = (card for card in hdu.cards if card.keyword not in known)
    return header_bytes([*structural, *name_cards(hdu), *own]), source.raw()


def _source_of(table: np.ndarray) -> Carried | None:
    """Return the table in a file that holds these very rows, and more than they say."""
    source: FitsTable | None = getattr(table, "source", None) if isinstance(table, TableRows) else None
    if source is None or not isinstance(table, TableRows):
        return None
    try:
        unchanged = same_rows(table, source.read()) and table.current_notes() == table.notes
    except InputError:  # the file is no longer there; the rows are
        return None
    return source if unchanged else None


def _notes(table: np.ndarray, hdu: PlannedHdu) -> Notes:
    """Return what is said of the columns: by the table, and where that has no unit, by its declaration."""
    own = notes_of(table)
    units = {name: unit for name, unit in hdu.units.items() if not own.get(name, ColumnNote()).unit}
    return own | {name: replace(own.get(name, ColumnNote()), unit=unit) for name, unit in units.items()}


def _with_astropy(hdu: PlannedHdu, table: np.ndarray, notes: Notes) -> tuple[bytes, Bytes]:
    """Write a table whose cells are arrays of various lengths."""
    import io

    from astropy.io import fits

    rows = fits.FITS_rec.from_columns(_variable_columns(table, hdu.name, notes))
    written = fits.BinTableHDU(rows, name=hdu.name, ver=hdu.version)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), written]).writeto(buffer)
    buffer.seek(BLOCK)
    header = read_header(buffer)
    return header_bytes([*header.cards, *hdu.cards]), buffer.read()


#: What astropy calls what cards of a column say.
_ASTROPY = {"TFORM1": "format", "TDIM1": "dim", "TZERO1": "bzero", "TNULL1": "null"}


def _variable_columns(table: np.ndarray, hdu_name: str, notes: Notes) -> Any:
    from astropy.io import fits

    columns = []
    for name in table.dtype.names or ():
        values = np.asarray(table[name])
        note = notes.get(name, ColumnNote())
        how: dict[str, Any] = {"unit": note.unit, "disp": note.disp}
        if values.dtype.kind == "O":
            how["format"], values = _cells(values, note.form)
        else:
            stored = _stored_rows(np.asarray(table)[[name]], hdu_name, notes)
            cards = _column_cards(1, name, stored.dtype[name], table.dtype[name], note)
            how |= {_ASTROPY[card.keyword]: card.value for card in cards if card.keyword in _ASTROPY}
        columns.append(fits.Column(name, array=values, **how))
    return fits.ColDefs(columns)


def _cells(values: np.ndarray, form: str) -> tuple[str, np.ndarray]:
    """Return the format of cells of various lengths, and the cells as arrays of one type."""
    pointer = form[:1] if form[:1] in "PQ" and form else "P"
    cells = np.empty(len(values), object)
    cells[:] = [np.asarray(list(cell) if isinstance(cell, str) else cell) for cell in values]
    kinds = [cell.dtype for cell in cells if cell.size] or [cell.dtype for cell in cells]
    kind = np.result_type(*kinds) if kinds else np.dtype("f8")
    letter = "A" if kind.kind in "SU" else _FORMATS.get(kind.str[1:], ("D", 0))[0]
    return f"{pointer}{letter}()", cells


def _null(note: ColumnNote, kind: np.dtype[Any]) -> int | None:
    return note.null if isinstance(note.null, int) and kind.base.kind in "iu" else None


def _format(stored: np.dtype[Any], native: np.dtype[Any]) -> str:
    count = math.prod(stored.shape)
    if native.base.kind in "SU":
        return f"{count * stored.base.itemsize}A"
    code = _FORMATS[native.base.str[1:]][0]
    return f"{count if stored.shape else ''}{code}"


def _column_cards(
    number: int, name: str, stored: np.dtype[Any], native: np.dtype[Any], note: ColumnNote
) -> list[Card]:
    bits = _is_bits(note, native)
    form = f"{native.shape[0]}X" if bits else _format(stored, native)
    cards = [Card(f"TTYPE{number}", name), Card(f"TFORM{number}", form)]
    text = native.base.kind in "SU"
    shape = (*stored.shape, stored.base.itemsize) if text else stored.shape
    if len(shape) > 1 and not bits:
        cards.append(Card(f"TDIM{number}", f"({','.join(str(length) for length in reversed(shape))})"))
    offset = 0 if text else _FORMATS[native.base.str[1:]][1]
    if offset:
        cards += [Card(f"TSCAL{number}", 1), Card(f"TZERO{number}", offset)]
    if (null := _null(note, native)) is not None:
        cards.append(Card(f"TNULL{number}", null))
    said = (
        Card(f"{key}{number}", value) for key, value in (("TUNIT", note.unit), ("TDISP", note.disp)) if value
    )
    return [*cards, *said]


def _is_bits(note: ColumnNote, native: np.dtype[Any]) -> bool:
    """Tell whether a column of truth values is one of bits in the file."""
    return native.base.kind == "b" and note.form.endswith("X") and len(native.shape) == 1


def _stored_rows(table: np.ndarray, hdu_name: str, notes: Notes) -> np.ndarray:
    """Return the rows as they stand in a file: big-endian, text as ASCII, booleans as T and F or as bits."""
    names = table.dtype.names or ()
    columns = {name: _as_bytes(table, name, hdu_name, notes.get(name, ColumnNote())) for name in names}
    kinds = [
        (name, _stored_type(values.dtype, name, hdu_name), values.shape[table.ndim :])
        for name, values in columns.items()
    ]
    rows = np.empty(table.shape, kinds)
    for name, values in columns.items():
        _store(values, rows[name])
    return rows.reshape(-1)


def _as_bytes(table: np.ndarray, name: str, hdu_name: str, note: ColumnNote) -> np.ndarray:
    """Return the values of a column with text as bytes and bits packed; the others as they are."""
    values = np.asarray(table[name])
    if values.dtype.kind == "U":
        try:
            return encoded(values)
        except UnicodeEncodeError as error:
            raise OutputError(
                f"{hdu_name}: column {name}: {error.object!r} is not ASCII, the only text of FITS tables"
            ) from error
    return np.packbits(values, axis=-1) if _is_bits(note, table.dtype[name]) else values


def _stored_type(native: np.dtype[Any], name: str, hdu_name: str) -> str:
    if native.kind == "S":
        return f"S{max(1, native.itemsize)}"
    if native.str[1:] not in _FORMATS:
        raise OutputError(f"{hdu_name}: column {name}: a FITS table cannot hold values of type {native}")
    if native.kind == "b" or native.itemsize == 1:
        return "u1"
    return f">{'i' if native.kind == 'u' else native.kind}{native.itemsize}"


def _store(values: np.ndarray, column: np.ndarray) -> None:
    """Put values in a column of stored rows."""
    kind, width = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        column[...] = np.where(values, np.uint8(ord("T")), np.uint8(ord("F")))
    elif (kind == "u" and width > 1) or values.dtype == np.int8:
        # An offset of half the range flips the top bit.
        bits = column.view(f">u{width}")
        bits[...] = values.view(np.uint8) if width == 1 else values
        bits ^= bits.dtype.type(1 << (8 * width - 1))
    else:
        column[...] = values
