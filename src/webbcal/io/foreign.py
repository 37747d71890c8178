"""HDUs of kinds that are not read here (FITS 4.0, section 3.4.1), kept as they stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.io.cards import Header
from webbcal.io.file_handle import Handle


class ForeignData:
    """The data of an HDU of an unknown kind as an `ArraySource` of bytes."""

    def __init__(self, handle: Handle, offset: int, nbytes: int, header: Header) -> None:
        self.handle = handle
        self.header = header
        self.shape = (nbytes,)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._offset = offset

    def raw(self) -> bytes:
        """Return the data as stored."""
        return self.handle.bytes_at(self._offset, self.shape[0])

    def read(self, *index: slice | int) -> np.ndarray:
        """Return (some of) the bytes."""
        return np.frombuffer(self.raw(), np.uint8).copy()[index]

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy (some of) the bytes into `out`."""
        np.copyto(out, self.read(*index), casting="unsafe")
