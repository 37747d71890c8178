"""Tile-compressed images (FITS 4.0, section 10): a table in the file, an array for whoever reads it.

`astropy.io.fits` takes the tiles apart (RICE, GZIP, HCOMPRESS, PLIO); only those that a region touches. The
values that come out are scaled as those of any other image.
"""

from __future__ import annotations

import io
import math
import re
import struct
import threading
from itertools import product
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.io.arrays import Stored, region_of
from webbcal.io.cards import BLOCK, Card, Header, header_bytes
from webbcal.io.file_handle import Handle

#: Keywords that say how the tiles are stored. What they say of the image stands on the others.
_TILES = re.compile(
    "ZIMAGE|ZSIMPLE|ZEXTEND|ZTENSION|ZCMPTYPE|ZBITPIX|ZNAXIS[0-9]*|ZTILE[0-9]+|ZNAME[0-9]+|ZVAL[0-9]+|ZMASKCMP"
    "|ZQUANTIZ|ZDITHER0|ZSCALE|ZZERO|ZBLANK|ZPCOUNT|ZGCOUNT|ZHECKSUM|ZDATASUM|ZBLOCKED|ZGROUPS|ZTHEAP"
)


#: Settings of the RICE decoder that there are.
_RICE = {"BLOCKSIZE": (16, 32), "BYTEPIX": (1, 2, 4)}


def is_compressed(header: Header) -> bool:
    """Tell whether an HDU is a compressed image."""
    return header.get("ZIMAGE") is True


class CompressedArray:
    """A compressed image HDU on disk as an `ArraySource`.

    Attributes
    ----------
    shape, dtype : tuple of int, dtype
        Those of the image.
    header : Header
        The header of the table in which the tiles are.
    """

    def __init__(self, handle: Handle, offset: int, nbytes: int, header: Header, how: Stored) -> None:
        self.handle = handle
        self.header = header
        self.shape: tuple[int, ...] = tuple(
            header[f"ZNAXIS{axis}"] for axis in range(header["ZNAXIS"], 0, -1)
        )
        self.dtype = how.dtype
        self._how = how
        self._offset, self._nbytes = offset, nbytes
        self._lock = threading.Lock()
        self._image: Any = None

    def raw(self) -> bytes:
        """Return the data as stored."""
        return self.handle.bytes_at(self._offset, self._nbytes)

    def read(self, *index: slice | int) -> np.ndarray:
        """Return a fresh, native, C-contiguous copy of a region.

        Raises
        ------
        InputError
            If the tiles are damaged.
        """
        bounds, selected = region_of(self.shape, index)
        if 0 in selected:
            return np.zeros(selected, self.dtype)
        try:
            with self._lock:
                stored = self._opened().section[tuple(slice(a, b) for a, b in bounds)]
        except Exception as error:  # astropy raises what its decoders raise
            name = self.header.get("EXTNAME", "image")
            raise InputError(
                f"{self.handle.name}: {name}: the compressed image cannot be read ({error}); fetch it again"
            ) from error
        stored = np.asarray(stored).reshape(selected)
        if self._how.native is None:
            return self._how.scaled(stored.astype(stored.dtype.newbyteorder("="), copy=False))
        offset = int(self._how.bzero)
        if offset:  # an integer of the other sign: its top bit flips
            stored = stored.astype(self._how.file_type.newbyteorder("=")).view(self.dtype)
            bits = stored.view(f"u{stored.itemsize}")
            bits ^= bits.dtype.type(1 << (8 * bits.itemsize - 1))
            return stored
        return np.array(stored, self.dtype, order="C")

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy a region into `out`, converting to its type."""
        np.copyto(out, self.read(*index), casting="unsafe")

    def _opened(self) -> Any:
        if self._image is None:
            from astropy.io import fits

            data = self.raw()
            content = header_bytes(self.header.cards) + data + bytes(-len(data) % BLOCK)
            start = fits.PrimaryHDU().header.tostring().encode()
            self._check_settings()
            if str(self.header.get("ZCMPTYPE")).startswith("HCOMPRESS"):
                with fits.open(io.BytesIO(start + content), disable_image_compression=True) as hdus:
                    self._check_wavelets(hdus[1].data["COMPRESSED_DATA"])
            self._image = fits.open(io.BytesIO(start + content), do_not_scale_image_data=True)[1]
        return self._image

    # The decoders of astropy, which are those of CFITSIO, trust the file: what they would read or write
    # beyond their memory for is refused here.

    def _check_settings(self) -> None:
        settings: dict[str, Any] = {}
        for number in range(1, 1000):
            if f"ZNAME{number}" not in self.header:
                break
            settings.setdefault(str(self.header[f"ZNAME{number}"]).upper(), self.header.get(f"ZVAL{number}"))
        if str(self.header.get("ZCMPTYPE")).startswith("RICE"):
            for name, allowed in _RICE.items():
                if name in settings and settings[name] not in allowed:
                    raise InputError(f"{name} is {settings[name]!r}, and should be one of {allowed}")

    def _check_wavelets(self, tiles: Any) -> None:
        """Make sure that compressed tiles have the sizes that the header gives to tiles."""
        axes = range(self.header["ZNAXIS"], 0, -1)
        sizes = [int(self.header.get(f"ZTILE{k}", self.header["ZNAXIS1"] if k == 1 else 1)) for k in axes]
        places = product(*(range(0, n, size) for n, size in zip(self.shape, sizes, strict=True)))
        for tile, place in zip(tiles, places, strict=True):
            corner = zip(place, sizes, self.shape, strict=True)
            wanted = math.prod(min(size, n - start) for start, size, n in corner)
            head = np.asarray(tile, np.uint8).tobytes()[:10]
            if head and (len(head) < 10 or math.prod(struct.unpack(">2x2i", head)) != wanted):
                raise InputError("a tile is of another size than the header says")


def image_cards(header: Header) -> list[Card]:
    """Return the cards of a compressed image that are about the image, and not about its tiles."""
    return [card for card in header.cards if not _TILES.fullmatch(card.keyword)]


def tile_cards(header: Header) -> list[Card]:
    """Return the cards of a compressed image that are about its tiles; none if it is no such image."""
    return [card for card in header.cards if _TILES.fullmatch(card.keyword)] if is_compressed(header) else []
