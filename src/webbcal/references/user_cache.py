"""Small JSON files in the user's cache folder, ``$XDG_CACHE_HOME/webbcal``.

They are a convenience: what cannot be read counts as empty, what cannot be written is not kept. A file is
replaced as a whole, so that several processes see one version or another and never half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webbcal.core.leftovers import ENDING, mark, sweep


def folder() -> Path:
    """Return the folder of webbcal in the user's cache; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(base).expanduser() / "webbcal"
    except RuntimeError:  # a user without a home, as in containers
        return Path(os.devnull) / "webbcal"  # nothing can be read from it, or written to it


def read(path: Path) -> dict[str, Any]:
    """Return what a file holds; nothing if it is missing or damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file, if that is possible."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        handle, temporary = tempfile.mkstemp(ENDING, f".{path.stem}.{mark()}", path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=0)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
