"""The ASDF extension: a table of one cell that holds an ASDF file with the full tree of the model.

Arrays of the tree that live in HDUs stand there as references (``source: fits:SCI,1``). Trees are read and
written as text (`asdf_text`); objects of other libraries, and a tree with an array without an HDU that is
structured or complex, are written by the `asdf` library, which takes about a second to find its extensions.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import yaml

from webbcal import __version__
from webbcal.io import asdf_text
from webbcal.io.asdf_library import new_file
from webbcal.io.asdf_objects import resolved, with_tagged_objects
from webbcal.io.asdf_text import CORE, NDARRAY, NotPlain, Tagged, Tree


class HduReference(Tagged):
    """An array of the tree that lives in an HDU."""

    def __init__(self, name: str, version: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        node = {"source": f"fits:{name},{version}", "datatype": datatype_of(dtype), "byteorder": "big"}
        super().__init__(NDARRAY, node | {"shape": list(shape)})

    def resolve(self) -> HduReference:
        """Return this: the array is not in the tree."""
        return self


def datatype_of(dtype: np.dtype[Any]) -> Any:
    """Return a numpy type as ASDF names it."""
    if dtype.names is not None:
        return [_field(name, dtype[name]) for name in dtype.names]
    if dtype.kind in "SU":
        return ["ascii", max(1, dtype.itemsize // (4 if dtype.kind == "U" else 1))]
    if dtype.kind == "O":  # cells of various lengths: how many, and where
        return "int64"
    return "bool8" if dtype.kind == "b" else dtype.name


def _field(name: str, dtype: np.dtype[Any]) -> Tree:
    field: Tree = {"byteorder": "big", "datatype": datatype_of(dtype.base), "name": name}
    return field | ({"shape": list(dtype.shape)} if dtype.shape else {})


def write_tree(tree: Tree, history: list[Tree], origins: dict[int, Tagged]) -> bytes:
    """Return an ASDF file that holds the tree and the history entries.

    Objects that were made of values of a file (`origins`, by their identity) stand there as they did, as far
    as they have not changed.
    """
    with contextlib.suppress(NotPlain):
        return _write_as_text(tree, history)
    with contextlib.suppress(NotPlain):
        return _write_as_text(with_tagged_objects(tree, origins), history)
    return _write_by_library(resolved(tree), history)


def _write_as_text(tree: Tree, history: list[Tree]) -> bytes:
    if any(set(entry) - {"description", "time"} for entry in history):
        raise NotPlain("software in the history")
    home = "https://asdf-standard.readthedocs.io"
    software = {"author": "webbcal", "homepage": home, "name": "webbcal", "version": __version__}
    whole: Tree = {
        "asdf_library": Tagged(f"{CORE}software-1.0.0", software),
        "history": {
            "extensions": [],
            "entries": [Tagged(f"{CORE}history_entry-1.0.0", dict(entry)) for entry in history],
        },
    }
    return asdf_text.write(whole | tree)


def _write_by_library(tree: Tree, history: list[Tree]) -> bytes:
    import asdf
    from asdf.tagged import TaggedDict
    from asdf.treeutil import walk_and_modify

    def convert(value: Any) -> Any:
        if isinstance(value, HduReference):
            return TaggedDict(dict(value.value), value.tag)
        if isinstance(value, np.recarray):
            return value.view(np.ndarray)
        return value.item() if isinstance(value, np.generic) else value

    file = new_file()
    # The tree is valid by construction; assigning to `tree` would look for the HDU sources.
    file._tree = asdf.tags.core.AsdfObject(walk_and_modify(dict(tree), convert))
    for entry in history:
        file.add_history_entry(entry["description"], entry.get("software"))
    buffer = io.BytesIO()
    file.write_to(buffer)
    return buffer.getvalue()


def read_tree(content: bytes, follow: Callable[[str], Any]) -> Tree:
    """Return the tree of an ASDF file.

    For arrays that live in HDUs (``fits:SCI,1``) there is what `follow` returns, and nothing if that is None.
    History entries are under ``history``, as a list of dictionaries. Objects of other libraries are `Tagged`.
    """
    try:
        tree = asdf_text.read(content, follow)
    except (NotPlain, yaml.YAMLError):
        tree = asdf_text.read_by_library(content, follow)
    for internal in ("asdf_library", "_fits_hash"):
        tree.pop(internal, None)
    tree["history"] = history_of(tree.pop("history", None))
    return without_none(tree)


def history_of(history: Any) -> list[Tree]:
    """Return the entries of a history as it stands in a file; what is no entry is left out."""
    entries = history.get("entries") if isinstance(history, dict) else history
    found = entries if isinstance(entries, list) else []
    return [dict(entry) for entry in found if isinstance(entry, dict) and "description" in entry]


def without_none(tree: Any) -> Any:
    """Return a tree without the members of dictionaries that are None."""
    if type(tree) is dict:
        return {key: without_none(value) for key, value in tree.items() if value is not None}
    if type(tree) is list:
        return [without_none(value) for value in tree]
    return tree


def plain_values(tree: Any, convert: Callable[[Any], Any]) -> Any:
    """Return a copy of a tree with every value that is no dictionary or list converted.

    Dictionaries and lists with a tag, which stand for what no library knows, are values.
    """
    if type(tree) is dict:
        return {key: plain_values(value, convert) for key, value in tree.items()}
    if type(tree) is list:
        return [plain_values(value, convert) for value in tree]
    return convert(tree)
