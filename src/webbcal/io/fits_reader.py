"""FITS files on disk: their headers, and where their data lie; nothing but headers is read."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from webbcal.core.errors import InputError, unreadable
from webbcal.io.arrays import FitsArray
from webbcal.io.cards import BLOCK, Card, Header, read_header
from webbcal.io.file_handle import FileHandle
from webbcal.io.records import plain_table
from webbcal.io.tables import FitsTable


@dataclass(frozen=True, slots=True)
class Hdu:
    """An HDU of a file: its header, and its data (None if it has none)."""

    name: str
    version: int
    header: Header
    data: FitsArray | FitsTable | np.ndarray | None


def read_hdus(handle: FileHandle) -> list[Hdu]:
    """Return the HDUs of a FITS file.

    Raises
    ------
    InputError
        If the file is no FITS file, or is truncated or damaged; the message names the HDU.
    """
    with handle.path.open("rb") as file:
        hdus: list[Hdu] = []
        offset, size = 0, handle.size
        for number in range(1 << 20):
            header = _header(file, offset, handle.path, number)
            if header is None:
                break
            offset = file.tell()
            nbytes = data_bytes(header)
            if offset + nbytes > size:
                raise InputError(
                    f"{handle.path}: truncated: HDU {number} ({header.get('EXTNAME', 'PRIMARY')}) needs "
                    f"{offset + nbytes} bytes, the file has {size}; fetch or write it again"
                )
            hdus.append(_hdu(handle, header, offset, nbytes, number))
            offset += nbytes + -nbytes % BLOCK
            if offset >= size:
                break
        return hdus


def _header(file: BinaryIO, offset: int, path: Path, number: int) -> Header | None:
    """Read the header at an offset; None if what is there begins no HDU (bytes after the last one)."""
    file.seek(offset)
    start = file.read(9)
    if not start.startswith(b"SIMPLE  =" if number == 0 else b"XTENSION="):
        if number == 0:
            what = "is empty" if not start else "does not begin as a FITS file does"
            raise InputError(f"{path}: {what}; give a FITS or ASDF file")
        return None
    file.seek(offset)
    try:
        header = read_header(file)
        data_bytes(header)
    except (InputError, KeyError, TypeError) as error:
        what = f"{error}" if isinstance(error, InputError) else f"no valid {error}"
        raise InputError(f"{path}: damaged header of HDU {number}: {what}; fetch the file again") from error
    return header


def data_bytes(header: Header) -> int:
    """Return the length of the data of an HDU without padding (FITS 4.0, equation 2)."""
    axes = [header[f"NAXIS{axis}"] for axis in range(1, header["NAXIS"] + 1)]
    if not axes:
        return 0
    elements = header.get("GCOUNT", 1) * (header.get("PCOUNT", 0) + math.prod(axes))
    return int(abs(header["BITPIX"]) // 8 * elements)


def _hdu(handle: FileHandle, header: Header, offset: int, nbytes: int, number: int) -> Hdu:
    name = str(header.get("EXTNAME", "" if number else "PRIMARY")).strip().upper()
    name = "PRIMARY" if number == 0 else name
    data: FitsArray | FitsTable | None = None
    if header.get("XTENSION", "IMAGE").strip() == "BINTABLE":
        data = FitsTable(handle, offset, nbytes, header)
    elif header["NAXIS"] > 0:
        shape = tuple(header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1))
        data = FitsArray(
            handle, offset, shape, header["BITPIX"], header.get("BSCALE", 1), header.get("BZERO", 0)
        )
    return Hdu(name, int(header.get("EXTVER", 1)), header, data)


def hdus_in_memory(hdulist: Any) -> Iterator[Hdu]:
    """Yield the HDUs of an astropy `HDUList`, sharing its images."""
    for number, hdu in enumerate(hdulist):
        data = hdu.data
        if data is not None and data.dtype.names is not None:
            data = plain_table(data) if hdu.name != "ASDF" else np.asarray(data)
        header = Header(Card(card.keyword, _plain(card.value), card.comment) for card in hdu.header.cards)
        yield Hdu("PRIMARY" if number == 0 else hdu.name, hdu.ver, header, data)


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
    except OSError as error:
        raise unreadable(
            InputError, f"{path}: cannot be read ({error.strerror}); check the path", error
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
