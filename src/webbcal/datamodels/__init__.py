"""Data models: JWST products and reference files as objects.

``open(path)`` gives the model that fits a file; each class can also be made from a shape, from arrays, or
from another model. All classes of ``tables/models.csv`` are here by name (``datamodels.ImageModel``, …).
"""

from __future__ import annotations

from typing import Any

from webbcal.core import dqflags
from webbcal.core.provided import provided
from webbcal.datamodels.validate import ValidationError, ValidationWarning

__all__ = ["ValidationError", "ValidationWarning", "dqflags", "open"]

#: Containers of models, which are in a room above.
_CONTAINERS = ("ModelContainer", "ModelLibrary")


def open(init: Any = None, guess: bool = True, **kwargs: Any) -> Any:
    """Open a file (or anything else a model can be made of) as the model class that fits.

    The class is the one the file names (keyword ``DATAMODL``). Without it, it is guessed from the reference
    type and the number of dimensions of the science array.

    Parameters
    ----------
    init : path, file object, HDUList, AsdfFile or DataModel; association (path, mapping) or list
        A model gives a new model that shares everything with it; several give a `ModelContainer`, of which
        they are opened when they are touched.
    guess : bool
        Whether to guess the class if the file does not say.
    **kwargs
        Options of the model (or of `ModelContainer`).

    Raises
    ------
    InputError
        If the file is missing, damaged, or of another kind; or does not name a class and `guess` is off.
    TypeError
        If a model cannot be made from this.
    """
    from webbcal.datamodels.choose import open_model

    return open_model(init, guess, kwargs)


def __getattr__(name: str) -> Any:
    if not name[0].isupper():  # a submodule that is not imported yet
        raise AttributeError(f"module 'webbcal.datamodels' has no attribute '{name}'")
    if name == "DataModel":
        from webbcal.datamodels.model import DataModel

        return DataModel
    if name in _CONTAINERS:
        return getattr(provided("containers"), name)
    from webbcal.datamodels.classes import model_class

    try:
        cls = model_class(name)
    except KeyError:
        raise AttributeError(f"module 'webbcal.datamodels' has no attribute '{name}'") from None
    globals()[name] = cls
    return cls


def __dir__() -> list[str]:
    from webbcal.datamodels.table import model_rows

    return sorted({*__all__, *_CONTAINERS, "DataModel", *model_rows()})
