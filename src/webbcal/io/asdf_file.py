"""ASDF files of plain values and arrays: read whole, written whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from webbcal.core.errors import InputError, unreadable
from webbcal.io.asdf_library import new_file
from webbcal.io.asdf_text import read_by_library
from webbcal.io.atomic import AtomicFile


def read_asdf(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """Return the tree of an ASDF file, arrays included.

    Parameters
    ----------
    path : path
    what : str
        What the file is, for messages.

    Raises
    ------
    InputError
        If it is not there, or is no ASDF file.
    """
    try:
        return read_by_library(Path(path).read_bytes())
    except OSError as error:
        raise unreadable(InputError, f"{what} {path} cannot be read: {error.strerror}", error) from error
    except Exception as error:  # asdf and yaml raise whatever their parts raise
        raise InputError(f"{what} {path} is no ASDF file, or is damaged: {error}") from error


def write_asdf(path: str | os.PathLike[str], tree: dict[str, Any]) -> None:
    """Write a tree; an existing file is replaced.

    Raises
    ------
    OutputError
        If that is not possible.
    """
    buffer = io.BytesIO()
    new_file({k: v for k, v in tree.items() if k not in ("asdf_library", "history")}).write_to(buffer)
    file = AtomicFile(path)
    try:
        file.write_at(buffer.getvalue(), 0)
        file.commit()
    except BaseException:
        file.abort()
        raise
