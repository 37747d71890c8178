"""Files that parameters name: found from where they were named, whichever folder a worker is in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from webbcal.core.errors import ParameterError

_HOOKS = ("pre_hooks", "post_hooks")
#: What may stand for a reference file and is none: no reference, and not set.
_NO_FILE = ("N/A", "None", "")


def located(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a tree of parameters in which names of files of a folder are whole paths."""
    return {name: _located(name, value, folder) for name, value in parameters.items()}


def _located(name: str, value: Any, folder: Path) -> Any:
    if isinstance(value, Mapping):
        return located(value, folder)
    if name in _HOOKS:  # their words: commands may have files of the user
        hooks = [value] if isinstance(value, str) else value
        found = [" ".join(_path(w, folder) for w in h.split(" ")) if isinstance(h, str) else h for h in hooks]
        return found[0] if isinstance(value, str) else found
    return _path(value, folder, _is_a_file(name)) if isinstance(value, str) else value


def _path(value: str, folder: Path, surely: bool = False) -> str:
    """Return the whole path of a value that is the name of a file there; else the value."""
    path = folder / Path(value).expanduser()
    named = (surely or _looks_like_one(value)) and is_file(path)
    return os.path.abspath(path) if named else value  # noqa: PTH100 (links stay)


def _is_a_file(parameter: str) -> bool:
    return parameter == "config_file" or parameter.startswith("override_")


def _looks_like_one(value: str) -> bool:
    """Tell whether a value may name a file: it has a folder, or an ending that makes no number of it."""
    return "/" in value or Path(value).suffix.strip(".0123456789eE") != ""


def check_overrides(parameters: Iterable[tuple[str, Any]], owner: str) -> None:
    """Refuse reference files of the user that are not there, before anything is done.

    Raises
    ------
    ParameterError
        Naming the first.
    """
    for name, value in parameters:
        given = name.rpartition(".")[2].startswith("override_") and isinstance(value, str)
        if given and value not in _NO_FILE and not is_file(Path(value)):
            raise ParameterError(f"{owner}.{name}: there is no file {value}; check the name")


def files_named(parameters: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Yield the paths among the values of parameters, where there are files."""
    for _, value in parameters:
        values = value if isinstance(value, (list, tuple)) else [value]
        for text in values:
            if isinstance(text, str):
                words = [text, *text.split(" ")] if " " in text else [text]
                yield from (word for word in words if "/" in word and is_file(Path(word)))


def is_file(path: Path) -> bool:
    """Tell whether a file is there; a text may be no path at all."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
