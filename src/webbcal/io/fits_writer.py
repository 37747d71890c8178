"""Writing a FITS file: arrays streamed by region to their final place, headers last, whole or not at all.

The file is written beside its target under a temporary name. Streamed arrays come right after the primary
header, so their places are known from the start; the headers in front of them get room to grow. Everything
else (tables, arrays in memory) follows at `FitsWriter.finish`, and only then does the file get its name.
Reserved room that is not used is filled with blank cards.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.core.errors import OutputError, WebbcalError
from webbcal.core.resources import threads_here
from webbcal.core.threads import run_on_threads
from webbcal.io import arrays as io_arrays
from webbcal.io.arrays import FitsArray, MemoryArray, Stored, pieces_of, region_of, runs_of
from webbcal.io.atomic import AtomicFile
from webbcal.io.cards import BLOCK
from webbcal.io.file_handle import FileHandle
from webbcal.io.hdus import PlannedHdu, image_header, stored_code, stored_dtype, to_stored
from webbcal.io.table_writer import carried, table_hdu

#: Blocks by which the primary header and other headers may grow before streamed data must move.
_ROOM = {"PRIMARY": 3}
#: Arrays in memory are converted and written in pieces of this size, which stay in cache.
_PIECE_BYTES = 1 << 19
#: The first element of a piece of an array, and how to read it.
Piece = tuple[int, Callable[[], np.ndarray]]


class _Place:
    """Where a streamed array lies in the file."""

    def __init__(self, hdu: PlannedHdu, header_offset: int, room: int) -> None:
        assert hdu.dtype is not None
        self.shape = hdu.shape
        self.dtype = stored_dtype(hdu.dtype)
        self.header_offset = header_offset
        self.room = room
        self.missing = math.prod(self.shape)

    @property
    def offset(self) -> int:
        return self.header_offset + self.room

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        return self.offset + self.nbytes + -self.nbytes % BLOCK


class FitsWriter:
    """Write a FITS file whose large arrays come piece by piece.

    Parameters
    ----------
    path : path
        The file; its folder must exist.
    planned : list of PlannedHdu
        If arrays are streamed: the HDUs with the keywords known so far, the primary first. Arrays they hold
        are written at `finish`.

    Raises
    ------
    OutputError
        If the folder is missing or not writable.
    """

    def __init__(self, path: str | os.PathLike[str], planned: Sequence[PlannedHdu]) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}
        self._handle: FileHandle | None = None
        self._lent: dict[str, FitsArray] = {}
        self._file = AtomicFile(path)
        try:
            self._reserve(planned)
        except BaseException:
            self._file.abort()
            raise

    @property
    def path(self) -> Path:
        """The name that the file will have."""
        return self._file.path

    @property
    def is_open(self) -> bool:
        """Whether the file is neither finished nor given up."""
        return self._file.is_open

    def _reserve(self, planned: Sequence[PlannedHdu]) -> None:
        streamed = [hdu for hdu in planned if hdu.stream]
        self._primary_room = _room_for(planned[0]) if streamed else 0
        offset = self._primary_room + (_padded_size(planned[0]) if streamed else 0)
        for hdu in streamed:
            place = self._places[hdu.stream] = _Place(hdu, offset, _room_for(hdu))
            offset = place.end
        self._file.reserve(offset)

    def write(self, name: str, array: np.ndarray, *index: slice | int) -> None:
        """Write a region of a streamed array; safe to call from several threads.

        Parameters
        ----------
        name : str
            The array.
        array : ndarray
            The values, of the shape of the region (or one that broadcasts to it).
        *index : slice or int
            The region; trailing indices left out mean all.

        Raises
        ------
        OutputError
            If the disk is full or the write fails.
        """
        place = self._places[name]
        bounds, selected = region_of(place.shape, index)
        whole = [stop - start for start, stop in bounds]
        values = np.broadcast_to(array, selected).reshape(whole)
        for part in pieces_of(bounds, place.dtype.itemsize):
            where = tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(part, bounds, strict=True))
            piece = to_stored(values[where].astype(place.dtype, order="C", copy=False)).reshape(-1)
            offsets, length = runs_of(place.shape, part)
            for number, offset in enumerate(offsets):
                run = piece[number * length : (number + 1) * length]
                self._file.write_at(run.view(np.uint8).data, place.offset + offset * place.dtype.itemsize)
        with self._lock:
            place.missing -= math.prod(selected)

    def lend(self) -> tuple[FileHandle, dict[str, FitsArray]]:
        """Return the streamed arrays, which are complete, to be read from the unfinished file.

        They can be read from the finished file as well.
        """
        self._handle = FileHandle(self._file.temporary)
        for name, place in self._places.items():
            bitpix, bzero = stored_code(place.dtype)
            self._lent[name] = FitsArray(self._handle, place.offset, place.shape, Stored(bitpix, 1, bzero))
        return self._handle, dict(self._lent)

    def finish(self, planned: Sequence[PlannedHdu]) -> None:
        """Write headers, other arrays and tables, and give the file its name.

        Raises
        ------
        OutputError
            If the writing fails or a part of a streamed array was never written; the temporary file is
            removed.
        """
        try:
            unwritten = [name for name, place in self._places.items() if place.missing > 0]
            if unwritten:
                raise OutputError(f"{self.path}: parts of {', '.join(unwritten)} were never written")
            self._write_all(planned)
            self._file.commit()
        except BaseException as error:
            self._file.abort()
            if isinstance(error, WebbcalError) and str(self.path) not in str(error):
                raise OutputError(f"{self.path}: cannot be written: {error}") from error
            raise
        for name, source in self._lent.items():  # headers that grew may have moved it
            source.offset = self._places[name].offset
        if self._handle is not None:
            self._handle.moved(self.path)

    def _write_all(self, planned: Sequence[PlannedHdu]) -> None:
        primary = image_header(planned[0])
        first = {hdu.stream: image_header(hdu) for hdu in planned if hdu.stream}
        self._make_room(primary, _padded_size(planned[0]), first)
        self._primary_room = self._primary_room or len(primary)
        self._file.write_at(_filled(primary, self._primary_room), 0)
        if planned[0].dtype is not None:
            _write_image(self._file, planned[0], self._primary_room)
        for name, header in first.items():
            place = self._places[name]
            self._file.write_at(_filled(header, place.room), place.header_offset)
        first_end = self._primary_room + _padded_size(planned[0])
        end = max([first_end, *(place.end for place in self._places.values())])
        tail = _Tail(self._file, end)
        for hdu in planned[1:]:
            if not hdu.stream:
                tail.append(hdu)
        tail.flush()
        self._file.truncate(tail.end)

    def _make_room(self, primary: bytes, primary_data: int, first: dict[str, bytes]) -> None:
        """Move streamed data back if a header outgrew its room (rare: the room is several blocks)."""
        if not self._places:
            return
        self._primary_room = max(self._primary_room, len(primary))
        offset = self._primary_room + primary_data
        moves: list[tuple[int, int, int]] = []
        for name, place in self._places.items():
            old = place.offset
            place.header_offset, place.room = offset, max(place.room, len(first[name]))
            offset = place.end
            moves.append((old, place.offset, place.nbytes))
        for old, new, nbytes in reversed(moves):
            if new == old:
                continue
            chunk = io_arrays.CHUNK_BYTES
            for start in reversed(range(0, nbytes, chunk)):  # from the end: the new place is further back
                self._file.write_at(self._file.read_at(min(chunk, nbytes - start), old + start), new + start)
        for place in self._places.values():
            self._file.write_at(bytes(-place.nbytes % BLOCK), place.offset + place.nbytes)

    def abort(self) -> None:
        """Give up: remove the temporary file."""
        self._file.abort()


class _Tail:
    """What follows the streamed arrays; small HDUs are gathered, so that a thousand need few writes."""

    def __init__(self, file: AtomicFile, start: int) -> None:
        self._file = file
        self._start = start
        self._parts: list[bytes | memoryview] = []
        self._size = 0

    @property
    def end(self) -> int:
        """Where the next HDU begins."""
        return self._start + self._size

    def append(self, hdu: PlannedHdu) -> None:
        """Write an HDU at the end of the file."""
        if hdu.is_table or hdu.is_carried:
            for part in carried(hdu, hdu.data) if hdu.is_carried else table_hdu(hdu):
                self._put(part)
            self._put(bytes(-self.end % BLOCK))
            return
        self._put(image_header(hdu))
        if hdu.dtype is None:
            return
        dtype = stored_dtype(hdu.dtype)
        pieces = list(_pieces(hdu.data, dtype))
        if len(pieces) == 1:
            self._put(_bytes_of(pieces[0][1](), dtype))
        else:
            self.flush()
            _write_pieces(self._file, pieces, dtype, self._start)
            self._start += hdu.nbytes
        self._put(bytes(-self.end % BLOCK))

    def _put(self, part: bytes | memoryview) -> None:
        if len(part) >= _PIECE_BYTES:
            self.flush()
        self._parts.append(part)
        self._size += len(part)
        if self._size >= _PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        if self._parts:
            self._file.write_at(
                self._parts[0] if len(self._parts) == 1 else b"".join(self._parts), self._start
            )
        self._start, self._size, self._parts = self.end, 0, []


def _write_image(file: AtomicFile, hdu: PlannedHdu, offset: int) -> None:
    """Write the data of an image at an offset, up to a whole block."""
    assert hdu.dtype is not None
    dtype = stored_dtype(hdu.dtype)
    _write_pieces(file, list(_pieces(hdu.data, dtype)), dtype, offset)
    nbytes = math.prod(hdu.shape) * dtype.itemsize
    file.write_at(bytes(-nbytes % BLOCK), offset + nbytes)


def _write_pieces(file: AtomicFile, pieces: list[Piece], dtype: np.dtype[Any], offset: int) -> None:
    def write(piece: Piece) -> None:
        start, values = piece
        file.write_at(_bytes_of(values(), dtype), offset + start * dtype.itemsize)

    run_on_threads(write, pieces, threads_here())


def _padded_size(hdu: PlannedHdu) -> int:
    """Return the length of the data of an image on disk, with padding."""
    nbytes = 0 if hdu.dtype is None else math.prod(hdu.shape) * stored_dtype(hdu.dtype).itemsize
    return nbytes + -nbytes % BLOCK


def _bytes_of(values: np.ndarray, dtype: np.dtype[Any]) -> memoryview:
    stored = to_stored(values.astype(dtype, copy=False))
    return stored.reshape(-1).view(np.uint8).data


def _room_for(hdu: PlannedHdu) -> int:
    return len(image_header(hdu)) + BLOCK * _ROOM.get(hdu.name, 1)


def _filled(header: bytes, room: int) -> bytes:
    """Fill a header with blank cards up to the room reserved for it."""
    if len(header) >= room:
        return header
    text = header.rstrip(b" ")  # ends with the END card
    return text[: -len(b"END")].ljust(room - 80) + b"END".ljust(80)


def _pieces(data: Any, dtype: np.dtype[Any]) -> Iterable[Piece]:
    """Yield pieces of bounded size that make up an array, in order: the first element, and how to read it."""
    if isinstance(data, np.ndarray) and data.flags.c_contiguous:
        flat, step = data.reshape(-1), max(1, _PIECE_BYTES // max(dtype.itemsize, data.itemsize))
        for start in range(0, flat.size, step):
            yield start, partial(flat.__getitem__, slice(start, start + step))
        return
    source, start = MemoryArray(data) if isinstance(data, np.ndarray) else data, 0
    for part in pieces_of([(0, length) for length in source.shape], dtype.itemsize):
        yield start, partial(source.read, *(slice(a, b) for a, b in part))
        start += math.prod(b - a for a, b in part)
