"""Attribute access to the tree of a model.

The tree itself is plain: dictionaries, lists, values, arrays, and array sources that have not been read
yet. A node is a short-lived view of one dictionary or list of it, with the schema of that place and the
model it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence
from typing import Any, Protocol

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.arrayed import Arrayed, holds_arrays
from webbcal.datamodels.cast import as_declared, from_file
from webbcal.datamodels.contents import Contents
from webbcal.datamodels.table import Schema, dtype_of, is_array, is_table, property_of, walk
from webbcal.datamodels.validate import Rules
from webbcal.io.arrays import in_file
from webbcal.io.asdf_text import Tagged
from webbcal.io.missing_library import MissingLibrary


class Owner(Protocol):
    """What a node asks of the model that it belongs to."""

    @property
    def contents(self) -> Contents:
        """The tree, and what of it is not read yet."""

    @property
    def schema(self) -> Schema:
        """The schema tree."""

    @property
    def rules(self) -> Rules:
        """What happens to values that do not fit."""

    def shape_for(self, name: str, ndim: int | None) -> tuple[int, ...] | None:
        """Return the shape of a default array (None if the primary array does not say)."""


class Node:
    """A place in the tree of a model."""

    def __init__(self, tree: Any, schema: Schema, model: Owner, path: str) -> None:
        self._tree = tree
        self._schema = schema
        self._model = model
        self._path = path

    @property
    def instance(self) -> Any:
        """The plain dictionary or list behind this node."""
        return self._tree

    def __eq__(self, other: object) -> bool:
        other = other._tree if isinstance(other, Node) else other
        try:
            return bool(self._tree == other)
        except ValueError:  # arrays within
            return False

    __hash__ = object.__hash__

    def _member_path(self, name: str | int) -> str:
        return f"{self._path}.{name}" if self._path else str(name)

    def _wrap(self, value: Any, schema: Schema, name: str | int) -> Any:
        if isinstance(value, dict):
            return ObjectNode(value, schema, self._model, self._member_path(name))
        if isinstance(value, list):
            return ListNode(value, schema, self._model, self._member_path(name))
        return value

    def _read(self, key: Any, schema: Schema) -> Any:
        return read_member(self._tree, key, schema, self._model.contents, self._member_path(key))

    def _prepare(self, value: Any, schema: Schema, name: str | int) -> tuple[bool, Any]:
        """Return whether a new value may be taken, and the plain value to keep."""
        value = plain(value)
        if is_array(schema) and value is not None and not in_file(value):
            return True, as_declared(value, schema, self._member_path(name))
        if isinstance(value, np.generic):
            value = value.item()
        return self._model.rules.accepts(value, schema, self._member_path(name)), value


def plain(value: Any) -> Any:
    """Return the plain value behind a node, or the value itself."""
    return value._tree if isinstance(value, Node) else value


def schema_at(node: Node) -> Schema:
    """Return the schema of the place of a node."""
    return node._schema


def read_member(container: Any, key: Any, schema: Schema, contents: Contents, path: str) -> Any:
    """Return a member of a dictionary or list of the tree.

    An array that is still in the file is read now, and an object of another library made; both are kept.
    """
    value = container[key]
    if isinstance(value, Tagged):
        made = _object_of(value, contents.where(path))
        contents.made[id(made)] = made, value
        value = container[key] = made
    if not in_file(value):
        return value
    array = value.read()
    if is_array(schema):
        array = from_file(array, schema, contents.where(path))
    container[key] = array
    return array


def _object_of(value: Tagged, name: str) -> Any:
    """Return the object of a value of another library.

    Raises
    ------
    MissingLibrary
        If no library knows it.
    InputError
        If its library cannot make anything of it.
    """
    try:
        return value.resolve()
    except MissingLibrary as error:
        error.args = (f"{name}: {error}",)
        raise
    except Exception as error:  # asdf and its extensions raise whatever their parts raise
        raise InputError(f"{name}: no object can be made of {value.tag}: it is damaged ({error})") from error


class ObjectNode(Node):
    """A dictionary of the tree, with its members as attributes."""

    def __dir__(self) -> list[str]:
        members = set(self._schema.get("properties", ())) | set(self._tree)
        return sorted(set(super().__dir__()) | members)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"no attribute '{name}'")
        schema = property_of(self._schema, name)
        if name not in self._tree and not self._find(name, schema):
            return None
        return self._wrap(self._read(name, schema or {}), schema or {}, name)

    def _find(self, name: str, schema: Schema | None) -> bool:
        """Look for a member that is not in the tree yet; False if it is known but has no value.

        Raises
        ------
        AttributeError
            If there is no such member and the schema does not know it.
        """
        if schema is not None and "fits_keyword" in schema:
            return False
        if schema is None or not (is_array(schema) and "fits_hdu" in schema):
            if schema is not None and schema.get("type") == "object":
                self._tree[name] = {}
                return True
            # Whatever has no place in the FITS headers can only be in the ASDF extension.
            self._model.contents.load_asdf()
            if name in self._tree:
                return True
            if schema is None:
                raise AttributeError(f"no attribute '{self._member_path(name)}'")
            if schema.get("type") == "array" and not is_array(schema):
                self._tree[name] = []
                return True
        return False

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, name, value)
            return
        schema = property_of(self._schema, name) or {}
        taken, value = self._prepare(value, schema, name)
        if taken:
            self._tree[name] = value

    def __delattr__(self, name: str) -> None:
        if name.startswith("_"):
            object.__delattr__(self, name)
            return
        self._model.contents.load_asdf()  # or it would come back from there
        if name not in self._tree:
            raise AttributeError(f"no attribute '{self._member_path(name)}'")
        del self._tree[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the dotted names of all values below this node."""
        for name, value in self._tree.items():
            if isinstance(value, dict):
                yield from (f"{name}.{inner}" for inner in ObjectNode(value, {}, self._model, name))
            else:
                yield name

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield (dotted name, value) of all values below this node."""
        for name in list(self):
            value: Any = self
            for part in name.split("."):
                value = getattr(value, part)
            yield name, value

    def hasattr(self, name: str) -> bool:
        """Tell whether a member is in the tree (a value that is known but absent is not)."""
        schema = property_of(self._schema, name) or {}
        if name not in self._tree and "fits_keyword" not in schema and "fits_hdu" not in schema:
            self._model.contents.load_asdf()
        return name in self._tree

    def _declared(self, name: str) -> Schema:
        schema = property_of(self._schema, name)
        if schema is None:
            raise AttributeError(f"no attribute '{self._member_path(name)}'")
        return schema

    def get_dtype(self, name: str) -> np.dtype[Any]:
        """Return the declared type of an array.

        Raises
        ------
        AttributeError
            If it is not declared.
        ValueError
            If it is not an array.
        """
        schema = self._declared(name)
        if "datatype" not in schema:
            raise ValueError(f"'{self._member_path(name)}' has no declared datatype")
        return dtype_of(schema["datatype"])

    def get_default(self, name: str) -> Any:
        """Return a new default value: for an array, of the shape of the primary array.

        Raises
        ------
        AttributeError
            If it is not declared.
        """
        schema = self._declared(name)
        if not is_array(schema):
            empty = {"object": dict, "array": list}.get(schema.get("type", ""))
            return schema.get("default", empty() if empty else None)
        ndim = schema.get("ndim", schema.get("max_ndim"))
        dtype = dtype_of(schema["datatype"]) if "datatype" in schema else np.dtype(np.float64)
        shape = None if is_table(schema) else self._shape_for(name, ndim)
        if shape is None:
            shape = (0,) * (1 if ndim is None else ndim)
        if is_table(schema):
            return as_declared(np.zeros(shape, dtype), schema, name)
        value = schema.get("default", 0)
        return np.full(shape, value, dtype) if value else np.zeros(shape, dtype)

    def _shape_for(self, name: str, ndim: int | None) -> tuple[int, ...] | None:
        return self._model.shape_for(name, ndim)


class ItemNode(Arrayed, ObjectNode):
    """A slit, a spectrum, an exposure: an item of a list with arrays of its own, as good as a model.

    What its `meta` does not have and could not have (the instrument, the exposure, the subarray) is that of
    the model.
    """

    @property
    def instance(self) -> Any:
        """The plain dictionary behind this node, with all arrays read: a model can be made of it."""
        self._model.contents.load_asdf()
        for name in [name for name, value in self._tree.items() if in_file(value)]:
            getattr(self, name)
        return self._tree

    def _wrap(self, value: Any, schema: Schema, name: str | int) -> Any:
        if name == "meta" and isinstance(value, dict):
            return _ItemMeta(value, schema, self._model, self._member_path(name))
        return super()._wrap(value, schema, name)

    def _find(self, name: str, schema: Schema | None) -> bool:
        try:
            return super()._find(name, schema)
        except AttributeError:
            if name != "meta":
                raise
            self._tree["meta"] = {}
            return True

    def _shape_for(self, name: str, ndim: int | None) -> tuple[int, ...] | None:
        return trailing(self.shape, ndim)


class _ItemMeta(ObjectNode):
    """The metadata of an item; what is not declared for it is that of the model."""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            schema = property_of(self._model.schema, "meta") or {}
            declared = property_of(schema, name)
            if declared is None or not any("fits_keyword" in node for _, node in walk(declared)):
                raise
            meta = self._model.contents.tree.setdefault("meta", {})
            return getattr(ObjectNode(meta, schema, self._model, "meta"), name)


def trailing(shape: tuple[int, ...] | None, ndim: int | None) -> tuple[int, ...] | None:
    """Return the last axes of a shape."""
    return shape if shape is None or ndim is None else shape[len(shape) - min(ndim, len(shape)) :]


class ListNode(Node, MutableSequence[Any]):
    """A list of the tree; its items are checked as they come in."""

    @property
    def _item_schema(self) -> Schema:
        items: Schema = self._schema.get("items", {})
        return items

    @property
    def instance(self) -> Any:
        """The plain list behind this node, with all arrays of its items read."""
        for item in self if holds_arrays(self._item_schema) else ():
            _ = item.instance
        return self._tree

    def __len__(self) -> int:
        return len(self._tree)

    def __repr__(self) -> str:
        return repr(self._tree)

    def _wrap(self, value: Any, schema: Schema, name: str | int) -> Any:
        if isinstance(value, dict) and holds_arrays(schema):
            return ItemNode(value, schema, self._model, self._member_path(name))
        return super()._wrap(value, schema, name)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return self._wrap(self._read(index, self._item_schema), self._item_schema, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._model.contents.load_asdf()
        taken, value = self._prepare(value, self._item_schema, index)
        if taken:
            self._tree[index] = value

    def __delitem__(self, index: Any) -> None:
        self._model.contents.load_asdf()  # or what is still in the file would go to the wrong items
        del self._tree[index]

    def insert(self, index: int, value: Any) -> None:
        """Insert an item before `index`."""
        self._model.contents.load_asdf()
        taken, value = self._prepare(value, self._item_schema, index)
        if taken:
            self._tree.insert(index, value)

    def item(self, **members: Any) -> ObjectNode:
        """Return a new item, not yet in the list, with these members."""
        node: ObjectNode = self._wrap({}, self._item_schema, len(self))
        for name, value in members.items():
            setattr(node, name, value)
        return node

    def sort(self, **how: Any) -> None:
        """Sort the list in place."""
        self._model.contents.load_asdf()
        self._tree.sort(**how)
