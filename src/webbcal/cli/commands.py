"""``webbcal commands``: commands by the names that scripts for `jwst` use, in a folder that is asked for."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from webbcal.cli.jwst_names import JWST_NAMES
from webbcal.core.errors import OutputError, ParameterError

USAGE = """\
usage: webbcal commands FOLDER [--remove]

writes {names} into a folder, so that shell scripts for jwst run with webbcal where the
folder is on the PATH before those of jwst; files that are not ours are left alone

  --remove   take them away again"""

#: By this line a file is known to be ours.
_MARK = "# webbcal, by the name of a command of jwst"


def main(words: Sequence[str]) -> int:
    """Write the commands, or remove them."""
    remove = "--remove" in words
    folders = [word for word in words if word != "--remove"]
    if any(word in ("-h", "--help") for word in words) or not folders:
        print(USAGE.format(names=", ".join(JWST_NAMES)))
        return 0 if words else 2
    if len(folders) > 1 or folders[0].startswith("-"):
        raise ParameterError(f"one folder is expected, not {' '.join(folders)}")
    folder = Path(folders[0]).expanduser()
    done = [_remove(folder / name) if remove else _write(folder / name) for name in JWST_NAMES]
    what = ", ".join(name for name in done if name) or "nothing"
    print(f"{folder}: {what} {'removed' if remove else 'written'}")
    if not remove:
        _tell_of_path(folder)
    return 0


def _write(path: Path) -> str:
    """Write a command.

    Raises
    ------
    OutputError
        If there is a file of another package, or the folder cannot be written.
    """
    if path.exists() and not _is_ours(path):
        raise OutputError(f"{path} is there, and is not webbcal's: choose another folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\n{_MARK}\nexec "{sys.executable}" -m webbcal {path.name} "$@"\n')
        path.chmod(0o755)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    return path.name


def _remove(path: Path) -> str:
    if not path.is_file() or not _is_ours(path):
        return ""
    path.unlink()
    return path.name


def _is_ours(path: Path) -> bool:
    try:
        return _MARK in path.read_text(errors="replace")
    except OSError:
        return False


def _tell_of_path(folder: Path) -> None:
    """Say what a shell will find by these names."""
    for name in JWST_NAMES:
        found = shutil.which(name)
        if found is None or Path(found).resolve() != (folder / name).resolve():
            now = f"now it finds {found}" if found else "it is not there now"
            print(f'note: put the folder first on the PATH (export PATH="{folder}{os.pathsep}$PATH"): {now}')
            return
