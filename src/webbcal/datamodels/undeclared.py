"""What a model holds beside what its class declares: users' own metadata, foreign HDUs, and its history."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from webbcal.datamodels.contents import Tree, copy_tree
from webbcal.datamodels.model import DataModel
from webbcal.datamodels.table import Schema, property_of


def take_over(result: DataModel, model: DataModel) -> None:
    """Give a new model what a copy of another would have beside what is declared.

    Parameters
    ----------
    result : DataModel
        The new one; what it has already stays.
    model : DataModel
        The one it is made of.
    """
    source, own = model.contents, result.contents
    source.load_asdf()
    for path, value in _undeclared(source.tree, model.schema):
        place = own.tree
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place.setdefault(path[-1], copy_tree(value, False, {}))
    own.history = own.history or copy.deepcopy(source.history)


def _undeclared(
    tree: Tree, schema: Schema, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in tree.items():
        declared = property_of(schema, name)
        if declared is None:
            yield (*path, name), value
        elif isinstance(value, dict) and "properties" in declared:
            yield from _undeclared(value, declared, (*path, name))
