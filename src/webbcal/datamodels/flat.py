"""A model as a flat dictionary: values by dotted names, and taking over the metadata of another model."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator
from typing import Any

import numpy as np

from webbcal.datamodels.contents import Tree
from webbcal.datamodels.node import Node, ObjectNode, plain, read_member, schema_at
from webbcal.datamodels.table import Schema, property_of, walk
from webbcal.io.arrays import ArraySource, in_file

#: What `update` leaves alone.
_PROTECTED = {("meta", "date"), ("meta", "model_type")}


class FlatAccess(ObjectNode):
    """The part of a model that sees the whole tree by dotted names (``meta.target.ra``, ``slits.0.data``)."""

    def __getitem__(self, key: str) -> Any:
        node: Any = self
        for part in key.split("."):
            try:
                node = node[int(part)] if part.isdigit() else getattr(node, part)
            except (AttributeError, IndexError) as error:
                raise KeyError(key) from error
        return node

    def __setitem__(self, key: str, value: Any) -> None:
        path, _, name = key.rpartition(".")
        node: Any = self[path] if path else self
        if name.isdigit():
            node[int(name)] = value
        else:
            setattr(node, name, value)

    def __contains__(self, key: str) -> bool:
        return any(name == key or name.startswith(f"{key}.") for name in self.keys())

    @property
    def instance(self) -> Tree:
        """The whole tree as plain dictionaries, with all arrays read."""
        for _ in self.items():
            pass
        return self._tree

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield (dotted name, value) of everything that is set; arrays are read."""
        self._model.contents.load_asdf()
        yield from self._flat(read=True)

    def _flat(self, read: bool) -> Iterator[tuple[str, Any]]:
        """Yield all values, with arrays read or left as they are."""
        for container, key, schema, name in _members(self._tree, self._schema, ""):
            value = container[key]
            if read and in_file(value):
                value = read_member(container, key, schema, self._model.contents, name)
            yield name, value

    def keys(self) -> Iterator[str]:
        """Yield the dotted names of everything that is set; nothing is read but the ASDF extension."""
        self._model.contents.load_asdf()
        return (name for name, _ in self._flat(read=False))

    def values(self) -> Iterator[Any]:
        """Yield the values of everything that is set; arrays are read."""
        return (value for _, value in self.items())

    def to_flat_dict(self, include_arrays: bool = True) -> dict[str, Any]:
        """Return everything that is set by dotted name; times as ISO text."""
        self._model.contents.load_asdf()
        pairs = self._flat(read=include_arrays)
        return {
            name: value.isoformat() if isinstance(value, datetime.datetime) else value
            for name, value in pairs
            if include_arrays or not isinstance(value, (np.ndarray, ArraySource))
        }

    def update(self, d: Any, only: str | list[str] | None = None, extra_fits: bool = False) -> None:
        """Take over the metadata of another model, or of a dictionary.

        From a model, only values that have a FITS keyword are taken, and not the model type and date.

        Parameters
        ----------
        d : DataModel, node or dict
            Where to take the values from.
        only : str or list of str, optional
            Take only values of these HDUs, such as ``PRIMARY``.
        extra_fits : bool
            Take unknown keywords also.
        """
        if only is None:
            hdus = {"PRIMARY"} | {node["fits_hdu"] for _, node in walk(self._schema) if "fits_hdu" in node}
        else:
            hdus = {only} if isinstance(only, str) else set(only)
        allowed = _keyword_paths(schema_at(d), hdus) if isinstance(d, Node) else None
        for path, value in _leaves(plain(d)):
            if path in _PROTECTED or path[0] == "extra_fits" or (allowed is not None and path not in allowed):
                continue
            try:
                self[".".join(str(part) for part in path)] = copy.deepcopy(value)
            except (KeyError, AttributeError, IndexError):
                continue  # no such place in this model
        if extra_fits:
            for name, extra in plain(d).get("extra_fits", {}).items():
                if "header" in extra and name in hdus:
                    own = self._tree.setdefault("extra_fits", {}).setdefault(name, {})
                    own["header"] = copy.deepcopy(extra["header"])


def _members(tree: Any, schema: Schema, path: str) -> Iterator[tuple[Any, Any, Schema, str]]:
    """Yield (container, key, schema, dotted name) of all values of a tree that are no containers."""
    inside = isinstance(tree, dict)
    for key in list(tree if inside else range(len(tree))):
        name, value = f"{path}{key}", tree[key]
        declared = (property_of(schema, key) or {}) if inside else schema.get("items", {})
        if isinstance(value, (dict, list, tuple)):
            yield from _members(value, declared, f"{name}.")
        elif value is not None:
            yield tree, key, declared, name


def _keyword_paths(schema: Schema, hdus: set[str]) -> set[tuple[str, ...]]:
    leaves = ((path, node) for path, node in walk(schema) if "fits_keyword" in node)
    return {path for path, node in leaves if node.get("fits_hdu", "PRIMARY") in hdus}


def _leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield (path, value) of all values of a tree that are no arrays."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _leaves(value, (*path, number))
    elif not isinstance(tree, (np.ndarray, ArraySource)):
        yield path, tree
