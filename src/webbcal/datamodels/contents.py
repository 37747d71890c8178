"""What a model holds: its tree, the files behind it, and the part of the tree that is not parsed yet."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from webbcal.datamodels.cast import as_declared, check_dimensions
from webbcal.datamodels.table import Schema
from webbcal.io.arrays import in_file
from webbcal.io.asdf_text import Tagged
from webbcal.io.cards import COMMENTARY, Card, ascii_text, history_lines

Tree = dict[str, Any]


class Unfinished(Protocol):
    """A file that arrays of a model were streamed to, and that saving the model can finish."""

    def suits(self, model: Any, path: Path) -> bool:
        """Tell whether saving the model under this path can be done by finishing the file."""

    def commit(self, model: Any) -> None:
        """Finish the file."""


class File(Protocol):
    """Something to close."""

    def close(self) -> None:
        """Close it."""


class Contents:
    """The tree of one model, or of several that share it.

    Attributes
    ----------
    tree : dict
        Values, arrays, and arrays still in a file.
    name : str
        The file, for messages.
    files : list
        Things to close.
    history : list of dict
        History entries.
    asdf : function or None
        Returns the tree in the ASDF extension, while that is not read.
    declares : dict
        What the file declares beyond the schema of its class.
    made : dict
        By identity: objects of other libraries that were made of values in a file, and those values.
    unfinished : Unfinished or None
        The file that arrays were streamed to, while it is not finished.
    """

    def __init__(
        self,
        tree: Tree,
        name: str = "",
        files: list[File] | None = None,
        history: list[dict[str, Any]] | None = None,
    ) -> None:
        self.tree = tree
        self.name = name
        self.files = files or []
        self.history = history or []
        self.asdf: Callable[[], Tree] | None = None
        self.declares: Schema = {}
        self.made: dict[int, tuple[Any, Tagged]] = {}
        self.unfinished: Unfinished | None = None

    def load_asdf(self) -> None:
        """Add what only the ASDF extension holds to the tree; FITS headers and set values stay."""
        if self.asdf is not None:
            asdf, self.asdf = self.asdf, None
            tree = asdf()
            self._complete_history(tree.pop("history", []))
            for key, cards in tree.pop("hidden_cards", {}).items():
                restore(self.tree.get("extra_fits", {}).get(key, {}).get("header", []), cards)
            merge(self.tree, tree)

    def _complete_history(self, entries: list[dict[str, Any]]) -> None:
        """Put entries, with their times, in the place of the cards that say the same."""
        lines = [line for entry in entries for line in history_lines(str(entry["description"]))]
        if lines == [entry["description"] for entry in self.history[: len(lines)] if isinstance(entry, dict)]:
            self.history[: len(lines)] = entries

    def history_entries(self) -> list[dict[str, Any]]:
        """Return the history for a file: what users appended as text becomes an entry."""
        return [
            dict(entry) if isinstance(entry, dict) else {"description": str(entry)} for entry in self.history
        ]

    def where(self, path: str) -> str:
        """Return what a message calls a place of the tree."""
        return f"{self.name}: {path}" if self.name else path

    def copy(self, memo: dict[int, Any] | None = None, shallow: bool = False) -> Contents:
        """Return a deep copy (arrays still in a file are shared, as they cannot change).

        With `shallow`, arrays in memory are shared also.
        """
        memo = {} if memo is None else memo
        tree = copy_tree(self.tree, shallow, memo)
        made = Contents(tree, self.name, list(self.files), copy.deepcopy(self.history, memo))
        made.asdf, made.declares = self.asdf, self.declares
        for key, (thing, origin) in self.made.items():
            copied = memo.get(key, thing)
            made.made[id(copied)] = copied, origin
        return made

    def become(self, other: Contents) -> None:
        """Hold what another holds, for all models that share this one."""
        self.__dict__.update(other.__dict__)

    def close(self) -> None:
        """Close the files."""
        for file in self.files:
            file.close()


def copy_tree(value: Any, shallow: bool, memo: dict[int, Any]) -> Any:
    """Return a copy in which what was the same array or object (a WCS of many slits) is so again."""
    if isinstance(value, dict):
        return {key: copy_tree(member, shallow, memo) for key, member in value.items()}
    if isinstance(value, list):
        return [copy_tree(member, shallow, memo) for member in value]
    if shallow or isinstance(value, (str, int, float)) or in_file(value):
        return value
    return copy.deepcopy(value, memo)


def restore(header: list[list[Any]], hidden: list[list[Any]]) -> None:
    """Put what no card can hold, values and text, in the place of the cards that stand for it."""
    values: dict[str, tuple[Any, str]] = {}
    for keyword, value, comment in hidden:
        if keyword in COMMENTARY:
            _restore_text(header, keyword, str(value))
        else:
            values.setdefault(keyword, (value, comment))
    for card in header:
        value, comment = values.get(card[0], (None, None))
        if Card(*card).is_elsewhere and card[0] in values:
            card[1:] = value, comment
        elif isinstance(comment, str) and card[2] and card[2] == ascii_text(comment):
            card[2] = comment


def _restore_text(header: list[list[Any]], keyword: str, text: str) -> None:
    """Put a text in the place of the cards, one after the other, that it has become."""
    lines = [] if text.isascii() else history_lines(text)
    for start in range(len(header) - len(lines) + 1 if lines else 0):
        cards = header[start : start + len(lines)]
        if [[keyword, line] for line in lines] == [card[:2] for card in cards]:
            header[start : start + len(lines)] = [[keyword, text, ""]]
            return


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


def converted(source: Contents, schema: Schema, name: str) -> Contents:
    """Return contents for a model of another class: a copy of the metadata, with the same arrays.

    Raises
    ------
    InputError
        If an array does not fit the schema; `name` is what the message calls the source.
    """
    contents = source.copy(shallow=True)
    for member, declared in schema["properties"].items():
        value = contents.tree.get(member)
        if value is None or not hasattr(value, "shape") or "datatype" not in declared:
            continue
        if isinstance(value, np.ndarray):
            contents.tree[member] = as_declared(value, declared, f"{name}.{member}")
        else:
            check_dimensions(len(value.shape), declared, f"{name}.{member}")
    return contents
