"""What tables say beside their values, in ASDF files: units, null values, cells of various lengths.

ASDF has tables of columns of one type, and no more. So the tree has a member of its own (`MEMBER`) with a
list of what is said of the columns of each table, and with the cells of columns that are no array; in the
table itself stands how long they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.contents import Tree
from webbcal.io.records import ColumnNote, notes_of, records

MEMBER = "column_notes"


def taken_apart(tree: Tree) -> Tree:
    """Return a tree as it stands in a file: with plain tables, and what is said of them."""
    told: list[Tree] = []
    made: Tree = _plain(tree, (), told)
    return made | ({MEMBER: told} if told else {})


def put_together(tree: Tree, name: str) -> Tree:
    """Return a tree with its tables as they were; it is changed.

    Raises
    ------
    InputError
        If what is said is not about a table that is there; `name` is what the message calls the file.
    """
    try:
        for entry in tree.pop(MEMBER, []):
            *path, last = entry["place"]
            holder: Any = tree
            for key in path:
                holder = holder[key]
            holder[last] = _table(holder[last], entry["columns"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{name}: {MEMBER} is damaged ({error}); make the file again") from error
    return tree


def _plain(value: Any, place: tuple[Any, ...], told: list[Tree]) -> Any:
    if type(value) is dict:  # not one with a tag
        return {key: _plain(member, (*place, key), told) for key, member in value.items()}
    if type(value) is list:
        return [_plain(member, (*place, number), told) for number, member in enumerate(value)]
    if not isinstance(value, np.ndarray) or value.dtype.names is None:
        return value
    columns = dict(_said(value))
    if columns:
        told.append({"place": list(place), "columns": columns})
    return _with_lengths(value)


def _said(table: np.ndarray) -> Iterator[tuple[str, Tree]]:
    """Yield column, and what is said of it."""
    notes = notes_of(table)
    for name in table.dtype.names or ():
        note = asdict(notes.get(name, ColumnNote()))
        said = {key: value for key, value in note.items() if value not in (None, "")}
        if table.dtype[name].kind == "O":
            said["cells"] = [cell if isinstance(cell, str) else np.asarray(cell) for cell in table[name]]
        if said:
            yield name, said


def _with_lengths(table: np.ndarray) -> np.ndarray:
    """Return a table with the lengths of cells in the place of cells that are no array."""
    kinds = [(name, table.dtype[name]) for name in table.dtype.names or ()]
    if all(kind.kind != "O" for _, kind in kinds):
        return table.view(np.ndarray)
    made = np.empty(table.shape, [(name, "i8" if kind.kind == "O" else kind) for name, kind in kinds])
    for name, kind in kinds:
        made[name] = [len(cell) for cell in table[name]] if kind.kind == "O" else table[name]
    return made


def _table(array: np.ndarray, said: Tree) -> np.ndarray:
    if array.dtype.names is None:
        raise TypeError("no table, but an array")
    columns = {name: np.asarray(array[name]) for name in array.dtype.names}
    notes = {}
    for name, what in said.items():
        what = dict(what)
        cells = what.pop("cells", None)
        notes[name] = ColumnNote(**what)
        if cells is not None:
            column = np.empty(len(columns[name]), object)
            column[:] = [cell if isinstance(cell, str) else np.asarray(cell) for cell in cells]
            columns[name] = column
    return records(columns, array.shape, notes)
