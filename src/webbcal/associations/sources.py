"""What a member may be: the name of a file, or a data model in memory."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Any

#: Name of a product whose name nothing tells.
UNDEFINED = "undefined"
YAML_SUFFIXES = (".yaml", ".yml")
SUFFIXES = (".json", *YAML_SUFFIXES)


def is_name(source: Any) -> bool:
    """Tell whether a member's source is the name of a file (or else a data model)."""
    return isinstance(source, (str, os.PathLike))


def is_model(source: Any) -> bool:
    """Tell whether a member's source is a data model."""
    return hasattr(source, "meta")


def name_of(source: Any) -> str:
    """Return the file name of a path or data model."""
    if is_name(source):
        return os.fspath(source)
    return str(getattr(source.meta, "filename", None) or UNDEFINED)


def is_association_name(name: str | os.PathLike[str]) -> bool:
    """Tell whether a name has the extension of an association."""
    return PurePath(name).suffix.lower() in SUFFIXES
