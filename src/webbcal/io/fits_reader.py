"""FITS files on disk: their headers, and where their data lie; nothing but headers is read."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from webbcal.core.errors import InputError, unreadable
from webbcal.io.arrays import FitsArray, Stored
from webbcal.io.cards import BLOCK, Card, Header, read_header
from webbcal.io.compressed import CompressedArray, is_compressed
from webbcal.io.file_handle import Handle, MemoryHandle
from webbcal.io.foreign import ForeignData
from webbcal.io.tables import FitsTable

#: What the data of an HDU are, when they are read: an array or table in a file, or in memory.
HduData = FitsArray | FitsTable | CompressedArray | ForeignData | np.ndarray
_BITPIX = (8, 16, 32, 64, -32, -64)


@dataclass(frozen=True, slots=True)
class Hdu:
    """An HDU of a file: its header, and its data (None if it has none)."""

    name: str
    version: int
    header: Header
    data: HduData | None


def read_hdus(handle: Handle) -> list[Hdu]:
    """Return the HDUs of a FITS file.

    Raises
    ------
    InputError
        If the file is no FITS file, or is truncated or damaged; the message names the HDU.
    """
    hdus: list[Hdu] = []
    with handle.stream() as file:
        offset, size = 0, handle.size
        for number in range(1 << 20):
            header = _header(file, offset, handle.name, number)
            if header is None:
                break
            offset = file.tell()
            hdu, nbytes = _checked(handle, header, offset, number)
            hdus.append(hdu)
            if offset + nbytes > size:
                raise InputError(
                    f"{handle.name}: truncated: HDU {number} ({hdu.name}) needs "
                    f"{offset + nbytes} bytes, the file has {size}; fetch or write it again"
                )
            offset += nbytes + -nbytes % BLOCK
            if offset >= size:
                break
    return hdus


def _header(file: BinaryIO, offset: int, name: str, number: int) -> Header | None:
    """Read the header at an offset; None if what is there begins no HDU (bytes after the last one)."""
    file.seek(offset)
    start = file.read(9)
    if not start.startswith(b"SIMPLE  =" if number == 0 else b"XTENSION="):
        if number == 0:
            what = "is empty" if not start else "does not begin as a FITS file does"
            raise InputError(f"{name}: {what}; give a FITS or ASDF file")
        return None
    file.seek(offset)
    try:
        return read_header(file)
    except InputError as error:
        raise _damaged(name, number, f"{error}") from error


def _damaged(name: str, number: int, what: str) -> InputError:
    return InputError(f"{name}: damaged header of HDU {number}: {what}; fetch the file again")


def _checked(handle: Handle, header: Header, offset: int, number: int) -> tuple[Hdu, int]:
    try:
        axes = _axes(header)
        nbytes = data_bytes(header, axes)
        return _hdu(handle, header, offset, nbytes, axes, number), nbytes
    except InputError as error:
        raise _damaged(handle.name, number, f"{error}") from error


def _whole(header: Header, keyword: str, default: int | None = None, least: int = 0) -> int:
    """Return a keyword that must be a whole number.

    Raises
    ------
    InputError
        If it is missing or something else.
    """
    value = header.get(keyword, default)
    if type(value) is int and value >= least:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"no valid {keyword} ({value!r})" if keyword in header else f"no {keyword}")
    return value


def _axes(header: Header, prefix: str = "") -> list[int]:
    """Return the lengths of the axes, fastest first."""
    count = _whole(header, f"{prefix}NAXIS")
    if count > 999:
        raise InputError(f"no valid {prefix}NAXIS ({count})")
    return [_whole(header, f"{prefix}NAXIS{axis}") for axis in range(1, count + 1)]


def data_bytes(header: Header, axes: list[int]) -> int:
    """Return the length of the data of an HDU without padding (FITS 4.0, equation 2)."""
    if header.get("BITPIX") not in _BITPIX or isinstance(header["BITPIX"], bool):
        raise InputError(f"no valid BITPIX ({header.get('BITPIX')!r})")
    if not axes:
        return 0
    if header.get("GROUPS") is True and axes[0] == 0:
        raise InputError("random groups are not read: FITS no longer has them (section 6); convert it first")
    elements = _whole(header, "GCOUNT", 1) * (_whole(header, "PCOUNT", 0) + math.prod(axes))
    return int(abs(header["BITPIX"]) // 8 * elements)


def _hdu(handle: Handle, header: Header, offset: int, nbytes: int, axes: list[int], number: int) -> Hdu:
    name = str(header.get("EXTNAME", "" if number else "PRIMARY")).strip().upper()
    name = "PRIMARY" if number == 0 else name
    kind = "IMAGE" if number == 0 else str(header.get("XTENSION", "IMAGE")).strip()
    data: HduData | None = None
    if kind in ("BINTABLE", "TABLE", "A3DTABLE"):
        if len(axes) != 2 or header["BITPIX"] != 8 or not 0 <= _whole(header, "TFIELDS") <= 999:
            raise InputError("not laid out as a table (BITPIX = 8, NAXIS = 2, TFIELDS up to 999)")
        compressed = kind == "BINTABLE" and is_compressed(header)
        data = (
            _compressed(handle, offset, nbytes, header)
            if compressed
            else FitsTable(handle, offset, nbytes, header)
        )
    elif kind not in ("IMAGE", "IUEIMAGE"):
        data = ForeignData(handle, offset, nbytes, header)
    elif axes:
        data = FitsArray(handle, offset, tuple(reversed(axes)), _storage(header, "BITPIX"), header)
    return Hdu(name, _whole(header, "EXTVER", 1, -(1 << 31)), header, data)


def _compressed(handle: Handle, offset: int, nbytes: int, header: Header) -> CompressedArray:
    axes = _axes(header, "Z")
    if math.prod(axes) > _MOST_FOLD * max(nbytes, BLOCK):
        raise InputError(
            f"no valid axes of the compressed image ({axes}): its tiles are too few bytes for it"
        )
    return CompressedArray(handle, offset, nbytes, header, _storage(header, "ZBITPIX"))


#: Elements that a byte of a compressed image may stand for; tiles of one value take some bytes.
_MOST_FOLD = 1 << 14


def _storage(header: Header, bitpix: str) -> Stored:
    """Return how the values of an image are stored.

    Raises
    ------
    InputError
        If a keyword is no number.
    """
    if header.get(bitpix) not in _BITPIX or isinstance(header[bitpix], bool):
        raise InputError(f"no valid {bitpix} ({header.get(bitpix)!r})")
    if not any(keyword in header for keyword in ("BSCALE", "BZERO", "BLANK")):
        return _as_it_is(header[bitpix])
    scaling = []
    for keyword, default in (("BSCALE", 1), ("BZERO", 0)):
        value = header.get(keyword)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InputError(f"no valid {keyword} ({value!r})")
        scaling.append(value)
    integers = header[bitpix] > 0
    blank = (
        _whole(header, "BLANK", None, -(1 << 63)) if integers and header.get("BLANK") is not None else None
    )
    return Stored(header[bitpix], scaling[0], scaling[1], blank)


@cache
def _as_it_is(bitpix: int) -> Stored:
    return Stored(bitpix)


def hdus_in_memory(hdulist: Any) -> Iterator[Hdu]:
    """Yield the HDUs of an astropy `HDUList`, sharing its images."""
    for number, hdu in enumerate(hdulist):
        if hasattr(hdu, "columns") and not hasattr(hdu, "compression_type"):
            yield _table_in_memory(hdu, hdulist.filename() or "HDUList")
            continue
        cards = (Card(card.keyword, _plain(card.value), card.comment) for card in hdu.header.cards)
        yield Hdu("PRIMARY" if number == 0 else hdu.name, hdu.ver, Header(cards), hdu.data)


def _table_in_memory(hdu: Any, name: str) -> Hdu:
    """Return a table of astropy as it would stand in a file."""
    from astropy.io import fits

    buffer = io.BytesIO()
    hdu.data  # noqa: B018 - read it from its file first, with the heap
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer, output_verify="ignore")
    return read_hdus(MemoryHandle(buffer.getvalue(), name))[1]


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, bool, int, float, complex)) else None


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return what a file is by its first bytes: ``fits``, ``asdf``, ``gzip``, ``json`` or ``unknown``.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read, or it is empty.
    """
    try:
        with Path(path).open("rb") as file:
            start = file.read(64)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise unreadable(
            InputError, f"{path!s:.500}: cannot be read ({why}); check the path", error
        ) from error
    if not start:
        raise InputError(f"{path}: is empty; fetch or write it again")
    return kind_of_bytes(start)


def kind_of_bytes(start: bytes) -> str:
    """Return what a file is by its first bytes."""
    for kind, magic in {"fits": b"SIMPLE  =", "asdf": b"#ASDF", "gzip": b"\x1f\x8b"}.items():
        if start.startswith(magic):
            return kind
    return "json" if start.lstrip().startswith((b"{", b"[")) else "unknown"
