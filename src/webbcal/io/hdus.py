"""HDUs to be written: their keywords, and how their data are stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from webbcal.core.errors import OutputError
from webbcal.io.arrays import FitsArray
from webbcal.io.cards import Card, header_text, padded
from webbcal.io.compressed import CompressedArray
from webbcal.io.foreign import ForeignData
from webbcal.io.tables import FitsTable


@dataclass
class PlannedHdu:
    """An HDU to be written.

    Attributes
    ----------
    name, version : str and int
        What it is called (``EXTNAME``, ``EXTVER``).
    data : ndarray, ArraySource or None
        Its data; None if it has none, or if they come piece by piece.
    dtype, shape : dtype or None, tuple of int
        Type and shape of the data.
    cards : list of Card
        Its keywords, but those that say how the data are stored.
    units : dict
        Units of the columns of a table.
    stream : str
        The name by which its data are written piece by piece, if they are.
    as_it_stands : bool
        Whether data that are still in another file may stay as they are stored there.
    """

    name: str
    version: int
    data: Any = None
    dtype: np.dtype[Any] | None = None
    shape: tuple[int, ...] = ()
    cards: list[Card] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    stream: str = ""
    as_it_stands: bool = False

    @property
    def is_carried(self) -> bool:
        """Whether the data are passed on as they are stored in another file."""
        odd = isinstance(self.data, (CompressedArray, ForeignData)) or (
            isinstance(self.data, FitsArray) and self.data.is_scaled
        )
        return self.as_it_stands and odd

    @property
    def is_table(self) -> bool:
        """Whether the HDU is a binary table."""
        return isinstance(self.data, FitsTable) or (self.dtype is not None and self.dtype.names is not None)

    @property
    def nbytes(self) -> int:
        """Length of image data on disk, without padding."""
        return 0 if self.dtype is None else math.prod(self.shape) * self.dtype.itemsize


#: BITPIX and BZERO by native type (unsigned integers as signed ones with an offset).
_STORED = {
    "u1": (8, 0),
    "i1": (8, -128),
    "i2": (16, 0),
    "u2": (16, 1 << 15),
    "i4": (32, 0),
    "u4": (32, 1 << 31),
}
_STORED |= {"i8": (64, 0), "u8": (64, 1 << 63), "f4": (-32, 0), "f8": (-64, 0)}


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the native type that stands for `dtype` in a FITS image."""
    if dtype.kind == "b":
        return np.dtype("u1")
    if dtype.kind == "f" and dtype.itemsize == 2:
        return np.dtype("f4")
    if dtype.str[1:] not in _STORED:
        raise OutputError(f"a FITS image cannot hold values of type {dtype}; give them another type")
    return dtype.newbyteorder("=")


def stored_code(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return BITPIX and BZERO of a `stored_dtype`."""
    return _STORED[dtype.str[1:]]


def to_stored(values: np.ndarray) -> np.ndarray:
    """Return a big-endian copy of values of a `stored_dtype`, ready for the file."""
    kind = values.dtype.str[1:]
    stored = values.astype(values.dtype.newbyteorder(">"))
    if kind in ("u2", "u4", "u8", "i1"):
        bits = stored.view(f">u{values.dtype.itemsize}")
        bits ^= bits.dtype.type(1 << (8 * values.dtype.itemsize - 1))
    return stored


@lru_cache(256)
def _storage_text(name: str, dtype: np.dtype[Any] | None, shape: tuple[int, ...]) -> str:
    """Return the cards that say how an image (or a header alone) is stored, as text."""
    primary = name == "PRIMARY"
    kind = None if dtype is None else stored_dtype(dtype).str[1:]
    bitpix, bzero = (8, 0) if kind is None else _STORED[kind]
    cards = [
        Card("SIMPLE", True, "FITS standard") if primary else Card("XTENSION", "IMAGE", "image extension")
    ]
    cards += [Card("BITPIX", bitpix, "array data type"), Card("NAXIS", len(shape), "number of axes")]
    cards += [Card(f"NAXIS{axis}", length) for axis, length in enumerate(reversed(shape), 1)]
    cards += [Card("EXTEND", True)] if primary else [Card("PCOUNT", 0), Card("GCOUNT", 1)]
    if bzero:
        cards += [Card("BSCALE", 1), Card("BZERO", bzero)]
    return header_text(cards)


def name_cards(hdu: PlannedHdu) -> list[Card]:
    """Return the cards that name an HDU."""
    return [Card("EXTNAME", hdu.name, "extension name"), Card("EXTVER", hdu.version, "extension version")]


@lru_cache(4096)
def _name_text(name: str, version: int) -> str:
    return header_text(name_cards(PlannedHdu(name, version)))


def image_header(hdu: PlannedHdu) -> bytes:
    """Return the header of an image HDU, or of the primary HDU, padded to blocks."""
    names = "" if hdu.name == "PRIMARY" else _name_text(hdu.name, hdu.version)
    return padded(_storage_text(hdu.name, hdu.dtype, hdu.shape) + names + header_text(hdu.cards))
