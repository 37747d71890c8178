"""Models put aside on disk: what a step has made of one of many exposures, until the next step reads it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from webbcal.core.leftovers import ENDING, mark


def put_aside(model: Any, folder: Path) -> None:
    """Save a model in a temporary folder, and let it read its arrays there when they are touched.

    The file goes when the model does.

    Parameters
    ----------
    model : DataModel
    folder : Path
        Where the temporary folder lies.
    """
    name = model.meta.filename
    aside = tempfile.TemporaryDirectory(ENDING, f".image.{mark()}", folder)
    path = Path(aside.name) / f"{Path(str(name)).stem}.fits"
    model.save(path)
    model.reopen(path)
    model.meta.filename = name
    model._temporary = aside
