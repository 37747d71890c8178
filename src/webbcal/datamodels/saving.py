"""Saving a model that holds its arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from webbcal.core.errors import OutputError, WebbcalError
from webbcal.datamodels.asdf_columns import taken_apart
from webbcal.datamodels.product_writer import Product, ProductWriter
from webbcal.io.asdf_extension import plain_values, without_none
from webbcal.io.asdf_library import new_file
from webbcal.io.asdf_objects import resolved
from webbcal.io.atomic import AtomicFile


def save(model: Product, path: Path, overwrite: bool = True) -> None:
    """Save as FITS or ASDF, by the ending of the path.

    Raises
    ------
    OutputError
        If the ending is another, the file exists and is not to be replaced, or the writing fails.
    """
    if path.suffix == ".fits":
        save_fits(model, path, overwrite)
    elif path.suffix == ".asdf":
        save_asdf(model, path, overwrite)
    else:
        raise OutputError(f"{path}: unknown file type {path.suffix!r}; end the name with .fits or .asdf")


def _check(path: Path, overwrite: bool) -> None:
    if not overwrite and path.exists():
        raise OutputError(f"{path}: exists already; give another name or overwrite=True")


def save_fits(model: Product, path: Path, overwrite: bool = True) -> None:
    """Save as FITS; if the arrays were streamed to this file already, finish it."""
    _check(path, overwrite)
    writer = model.contents.unfinished
    if writer is not None and writer.suits(model, path):
        model.contents.unfinished = None
    else:
        writer = ProductWriter(path, model)
    writer.commit(model)


def save_asdf(model: Product, path: Path, overwrite: bool = True) -> None:
    """Save as ASDF, with all arrays within."""
    import asdf

    _check(path, overwrite)
    model.on_save(path)
    target = AtomicFile(path)
    try:
        tree = taken_apart(without_none(resolved(model.instance)))
        tree = plain_values(tree, lambda v: v.view(np.ndarray) if isinstance(v, np.recarray) else v)
        file = new_file()
        if entries := model.contents.history_entries():
            tree["history"] = {"entries": [_history_entry(entry) for entry in entries]}
        file._tree = asdf.tags.core.AsdfObject(tree)
        file.write_to(target.temporary)
        target.commit()
    except BaseException as error:
        target.abort()
        if isinstance(error, WebbcalError) or not isinstance(error, Exception):
            raise
        why = error.strerror if isinstance(error, OSError) else f"ASDF has no place for something: {error}"
        raise OutputError(f"{path}: cannot be written ({why}); nothing was left behind") from error


def _history_entry(entry: dict[str, Any]) -> Any:
    """Return an entry of the history as ASDF knows it: with its own time, or none."""
    from asdf.tags.core import HistoryEntry, Software

    software = entry.get("software") or []
    told = [Software(dict(one)) for one in ([software] if isinstance(software, dict) else software)]
    return HistoryEntry({**entry, "software": told} if told else {**entry})
