"""Which model class fits a file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from webbcal.core.errors import InputError
from webbcal.core.provided import provided
from webbcal.datamodels.classes import model_class
from webbcal.datamodels.model import DataModel
from webbcal.datamodels.table import model_rows
from webbcal.io.opening import OpenedFile, open_file

#: Classes by number of dimensions of the science array, for products and for reference files.
_BY_DIMENSIONS = {0: "JwstDataModel", 2: "ImageModel", 3: "CubeModel", 4: "QuadModel"}
_REFERENCES = {
    0: "ReferenceFileModel",
    2: "ReferenceImageModel",
    3: "ReferenceCubeModel",
    4: "ReferenceQuadModel",
}


#: What files of associations end with.
_ASSOCIATIONS = (".json", ".yaml", ".yml")


class NoTypeWarning(Warning):
    """A file does not say which model class it is."""


def open_model(init: Any, guess: bool, options: dict[str, Any]) -> Any:
    """Open anything as the model class that fits; see `webbcal.datamodels.open`."""
    if isinstance(init, DataModel):
        return type(init)(init, **options)
    if _is_several(init):
        return provided("containers").open_several(init, options)
    is_file = isinstance(init, (str, os.PathLike)) or hasattr(init, "read")
    if (
        not (is_file or isinstance(init, OpenedFile))
        and not hasattr(init, "fileinfo")
        and not hasattr(init, "tree")
    ):
        raise TypeError(
            f"cannot open {type(init).__name__} as a data model; give a path, a file or an HDUList"
        )
    file = (
        init if isinstance(init, OpenedFile) else open_file(init)
    )  # once: the model takes over what is read
    known = file.model_type in model_rows()
    if not known and not guess:
        raise InputError(f"{file.name}: names no model class (keyword DATAMODL), and guessing is off")
    name = str(file.model_type) if known else _guess(file)
    opened = model_class(name)(file, **options)
    if not known:
        warnings.warn(f"{file.name}: names no model class; opened as {name}", NoTypeWarning, stacklevel=3)
        del opened.contents.tree["meta"]["model_type"]
    return opened


def _is_several(init: Any) -> bool:
    """Tell whether this is an association, a list of models or files, or a container of models."""
    if isinstance(init, (str, os.PathLike)):
        return Path(init).suffix.lower() in _ASSOCIATIONS
    if hasattr(init, "fileinfo"):  # what astropy has opened is a list, too
        return False
    return isinstance(init, (Mapping, Sequence)) and not isinstance(init, (tuple, bytes))


def _guess(file: OpenedFile) -> str:
    """Return the name of the class that fits the data."""
    dimensions = {(hdu.name, hdu.version): len(hdu.data.shape) for hdu in file.hdus if hdu.data is not None}
    ndim = dimensions.get(("SCI", 1), 0)
    if ndim == 4 and not any(name == "DQ" for name, _ in dimensions):
        return "RampModel"
    if file.keyword("REFTYPE") is not None and ndim in _REFERENCES:
        return _REFERENCES[ndim]
    if ndim == 2 and ("SCI", 2) in dimensions:
        return "MultiSlitModel"
    if ndim not in _BY_DIMENSIONS:
        raise InputError(f"{file.name}: no model class has a science array of {ndim} dimensions")
    return _BY_DIMENSIONS[ndim]
