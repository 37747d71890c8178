"""The tree in the ASDF extension of a file, as a part of the tree of a model.

What has a card in a header is read there, whatever the extension says: so a value does not depend on whether
the extension was read before. Only values that no card can hold (`Card.is_elsewhere`) are taken from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.contents import Tree
from webbcal.datamodels.table import Schema
from webbcal.io import asdf_extension
from webbcal.io.fits_reader import Hdu
from webbcal.io.tables import FitsTable

Path = tuple[Any, ...]


class AsdfTree:
    """The tree in an ASDF extension, read when it is called.

    Parameters
    ----------
    hdu : Hdu
        The extension.
    name : str
        The file, for messages.
    nested : dict
        Arrays in HDUs whose places only the tree knows, by the names that it gives them.
    schema : dict
        The schema of the model.
    elsewhere : set of tuple
        Places of values that no card can hold.
    """

    def __init__(
        self, hdu: Hdu, name: str, nested: Mapping[str, Any], schema: Schema, elsewhere: set[Path]
    ) -> None:
        self._hdu = hdu
        self._name = name
        self._nested = nested
        self._schema = schema
        self._elsewhere = elsewhere

    def __call__(self) -> Tree:
        """Return the tree without what headers say; history entries are under ``history``.

        Raises
        ------
        InputError
            If it is damaged.
        """
        data = self._hdu.data
        content = data.raw() if isinstance(data, FitsTable) else np.ascontiguousarray(data).tobytes()
        followed: set[str] = set()

        def follow(source: str) -> Any:
            followed.add(source)
            return self._nested.get(source)

        try:
            tree = asdf_extension.read_tree(content, follow)
        except Exception as error:
            raise InputError(f"{self._name}: the ASDF extension cannot be read ({error})") from error
        extra = tree.pop("extra_fits", None)
        tree = _without_cards(tree, self._schema, self._elsewhere, (), 0)
        if ("extra_fits",) in self._elsewhere and isinstance(extra, dict):
            tree["hidden_cards"] = _hidden(extra)
        left = {source: array for source, array in self._nested.items() if source not in followed}
        if left:
            tree["extra_fits"] = {
                source.removeprefix("fits:"): {"data": array} for source, array in left.items()
            }
        return tree


def _without_cards(tree: Any, schema: Schema, elsewhere: set[Path], path: Path, depth: int) -> Any:
    """Return a tree without the values that have a card, but for those that no card can hold."""
    if isinstance(tree, dict):
        members = schema.get("properties", {})
        made = {}
        for name, value in tree.items():
            member = members.get(name)
            if member is None:
                made[name] = value
            elif "fits_keyword" not in member or depth > 1 or (*path, name) in elsewhere:
                made[name] = _without_cards(value, member, elsewhere, (*path, name), depth)
        return made
    if isinstance(tree, list) and "items" in schema:
        items = enumerate(tree)
        return [_without_cards(v, schema["items"], elsewhere, (*path, n), depth + 1) for n, v in items]
    return tree


def _hidden(extra: Tree) -> dict[str, list[Any]]:
    """Return the cards of HDUs that no header can hold: by HDU, lists of keyword, value and comment."""
    found = {}
    for key, parts in extra.items():
        cards = parts.get("header") if isinstance(parts, dict) else None
        if isinstance(cards, list):
            found[str(key)] = [card for card in cards if isinstance(card, list) and len(card) == 3]
    return found
