"""Scratch space: arrays in a file without a name, which is gone when nobody holds it any more."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import OutputError
from webbcal.io.arrays import MemoryArray, pieces_of, region_of, runs_of
from webbcal.io.positioned import read_at, write_at


class ScratchFile:
    """Room on disk for arrays that do not fit into memory; read and written from several threads.

    Parameters
    ----------
    folder : path
        Where the file lies; it never has a name there, so that nothing is left however a run ends.
    advice : str
        What a user may do if there is no space.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """

    def __init__(
        self, folder: str | os.PathLike[str], advice: str = "name another folder with WEBBCAL_SCRATCH"
    ) -> None:
        self.folder, self.advice = Path(folder), advice
        self._end = 0
        try:
            self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - lives as long as this object
            self.fd = self._file.fileno()
        except OSError as error:
            raise self.failure(error) from error

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> ScratchArray:
        """Return a new array of zeros; disk is taken as it is written."""
        array = ScratchArray(self, self._end, shape, np.dtype(dtype))
        self._end += -(-math.prod(shape) * array.dtype.itemsize // 8) * 8
        return array

    def close(self) -> None:
        """Give the room back."""
        self._file.close()

    def failure(self, error: OSError) -> OutputError:
        """Return what to say of a write that failed."""
        return OutputError(
            f"scratch space in {self.folder} cannot be written ({error.strerror}); free some space there, or "
            f"{self.advice}"
        )


def mapped(folder: str | os.PathLike[str], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array of zeros that lies in a file without a name, and looks as if it were in memory.

    Raises
    ------
    OutputError
        If the folder cannot be written, or has no space for all of it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    scratch = ScratchFile(folder)
    try:
        os.posix_fallocate(scratch.fd, 0, size)  # a write to a mapped file that finds no space is fatal
        with os.fdopen(os.dup(scratch.fd), "r+b") as file:
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:
        raise scratch.failure(error) from error
    finally:
        scratch.close()


class ScratchArray:
    """An array in scratch space, as an `ArraySource` that can also be written by region."""

    def __init__(self, file: ScratchFile, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._file, self._offset = file, offset
        self.shape, self.dtype = shape, dtype

    def read(self, *index: slice | int) -> NDArray[Any]:
        """Return a fresh, C-contiguous copy of a region."""
        out = np.empty(region_of(self.shape, index)[1], self.dtype)
        self.read_into(out, *index)
        return out

    def whole(self) -> NDArray[Any]:
        """Return all of it."""
        return self.read()

    def read_into(self, out: NDArray[Any], *index: slice | int) -> None:
        """Copy a region into `out`, converting to its type."""
        bounds, selected = region_of(self.shape, index)
        last = bounds[-1]
        if last != (0, self.shape[-1]):  # rows are read whole: calls cost more than bytes
            whole = self.read(*(slice(*b) for b in bounds[:-1]))
            out[...] = whole[..., last[0] : last[1]].reshape(selected)
            return
        straight = out.flags.c_contiguous and out.dtype == self.dtype
        target = out if straight else np.empty(selected, self.dtype)
        flat = target.reshape(-1)
        offsets, length = runs_of(self.shape, bounds)
        for number, offset in enumerate(offsets):
            run = flat[number * length : (number + 1) * length].view(np.uint8).data
            done = read_at(self._file.fd, run, self._offset + offset * self.dtype.itemsize)
            run[done:] = bytes(len(run) - done)  # beyond what was written: zeros
        if not straight:
            out[...] = target

    def write(self, array: NDArray[Any], *index: slice | int) -> None:
        """Write a region.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        bounds, selected = region_of(self.shape, index)
        whole = [stop - start for start, stop in bounds]
        values = np.broadcast_to(array, selected).reshape(whole)
        for part in pieces_of(bounds, self.dtype.itemsize):
            where = tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(part, bounds, strict=True))
            piece = np.ascontiguousarray(values[where], self.dtype).reshape(-1)
            offsets, length = runs_of(self.shape, part)
            for number, offset in enumerate(offsets):
                run = piece[number * length : (number + 1) * length].view(np.uint8).data
                try:
                    write_at(self._file.fd, run, self._offset + offset * self.dtype.itemsize)
                except OSError as error:
                    raise self._file.failure(error) from error


class RoomInMemory:
    """The same face for arrays in memory."""

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> WritableArray:
        """Return a new array of zeros."""
        return WritableArray(np.zeros(shape, dtype))

    def close(self) -> None:
        """Nothing to do."""


class WritableArray(MemoryArray):
    """An array in memory with the face of a `ScratchArray`."""

    def whole(self) -> NDArray[Any]:
        """Return all of it: what is written there later is seen."""
        return self.array

    def write(self, array: NDArray[Any], *index: slice | int) -> None:
        """Write a region."""
        self.array[index] = array


Room = ScratchFile | RoomInMemory
RoomArray = ScratchArray | WritableArray


def room_for(size: int, most: int, folder: Path) -> Room:
    """Return room for arrays of `size` bytes in all: in memory if that is no more than `most`."""
    return RoomInMemory() if size <= most else ScratchFile(folder)
