"""FITS files on disk: their headers, and where their data lie; nothing but headers is read."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.cast import plain_table
from webbcal.io.arrays import FileHandle, FitsArray

if TYPE_CHECKING:
    from astropy.io.fits import Header

BLOCK = 2880


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
        from astropy.io import fits

        dtype: np.dtype[Any] = fits.BinTableHDU(header=self.header).columns.dtype
        return dtype.newbyteorder("=")

    def raw(self) -> bytes:
        """Return the data as stored, with the heap."""
        buffer = bytearray(self.nbytes)
        self.handle.read_at(memoryview(buffer), self.offset)
        return bytes(buffer)

    def read(self, *index: slice | int) -> np.ndarray:
        """Return (some rows of) the table as a native record array; text columns hold `str`."""
        from astropy.io import fits

        padding = b"\0" * (-self.nbytes % BLOCK)
        text = self.header.tostring(sep="", endcard=True, padding=True).encode("latin-1")
        hdu = fits.BinTableHDU.fromstring(text + self.raw() + padding)
        table = plain_table(hdu.data)
        return table[index] if index else table

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy (some rows of) the table into `out`."""
        out[...] = self.read(*index)


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
    from astropy.io.fits import Header
    from astropy.utils.exceptions import AstropyWarning

    file.seek(offset)
    start = file.read(9)
    if not start.startswith(b"SIMPLE  =" if number == 0 else b"XTENSION="):
        if number == 0:
            what = "is empty" if not start else "does not begin as a FITS file does"
            raise InputError(f"{path}: {what}; give a FITS or ASDF file")
        return None
    file.seek(offset)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            return Header.fromfile(file)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: damaged or truncated header of HDU {number} ({error}); fetch it again"
        ) from error


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
        yield Hdu("PRIMARY" if number == 0 else hdu.name, hdu.ver, hdu.header, data)


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
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if not start:
        raise InputError(f"{path}: is empty; fetch or write it again")
    return kind_of_bytes(start)


def kind_of_bytes(start: bytes) -> str:
    """Return what a file is by its first bytes."""
    for kind, magic in {"fits": b"SIMPLE  =", "asdf": b"#ASDF", "gzip": b"\x1f\x8b"}.items():
        if start.startswith(magic):
            return kind
    return "json" if start.lstrip().startswith((b"{", b"[")) else "unknown"
