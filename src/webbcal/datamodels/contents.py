"""What a model holds: its tree, the files behind it, and the part of the tree that is not parsed yet."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from webbcal.io.arrays import ArraySource

if TYPE_CHECKING:
    from webbcal.datamodels.model import DataModel
    from webbcal.io.fits_writer import ProductWriter

Tree = dict[str, Any]


class Contents:
    """The tree of one model, or of several that share it.

    Parameters
    ----------
    tree : dict
        Values, arrays, and arrays still in a file.
    name : str
        The file, for messages.
    asdf : function, optional
        Returns the tree in the ASDF extension; called when first needed.
    files : list
        Things to close.
    history : list of dict
        History entries.
    """

    def __init__(
        self,
        tree: Tree,
        name: str = "",
        asdf: Callable[[], Tree] | None = None,
        files: list[Any] | None = None,
        history: list[dict[str, Any]] | None = None,
    ) -> None:
        self.tree = tree
        self.name = name
        self.files = files or []
        self.history = history or []
        #: What writes the file that arrays were streamed to, while it is not finished (`io.saving`).
        self.unfinished: ProductWriter | None = None
        self._asdf = asdf

    def load_asdf(self) -> None:
        """Add what only the ASDF extension holds to the tree; FITS headers and set values stay."""
        if self._asdf is not None:
            asdf, self._asdf = self._asdf, None
            merge(self.tree, asdf())

    def copy(self, memo: dict[int, Any] | None = None, shallow: bool = False) -> Contents:
        """Return a deep copy (arrays still in a file are shared, as they cannot change).

        With `shallow`, arrays in memory are shared also.
        """
        tree = _copy_tree(self.tree, shallow)
        return Contents(tree, self.name, self._asdf, list(self.files), copy.deepcopy(self.history, memo))

    def close(self) -> None:
        """Close the files."""
        for file in self.files:
            file.close()


def _copy_tree(value: Any, shallow: bool) -> Any:
    if isinstance(value, dict):
        return {key: _copy_tree(member, shallow) for key, member in value.items()}
    if isinstance(value, list):
        return [_copy_tree(member, shallow) for member in value]
    if isinstance(value, np.ndarray):
        return value if shallow else value.copy()
    if shallow or isinstance(value, (ArraySource, str, int, float)):
        return value
    return copy.deepcopy(value)


def merge(tree: Tree, other: Tree) -> None:
    """Add to `tree` what only `other` has."""
    for key, value in other.items():
        if key not in tree:
            tree[key] = value
        elif isinstance(tree[key], dict) and isinstance(value, dict):
            merge(tree[key], value)
        elif isinstance(tree[key], list) and isinstance(value, list):
            for mine, theirs in zip(tree[key], value, strict=False):
                if isinstance(mine, dict) and isinstance(theirs, dict):
                    merge(mine, theirs)
            tree[key].extend(value[len(tree[key]) :])


def of(init: Any, model: DataModel) -> Contents:
    """Return the contents for a model from whatever it is made of.

    Raises
    ------
    InputError
        If a file is damaged or of the wrong kind.
    TypeError
        If a model cannot be made from this.
    """
    from webbcal.datamodels.model import DataModel

    if isinstance(init, DataModel):
        return _of_model(init, model)
    if isinstance(init, dict):
        return Contents(init)
    from webbcal.io import opening

    if isinstance(init, opening.OpenedFile):
        return opening.contents_of(init, model)
    if isinstance(init, (str, os.PathLike)) or hasattr(init, "read") or hasattr(init, "fileinfo"):
        return opening.contents_of(opening.open_file(init), model)
    if hasattr(init, "tree"):  # an AsdfFile
        return opening.contents_of(opening.open_file(init), model)
    raise TypeError(f"cannot make a model from {type(init).__name__}")


def _of_model(source: DataModel, target: DataModel) -> Contents:
    """Share the contents with a model of the same class; else copy the metadata and share the arrays."""
    if type(source) is type(target):
        return source._contents
    contents = source._contents.copy(shallow=True)
    for name, schema in target._schema["properties"].items():
        value = contents.tree.get(name)
        if value is None or not hasattr(value, "shape") or "datatype" not in schema:
            continue
        from webbcal.datamodels.cast import as_declared, check_dimensions

        if isinstance(value, np.ndarray):
            contents.tree[name] = as_declared(value, schema, f"{type(source).__name__}.{name}")
        else:
            check_dimensions(len(value.shape), schema, f"{type(source).__name__}.{name}")
    return contents
