"""A file that appears whole, or not at all."""

from __future__ import annotations

import atexit
import errno
import os
from pathlib import Path
from typing import Any

from webbcal.core.errors import OutputError
from webbcal.core.leftovers import ENDING, mark
from webbcal.io.file_handle import keep_replaced
from webbcal.io.positioned import write_at
from webbcal.io.reservation import reserve

_unfinished: set[Path] = set()


@atexit.register
def _remove_unfinished() -> None:
    """Remove what an interruption left between any two instructions."""
    for path in list(_unfinished):
        path.unlink(missing_ok=True)


class AtomicFile:
    """A file that appears under its name whole, or not at all.

    Attributes
    ----------
    path, temporary : Path
        The name it will have, and the name it has until `commit`.
    is_open : bool
        Whether it is neither finished nor given up.

    Raises
    ------
    OutputError
        If the folder is missing or not writable.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.temporary = self.path.parent / f".{self.path.name}.{mark()}{ENDING}"
        if os.path.isdir(self.path):  # noqa: PTH112 - a name of too many characters is none
            raise OutputError(f"{self.path}: is a folder; give the name of a file")
        _unfinished.add(self.temporary)
        try:
            self.fd = os.open(
                self.temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666
            )
        except (OSError, ValueError) as error:
            _unfinished.discard(self.temporary)
            why = getattr(error, "strerror", None) or error
            advice = "create it or choose another (--output_dir)"
            if getattr(error, "errno", None) == errno.ENAMETOOLONG:
                advice = "give the product a shorter name (output_file, suffix)"
            raise OutputError(f"{self.path}: cannot write to the folder ({why}); {advice}") from error
        self.is_open = True

    def write_at(self, data: Any, offset: int) -> None:
        """Write bytes (or the memory of an array) at an offset.

        Raises
        ------
        OutputError
            If the disk is full or the write fails.
        """
        view = memoryview(data).cast("B") if not isinstance(data, memoryview) else data
        try:
            write_at(self.fd, view, offset)
        except OSError as error:
            raise self._failure(error) from error

    def read_at(self, length: int, offset: int) -> bytes:
        """Read bytes back."""
        return os.pread(self.fd, length, offset)

    def reserve(self, size: int) -> None:
        """Set the length of the file, and space for it aside.

        Raises
        ------
        OutputError
            If the disk is too full.
        """
        try:
            reserve(self.fd, size)
        except OSError as error:
            raise self._failure(error) from error

    def truncate(self, size: int) -> None:
        """Set the length of the file."""
        try:
            os.ftruncate(self.fd, size)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path}: cannot be written ({error.strerror}); free some space or choose another "
            "folder; nothing was left behind"
        )

    def __del__(self) -> None:
        if getattr(self, "is_open", False):
            self.abort()

    def commit(self) -> None:
        """Give the file its name."""
        try:
            os.close(self.fd)
            self.is_open = False
            keep_replaced(self.path)
            self.temporary.replace(self.path)
            _unfinished.discard(self.temporary)
        except OSError as error:
            self.abort()
            raise self._failure(error) from error

    def abort(self) -> None:
        """Remove the file."""
        if self.is_open:
            os.close(self.fd)
            self.is_open = False
        self.temporary.unlink(missing_ok=True)
        _unfinished.discard(self.temporary)
