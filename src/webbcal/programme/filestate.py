"""Which version of a file it was: by size and time where they are the same, else by content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from webbcal.core.errors import InputError, unreadable


@dataclass(frozen=True, slots=True)
class FileState:
    """A version of a file.

    Attributes
    ----------
    size, mtime_ns : int
        Where they are as they were, the content is taken to be, too.
    sha256 : str
    """

    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, known: Mapping[str, Any] | None = None) -> Self:
        """Return the version that a file is now.

        Parameters
        ----------
        path : Path
        known : mapping, optional
            A version that it may be, as `as_tree` gives it: then its content need not be read.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        try:
            status = path.stat()
            stamp = status.st_size, status.st_mtime_ns
            if known and (known["size"], known["mtime_ns"]) == stamp:
                return cls(*stamp, known["sha256"])
            with path.open("rb") as file:
                return cls(*stamp, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise unreadable(InputError, f"{path}: cannot be read ({error.strerror})", error) from error

    def as_tree(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def is_same(path: Path, known: Mapping[str, Any]) -> bool:
    """Tell whether a file is there, and in the version that is known."""
    try:
        return FileState.of(path, known).sha256 == known["sha256"]
    except InputError:
        return False
