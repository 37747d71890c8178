"""Files that are read at positions; few are open at a time, however many models there are.

An association of thousands of members has thousands of files, of which a process may open some hundred. A
handle opens its file when it is read, and when there are many, those that were opened first are closed.
"""

from __future__ import annotations

import io
import mmap
import os
import resource
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from webbcal.core.errors import InputError, unreadable
from webbcal.io.positioned import read_at

#: The most files that are kept open; and the part of what the process may open.
MOST, _PART = 512, 2

#: Handles whose file is open, by identity, in the order of opening.
_opened: dict[int, weakref.ref[FileHandle]] = {}


#: All handles, open or not.
_living: weakref.WeakSet[FileHandle] = weakref.WeakSet()


class Handle(Protocol):
    """Bytes to be read at positions."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def size(self) -> int:
        """How many there are."""

    def read_at(self, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` from `offset`."""

    def read_runs(self, buffer: memoryview, length: int, offsets: Iterable[int]) -> None:
        """Fill `buffer` with runs of `length` bytes, one after the other, from these offsets."""

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`."""

    def view_of(self, offset: int, length: int) -> memoryview:
        """Return bytes from `offset` without copying them: to pick a few, and to let go of at once."""

    def stream(self) -> BinaryIO:
        """Return them as a file of its own, to be closed."""

    def close(self) -> None:
        """Let go of what is held for reading."""


class MemoryHandle:
    """Bytes in memory: a file that was given as an open file, or was compressed as a whole."""

    def __init__(self, content: bytes, name: str) -> None:
        self._content = content
        self.name = name

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._content)

    def read_at(self, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` from `offset`."""
        buffer[:] = self.bytes_at(offset, len(buffer))

    def read_runs(self, buffer: memoryview, length: int, offsets: Iterable[int]) -> None:
        """Fill `buffer` with runs of `length` bytes from these offsets."""
        for number, offset in enumerate(offsets):
            self.read_at(buffer[number * length : (number + 1) * length], offset)

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`."""
        if offset + length > len(self._content):
            raise InputError(f"{self.name}: the file ends before its data; fetch it again")
        return self._content[offset : offset + length]

    def view_of(self, offset: int, length: int) -> memoryview:
        """Return bytes from `offset`."""
        return memoryview(self.bytes_at(offset, length))

    def stream(self) -> BinaryIO:
        """Return them as a file of its own."""
        return io.BytesIO(self._content)

    def close(self) -> None:
        """Nothing is held open."""


class FileHandle:
    """A file for positioned reads from any thread; it is opened when read, also again after `close`.

    Attributes
    ----------
    path : Path
        The file.

    Raises
    ------
    InputError
        When it is read: if the file has vanished or is no longer the file that was opened first.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._fd: int | None = None
        self._identity: tuple[int, int, int] | None = None
        self._lock = threading.Lock()
        self._readers = 0
        self._closing = False
        self._kept = False
        _living.add(self)

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path)

    @contextmanager
    def _reading(self) -> Iterator[int]:
        """Give the descriptor, and have it stay open meanwhile."""
        with self._lock:
            if self._fd is None:
                self._fd = self._open()
                _opened[id(self)] = weakref.ref(self)
            self._readers += 1
            fd = self._fd
        try:
            yield fd
        finally:
            with self._lock:
                self._readers -= 1
                if self._closing and not self._readers:
                    self._close()
            _make_room(0)  # many threads may have opened more than may be kept, as all were being read

    def _open(self) -> int:
        _make_room(1)
        try:
            fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            message = f"{self.path}: cannot be read ({error.strerror}); check the path"
            raise unreadable(InputError, message, error) from error
        identity = _identity(fd)
        if self._identity is not None and identity != self._identity:
            os.close(fd)
            raise InputError(f"{self.path}: the file changed after it was opened; open it again")
        self._identity = identity
        return fd

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        with self._reading() as fd:
            return os.fstat(fd).st_size

    def read_at(self, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` from `offset`."""
        self.read_runs(buffer, len(buffer), (offset,))

    def read_runs(self, buffer: memoryview, length: int, offsets: Iterable[int]) -> None:
        """Fill `buffer` with runs of `length` bytes from these offsets."""
        with self._reading() as fd:
            for number, offset in enumerate(offsets):
                if read_at(fd, buffer[number * length : (number + 1) * length], offset) < length:
                    raise InputError(f"{self.path}: the file ends before its data; fetch it again")

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`."""
        buffer = bytearray(length)
        self.read_at(memoryview(buffer), offset)
        return bytes(buffer)

    def view_of(self, offset: int, length: int) -> memoryview:
        """Return bytes from `offset` where the system has them, in pages of memory that map the file.

        To be let go of at once: if the file was cut shorter meanwhile, to look at it would end the process.
        """
        before = offset % mmap.ALLOCATIONGRANULARITY
        with self._reading() as fd:
            if os.fstat(fd).st_size < offset + length:
                raise InputError(f"{self.path}: the file ends before its data; fetch it again")
            pages = mmap.mmap(fd, before + length, access=mmap.ACCESS_READ, offset=offset - before)
        return memoryview(pages)[before:]

    def stream(self) -> BinaryIO:
        """Return the file, opened on its own, to be closed."""
        return self.path.open("rb")

    def keep(self) -> None:
        """Hold the file open until nobody has this handle any more: another one is about to take its name."""
        with suppress(InputError, OSError), self._reading():
            _opened.pop(id(self), None)  # does not count among those that may be closed
            self._kept = True

    def is_of(self, identity: tuple[int, int, int]) -> bool:
        """Tell whether this is the file of an identity."""
        return self._identity == identity

    def moved(self, path: str | os.PathLike[str]) -> None:
        """Take note that the file has another name now, and was written to."""
        with self._lock:
            self.path = Path(path).absolute()
            self._identity = None if self._fd is None else _identity(self._fd)

    def close(self) -> None:
        """Close the file, when nobody reads it any more; a later read opens it again."""
        with self._lock:
            if self._readers:
                self._closing = True
            else:
                self._close()

    def close_if_idle(self) -> bool:
        """Close the file if it is open and nobody reads it; tell whether it was."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            idle = self._fd is not None and not self._readers and not self._kept
            if idle:
                self._close()
            return idle
        finally:
            self._lock.release()

    def _close(self) -> None:
        self._closing = False
        if self._kept:
            return
        _opened.pop(id(self), None)
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __del__(self) -> None:
        if getattr(self, "_fd", None) is not None:
            self._kept = False
            self._close()


def keep_replaced(path: Path) -> None:
    """Have everyone who reads the file of this name go on doing so when another takes its name."""
    with suppress(OSError):
        status = path.stat()
        for handle in list(_living):
            if handle.is_of((status.st_ino, status.st_size, status.st_mtime_ns)):
                handle.keep()


def _make_room(wanted: int) -> None:
    """Close the files that were opened first, so that with those wanted no more are open than may be kept."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = MOST if limit == resource.RLIM_INFINITY else min(MOST, max(1, limit // _PART))
    surplus = len(_opened) + wanted - most
    for reference in list(_opened.values()) if surplus > 0 else ():
        handle = reference()
        if handle is not None and handle.close_if_idle():
            surplus -= 1
        if surplus <= 0:
            break


def _identity(fd: int) -> tuple[int, int, int]:
    """Return what tells an open file from one that was changed or took its name."""
    status = os.fstat(fd)
    return status.st_ino, status.st_size, status.st_mtime_ns
