"""All model classes by name: one for each row of models.csv.

Most classes are their row and nothing more, and are made from it when first asked for. Those that do
something of their own are written out, in `models` and `lists`.
"""

from __future__ import annotations

from functools import cache

from webbcal.datamodels import lists, models
from webbcal.datamodels.model import DataModel
from webbcal.datamodels.table import array_rows, model_rows

_WRITTEN: dict[str, type[DataModel]] = {
    name: value
    for module in (models, lists)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, DataModel)
}
#: Classes that jwst once had for products of resample, and what it has in their place.
_FORMER = {"DrizProductModel": "ImageModel", "MultiProductModel": "MultiSlitModel"}


@cache
def model_class(name: str) -> type[DataModel]:
    """Return the class of a row of models.csv, or the class that has taken its place.

    Raises
    ------
    KeyError
        If there is no such row.
    """
    if name in _WRITTEN:
        return _WRITTEN[name]
    if name in _FORMER:
        return model_class(_FORMER[name])
    row = model_rows()[name]
    # models.csv lists all ancestors, nearest first; those of an ancestor need not be repeated.
    ancestors = [_base(base) for base in row.bases]
    bases = [b for b in ancestors if not any(b is not other and issubclass(other, b) for other in ancestors)]
    created = tuple(dict.fromkeys(array for base in ancestors for array in base.__dict__.get("_created", ())))
    body = {"__module__": "webbcal.datamodels", "__doc__": _describe(name), "_created": created}
    return type(name, tuple(bases), body)


def _base(name: str) -> type[DataModel]:
    if name in model_rows() or name in _WRITTEN:
        return model_class(name)
    return type(name, (models.ReferenceFileModel,), {"__module__": __name__})


def _describe(name: str) -> str:
    arrays = ", ".join(row["path"] for row in array_rows().get(name, ()))
    return f"{name}, as in the tables{f': {arrays}' if arrays else ''}."
