"""Arrays that are read by region.

An exposure never needs to be in memory whole: an `ArraySource` knows its shape and type and copies any
region into a fresh array. A `FitsArray` reads from the file with `os.pread`, which keeps no
position and maps no memory, so bands can be read from many threads and the process stays small. Only where
some columns are wanted are rows mapped, some megabytes at a time, instead of copied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol, runtime_checkable

import numpy as np

from webbcal.io.cards import Header
from webbcal.io.file_handle import Handle

#: Largest piece of a file that is held beside its destination, in bytes.
CHUNK_BYTES = 1 << 20

#: The most that is mapped into memory at a time, in bytes. (The system may take in all of it for one row.)
_MAPPED_BYTES = 32 << 20

Region = list[tuple[int, int]]


@runtime_checkable
class ArraySource(Protocol):
    """An array of which any region can be read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, slowest first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, in native byte order."""

    def read(self, *index: slice | int) -> np.ndarray:
        """Return a fresh, native, C-contiguous copy of a region; trailing indices left out mean all."""

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy a region into `out`, converting to its type."""


_PLAIN = {str, int, float, bool, dict, list, type(None), np.ndarray, np.recarray}


def in_file(value: Any) -> bool:
    """Tell whether a value is an array that is still to be read."""
    # The types tell at a tenth of the cost of a check against the protocol.
    kind = type(value)
    return kind not in _PLAIN and hasattr(kind, "read_into")


def region_of(shape: tuple[int, ...], index: tuple[slice | int, ...]) -> tuple[Region, tuple[int, ...]]:
    """Return the bounds of an index on every axis, and the shape of what it selects.

    Raises
    ------
    IndexError
        For too many indices, a step other than 1, or an integer out of range.
    """
    if len(index) > len(shape):
        raise IndexError(f"{len(index)} indices for an array of {len(shape)} dimensions")
    bounds: Region = []
    selected: list[int] = []
    for axis, length in enumerate(shape):
        item = index[axis] if axis < len(index) else slice(None)
        if isinstance(item, slice):
            start, stop, step = item.indices(length)
            if step != 1:
                raise IndexError("a region is read with step 1")
            bounds.append((start, max(start, stop)))
            selected.append(max(0, stop - start))
        else:
            position = int(item) + length if item < 0 else int(item)
            if not 0 <= position < length:
                raise IndexError(f"index {item} is outside axis {axis} of length {length}")
            bounds.append((position, position + 1))
    return bounds, tuple(selected)


