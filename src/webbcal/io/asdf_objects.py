"""Trees with objects of other libraries: the objects as they stand in a file, and the other way.

Both are done for all objects of a tree at once, so that what they share (the distortion of a thousand slits)
is shared on the other side. An object that was made of a value of a file becomes that value again, as far as
it has not changed.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np

from webbcal.io.asdf_text import Tagged, read_by_library, tagged, write

#: What needs no library to be written.
_OWN = (str, int, float, type(None), datetime.date, np.ndarray, np.generic, Tagged)

_SCALARS = (str, int, float, bool, type(None))


def resolved(tree: Any) -> Any:
    """Return a tree of dictionaries and lists with the objects of all tagged values.

    What tagged values share, the objects share. Values that no library knows become what asdf writes as they
    were.
    """

    def objects_of(values: list[Any]) -> list[Any]:
        made: list[Any] = read_by_library(write({"values": values}))["values"]
        return made

    return _replaced(tree, lambda value: type(value) is Tagged, objects_of)


def with_tagged_objects(tree: Any, origins: dict[int, Tagged]) -> Any:
    """Return a tree with all objects of other libraries as they would stand in a file.

    Parameters
    ----------
    tree : dict or list
        The tree.
    origins : dict
        By identity of an object: the value that it was made of. What has not changed since stays as it was,
        and shared with others.
    """

    def trees_of(objects: list[Any]) -> list[Any]:
        made = zip(objects, tagged(objects), strict=True)
        return [_grafted(tree, origins.get(id(value)), {}) for value, tree in made]

    return _replaced(tree, lambda value: not isinstance(value, _OWN), trees_of)


def _grafted(value: Any, old: Any, known: dict[tuple[int, int], Any]) -> Any:
    """Return a value with the parts of an old one that are equal in place of its own."""
    if type(value) is not type(old):
        return value
    if isinstance(value, np.ndarray):
        same = value.dtype == old.dtype and np.array_equal(value, old, equal_nan=value.dtype.kind in "fc")
        return old if same else value
    if not isinstance(value, (Tagged, dict, list)):
        return value
    pair = id(value), id(old)
    if pair in known:
        return known[pair]
    known[pair] = value  # what is within may refer back to it
    known[pair] = made = _grafted_parts(value, old, known)
    return made


def _grafted_parts(value: Any, old: Any, known: dict[tuple[int, int], Any]) -> Any:
    if isinstance(value, Tagged):
        inner = _grafted(value.value, old.value, known)
        same = value.tag == old.tag and _equal({0: inner}, {0: old.value})
        return old if same else Tagged(value.tag, inner)
    if isinstance(value, dict):
        made = {key: _grafted(member, old.get(key), known) for key, member in value.items()}
        return old if _equal(made, old) else made
    pairs = [_grafted(*both, known) for both in zip(value, old, strict=False)]
    items = pairs + value[len(pairs) :]
    return old if _equal(dict(enumerate(items)), dict(enumerate(old))) else items


def _equal(made: dict[Any, Any], old: dict[Any, Any]) -> bool:
    """Tell whether the members are the same parts, or equal scalars."""
    return made.keys() == old.keys() and all(
        value is old[key] or (type(value) in _SCALARS and type(value) is type(old[key]) and value == old[key])
        for key, value in made.items()
    )


def _replaced(tree: Any, wanted: Callable[[Any], bool], convert: Callable[[list[Any]], list[Any]]) -> Any:
    """Return a tree in which the values that are wanted are converted, all at once."""
    found: dict[int, Any] = {}

    def collect(value: Any) -> None:
        if type(value) is dict:
            for member in value.values():
                collect(member)
        elif type(value) in (list, tuple):
            for member in value:
                collect(member)
        elif wanted(value):
            found[id(value)] = value

    def replace(value: Any) -> Any:
        if type(value) is dict:
            return {key: replace(member) for key, member in value.items()}
        if type(value) in (list, tuple):
            return [replace(member) for member in value]
        return made.get(id(value), value)

    collect(tree)
    if not found:
        return tree
    made = dict(zip(found, convert(list(found.values())), strict=True))
    return replace(tree)
