"""Writing binary tables: headers, and the bytes of the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from webbcal.io.arrays import in_file
from webbcal.io.cards import BLOCK, STRUCTURAL, Card, header_bytes, read_header
from webbcal.io.hdus import PlannedHdu, name_cards
from webbcal.io.tables import FitsTable

#: Column format and offset by native type (unsigned integers as signed ones with an offset).
_FORMATS: dict[str, tuple[str, int]] = {"b1": ("L", 0), "u1": ("B", 0), "i1": ("B", -128), "i2": ("I", 0)}
_FORMATS |= {"u2": ("I", 1 << 15), "i4": ("J", 0), "u4": ("J", 1 << 31), "i8": ("K", 0), "u8": ("K", 1 << 63)}
_FORMATS |= {"f4": ("E", 0), "f8": ("D", 0), "c8": ("C", 0), "c16": ("M", 0)}

Bytes = bytes | memoryview


def table_hdu(hdu: PlannedHdu) -> tuple[bytes, Bytes]:
    """Return header and data of a table; the header is padded to blocks.

    A table that is still in another file keeps its bytes, its column types and units.
    """
    if isinstance(hdu.data, FitsTable):
        return _copied(hdu, hdu.data)
    table = np.asarray(hdu.data.read() if in_file(hdu.data) else hdu.data)
    names = table.dtype.names or ()
    if any(table.dtype[name].kind == "O" for name in names):
        return _with_astropy(hdu, table)
    rows = _stored_rows(table)
    cards = [Card("XTENSION", "BINTABLE", "binary table extension"), Card("BITPIX", 8), Card("NAXIS", 2)]
    cards += [Card("NAXIS1", rows.dtype.itemsize), Card("NAXIS2", rows.size)]
    cards += [Card("PCOUNT", 0), Card("GCOUNT", 1), Card("TFIELDS", len(names))]
    for number, name in enumerate(names, 1):
        cards += _column_cards(number, name, rows.dtype[name], table.dtype[name], hdu.units.get(name))
    header = header_bytes([*cards, *name_cards(hdu), *hdu.cards])
    return header, rows.view(np.uint8).data if rows.size else b""


def _copied(hdu: PlannedHdu, source: FitsTable) -> tuple[bytes, Bytes]:
    stale = ("CHECKSUM", "DATASUM", "HISTORY", "")
    cards = (card for card in source.header.cards if card.keyword not in stale)
    structural = [card for card in cards if STRUCTURAL.fullmatch(card.keyword)]
    return header_bytes([*structural, *hdu.cards]), source.raw()


def _with_astropy(hdu: PlannedHdu, table: np.ndarray) -> tuple[bytes, Bytes]:
    """Write a table whose cells are arrays of various lengths."""
    import io

    from astropy.io import fits

    rows = fits.FITS_rec.from_columns(_variable_columns(table))
    written = fits.BinTableHDU(rows, name=hdu.name, ver=hdu.version)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), written]).writeto(buffer)
    buffer.seek(BLOCK)
    header = read_header(buffer)
    return header_bytes([*header.cards, *hdu.cards]), buffer.read()


def _variable_columns(table: np.ndarray) -> Any:
    from astropy.io import fits

    columns = []
    for name in table.dtype.names or ():
        values = table[name]
        if values.dtype.kind == "O":
            kind = _FORMATS[np.result_type(*values).str[1:]][0] if len(values) else "D"
            columns.append(fits.Column(name, f"P{kind}()", array=values))
        else:
            stored = _stored_rows(table[[name]])
            code = _format(stored.dtype[name], table.dtype[name])
            columns.append(fits.Column(name, code, array=values))
    return fits.ColDefs(columns)


def _format(stored: np.dtype[Any], native: np.dtype[Any]) -> str:
    count = math.prod(stored.shape)
    if native.base.kind in "SU":
        return f"{count * stored.base.itemsize}A"
    code = _FORMATS[native.base.str[1:]][0]
    return f"{count if stored.shape else ''}{code}"


def _column_cards(
    number: int, name: str, stored: np.dtype[Any], native: np.dtype[Any], unit: str | None
) -> list[Card]:
    cards = [Card(f"TTYPE{number}", name), Card(f"TFORM{number}", _format(stored, native))]
    text = native.base.kind in "SU"
    shape = (*stored.shape, stored.base.itemsize) if text else stored.shape
    if len(shape) > 1:
        cards.append(Card(f"TDIM{number}", f"({','.join(str(length) for length in reversed(shape))})"))
    offset = 0 if text else _FORMATS[native.base.str[1:]][1]
    if offset:
        cards += [Card(f"TSCAL{number}", 1), Card(f"TZERO{number}", offset)]
    return [*cards, Card(f"TUNIT{number}", unit)] if unit else cards


def _stored_rows(table: np.ndarray) -> np.ndarray:
    """Return the rows as they stand in a file: big-endian, text as ASCII, booleans as T and F."""
    names = table.dtype.names or ()
    types = {name: _stored_type(table.dtype[name].base) for name in names}
    rows = np.empty(table.shape, [(n, kind, table.dtype[n].shape) for n, kind in types.items()])
    for name in names:
        _store(table[name], rows[name])
    return rows.reshape(-1)


def _stored_type(native: np.dtype[Any]) -> str:
    if native.kind in "SU":
        return f"S{max(1, native.itemsize // (4 if native.kind == 'U' else 1))}"
    if native.kind == "b" or native.itemsize == 1:
        return "u1"
    return f">{'i' if native.kind == 'u' else native.kind}{native.itemsize}"


def _store(values: np.ndarray, column: np.ndarray) -> None:
    """Put values in a column of stored rows."""
    kind, width = values.dtype.kind, values.dtype.itemsize
    if kind == "U":
        column[...] = np.char.encode(values, "ascii", "replace")
    elif kind == "b":
        column[...] = np.where(values, np.uint8(ord("T")), np.uint8(ord("F")))
    elif (kind == "u" and width > 1) or values.dtype == np.int8:
        # An offset of half the range flips the top bit.
        bits = column.view(f">u{width}")
        bits[...] = values.view(np.uint8) if width == 1 else values
        bits ^= bits.dtype.type(1 << (8 * width - 1))
    else:
        column[...] = values