def runs_of(shape: tuple[int, ...], bounds: Region) -> tuple[Iterator[int], int]:
    """Return the offsets (in elements) of the contiguous runs that make up a region, and their length."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    split = len(shape) - 1
    while split > 0 and bounds[split] == (0, shape[split]):
        split -= 1
    if not shape:
        return iter([0]), 1
    first = bounds[split][0] * strides[split]
    length = (bounds[split][1] - bounds[split][0]) * strides[split]
    outer = [range(a * s, b * s, s) for (a, b), s in zip(bounds[:split], strides[:split], strict=True)]
    return (sum(offsets) + first for offsets in product(*outer)), length


def pieces_of(
    bounds: Region, itemsize: int, most: int | None = None, shape: tuple[int, ...] | None = None
) -> Iterator[Region]:
    """Cut a region into pieces of so many bytes at most (`CHUNK_BYTES`), or a row if that is longer.

    With the shape of the array, what lies between the rows of a piece counts, too.
    """
    most = most or CHUNK_BYTES
    lengths = [stop - start for start, stop in bounds]
    axis = next((axis for axis, length in enumerate(lengths[:-1]) if length > 1), None)
    if axis is None:
        yield bounds
        return
    one = math.prod((shape or lengths)[axis + 1 :]) * itemsize
    if lengths[axis] * one <= most:
        yield bounds
        return
    start, stop = bounds[axis]
    step = max(1, most // one)
    for first in range(start, stop, step):
        piece = [*bounds[:axis], (first, min(first + step, stop)), *bounds[axis + 1 :]]
        yield from pieces_of(piece, itemsize, most, shape)


def _within(part: Region, whole: Region) -> tuple[slice, ...]:
    return tuple(slice(a - start, b - start) for (a, b), (start, _) in zip(part, whole, strict=True))


class MemoryArray:
    """A numpy array as an `ArraySource`."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, in native byte order."""
        return self.array.dtype.newbyteorder("=")

    def read(self, *index: slice | int) -> np.ndarray:
        """Return a fresh, native, C-contiguous copy of a region."""
        return np.array(self.array[index], dtype=self.dtype, order="C", copy=True)

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy a region into `out`, converting to its type."""
        np.copyto(out, self.array[index], casting="unsafe")


class ShiftedArray:
    """Another source with a number added to its values, as an `ArraySource`."""

    def __init__(self, source: ArraySource, amount: float) -> None:
        self.source = source
        self.amount = amount

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, in native byte order."""
        return self.source.dtype

    def read(self, *index: slice | int) -> np.ndarray:
        """Return a fresh, native, C-contiguous copy of a region."""
        values = self.source.read(*index)
        values += values.dtype.type(self.amount)
        return values

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy a region into `out`, converting to its type."""
        self.source.read_into(out, *index)
        out += out.dtype.type(self.amount)


#: Native types of integer images, by BITPIX and BZERO (FITS 4.0, section 4.4.2.5: unsigned integers).
_NATIVE = {(8, 0): "u1", (8, -128): "i1", (16, 0): "i2", (16, 1 << 15): "u2", (32, 0): "i4"}
_NATIVE |= {(32, 1 << 31): "u4", (64, 0): "i8", (64, 1 << 63): "u8", (-32, 0): "f4", (-64, 0): "f8"}


_FILE_TYPES: dict[int, np.dtype[Any]] = {
    8: np.dtype("u1"),
    16: np.dtype(">i2"),
    32: np.dtype(">i4"),
    64: np.dtype(">i8"),
}
_FILE_TYPES |= {-32: np.dtype(">f4"), -64: np.dtype(">f8")}


@dataclass(frozen=True, slots=True)
class Stored:
    """How the values of an image are stored (FITS 4.0, section 4.4.2.5).

    Attributes
    ----------
    bitpix : int
        The FITS type code.
    bscale, bzero : float
        Scale and offset of the stored values. Those that stand for another integer type are exact; any
        other scaling gives floats.
    blank : int or None
        The stored value that stands for none. If it is given, values are floats, and these are NaN.
    """

    bitpix: int
    bscale: float = 1
    bzero: float = 0
    blank: int | None = None

    @property
    def file_type(self) -> np.dtype[Any]:
        """Type of the stored values, big-endian."""
        return _FILE_TYPES[self.bitpix]

    @property
    def native(self) -> np.dtype[Any] | None:
        """Type of the values if they are stored as they are, but for the top bit; None if they are scaled."""
        if self.bscale != 1 or self.blank is not None or self.bzero != int(self.bzero):
            return None
        name = _NATIVE.get((self.bitpix, int(self.bzero)))
        return None if name is None else np.dtype(name)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.native or np.dtype("f8" if self.bitpix in (32, 64, -64) else "f4")

    def scaled(self, stored: np.ndarray) -> np.ndarray:
        """Return values of stored ones (in native byte order) that are scaled."""
        values = stored.astype(self.dtype)
        values *= self.bscale
        values += self.bzero
        if self.blank is not None and stored.dtype.kind in "iu":
            values[stored == self.blank] = np.nan
        return values


class FitsArray:
    """An image HDU on disk as an `ArraySource`.

    Parameters
    ----------
    handle : Handle
        The file.
    offset : int
        Where the data begin, in bytes.
    shape : tuple of int
        Lengths of the axes, slowest first.
    how : Stored
        How the values are stored.
    header : Header, optional
        The header of the HDU, so that it can be passed on as it stands.

    Attributes
    ----------
    is_scaled : bool
        Whether values are floats made of the stored ones.
    """

    def __init__(
        self,
        handle: Handle,
        offset: int,
        shape: tuple[int, ...],
        how: Stored,
        header: Header | None = None,
    ) -> None:
        self.handle = handle
        self.offset = offset
        self.shape = shape
        self.header = header
        self.how = how
        self.dtype = how.dtype
        self._stored = how.file_type
        self.is_scaled = how.native is None
        # Adding BZERO to an integer of that width flips its top bit.
        self._flip = not self.is_scaled and self.dtype.kind in "iu" and self.dtype.kind != self._stored.kind

    def raw(self) -> bytes:
        """Return the data as stored."""
        return self.handle.bytes_at(self.offset, math.prod(self.shape) * self._stored.itemsize)

    def read(self, *index: slice | int) -> np.ndarray:
        """Return a fresh, native, C-contiguous copy of a region."""
        out = np.empty(region_of(self.shape, index)[1], self.dtype)
        self.read_into(out, *index)
        return out

    def read_stored(self, *index: slice | int) -> np.ndarray:
        """Return a region in the byte order of the file, for kernels that change it as they go.

        Where the values have to be converted, or rows are not read whole, the same as `read`.
        """
        bounds, selected = region_of(self.shape, index)
        if self.is_scaled or self._flip or bounds[-1] != (0, self.shape[-1]):
            return self.read(*index)
        return self._piece(bounds).reshape(selected)

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy a region into `out`, converting to its type.

        Raises
        ------
        ValueError
            If `out` has another shape than the region.
        """
        bounds, selected = region_of(self.shape, index)
        if out.shape != selected:
            raise ValueError(f"the region has shape {selected}, the destination {out.shape}")
        if out.size == 0:
            return
        target = out.reshape([stop - start for start, stop in bounds])  # a view, also for strided `out`
        if self.shape and bounds[-1] != (0, self.shape[-1]) and len(self.shape) > 1:
            self._read_columns(target, bounds)
        elif out.dtype == self.dtype and out.flags.c_contiguous and not self.is_scaled:
            self._read_runs(target.reshape(-1), bounds)
        else:
            self._read_converting(target, bounds)

    def _read_runs(self, flat: np.ndarray, bounds: Region) -> None:
        """Read a region straight into contiguous memory of the array's own type."""
        position = 0
        # Pieces stay in cache between the read and the change of byte order.
        for part in pieces_of(bounds, self._stored.itemsize):
            count = math.prod(stop - start for start, stop in part)
            here = flat[position : position + count]
            self._fill(here, part)
            self._to_native(here)
            position += count

    def _fill(self, flat: np.ndarray, bounds: Region) -> None:
        """Read a region as it is stored into contiguous memory."""
        offsets, length = runs_of(self.shape, bounds)
        item = self._stored.itemsize
        places = (self.offset + offset * item for offset in offsets)
        self.handle.read_runs(flat.view(np.uint8).data, length * item, places)

    def _to_native(self, part: np.ndarray) -> None:
        if part.itemsize > 1 and np.little_endian:
            part.byteswap(inplace=True)
        if self._flip:
            self._to_flipped(part)

    @staticmethod
    def _to_flipped(part: np.ndarray) -> None:
        bits = part.view(f"u{part.itemsize}")
        bits ^= bits.dtype.type(1 << (8 * part.itemsize - 1))

    def _read_columns(self, target: np.ndarray, bounds: Region) -> None:
        """Pick some columns of whole rows, which are not copied: there are often few, at an edge."""
        whole = [*bounds[:-1], (0, self.shape[-1])]
        for part in pieces_of(whole, self._stored.itemsize, _MAPPED_BYTES, self.shape):
            where = _within(part[:-1], bounds[:-1])
            self._convert(self._picked([*part[:-1], bounds[-1]]), target[where])

    def _picked(self, bounds: Region) -> np.ndarray:
        """Return a region as it is stored: what it has of a row is copied as one item."""
        item = self._stored.itemsize
        strides = [item * math.prod(self.shape[axis + 1 :]) for axis in range(len(bounds))]
        first = sum(start * stride for (start, _), stride in zip(bounds, strides, strict=True))
        last = sum((stop - 1) * stride for (_, stop), stride in zip(bounds, strides, strict=True))
        view = self.handle.view_of(self.offset + first, last - first + item)
        *leading, columns = (stop - start for start, stop in bounds)
        runs = np.ndarray(leading, f"V{columns * item}", view, strides=strides[:-1])
        return runs.copy().view(self._stored).reshape(*leading, columns)

    def _read_converting(self, target: np.ndarray, bounds: Region) -> None:
        for part in pieces_of(bounds, self._stored.itemsize):
            self._convert(self._piece(part), target[_within(part, bounds)])

    def _piece(self, bounds: Region) -> np.ndarray:
        """Return a region as it is stored."""
        stored = np.empty([stop - start for start, stop in bounds], self._stored)
        self._fill(stored.reshape(-1), bounds)
        return stored

    def _convert(self, stored: np.ndarray, target: np.ndarray) -> None:
        """Turn stored values to those of an array of another type, where they can be looked at once only."""
        if self.is_scaled:
            target[...] = self.how.scaled(stored.astype(stored.dtype.newbyteorder("=")))
        elif not self._flip:
            target[...] = stored
        elif target.dtype.kind == "f" and stored.itemsize < target.itemsize:  # exact: there are bits enough
            target[...] = stored
            target += target.dtype.type(self.how.bzero)
        else:
            values = stored.astype(stored.dtype.newbyteorder("="))
            self._to_flipped(values)
            target[...] = values.view(self.dtype)
