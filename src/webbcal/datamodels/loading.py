"""From a file to the contents of a model: headers and ASDF to the tree, HDUs to array sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.asdf_columns import put_together
from webbcal.datamodels.asdf_tree import AsdfTree
from webbcal.datamodels.cast import as_declared, cast_source, check_dimensions, from_file
from webbcal.datamodels.contents import Contents, Tree
from webbcal.datamodels.hdu_key import HduKey
from webbcal.datamodels.schema import fits_index
from webbcal.datamodels.table import FitsIndex, Leaf, Schema, is_array, is_table
from webbcal.datamodels.validate import Rules
from webbcal.io import asdf_extension
from webbcal.io.cards import STRUCTURAL, Card
from webbcal.io.compressed import CompressedArray, image_cards
from webbcal.io.fits_reader import Hdu
from webbcal.io.opening import OpenedFile, open_file
from webbcal.io.tables import FitsTable


class Target(Protocol):
    """What a file is loaded for: a data model."""

    @property
    def schema(self) -> Schema:
        """The schema tree."""

    @property
    def rules(self) -> Rules:
        """What happens to values that do not fit it."""

    @property
    def with_asdf(self) -> bool:
        """Whether files of the class carry the full tree in an ASDF extension."""


def load(init: Any, model: Target) -> Contents:
    """Return the contents of a file for a model.

    Parameters
    ----------
    init : path, file object, HDUList, AsdfFile or OpenedFile
        The file.
    model : DataModel
        The model.

    Raises
    ------
    InputError
        If a file is damaged or of the wrong kind.
    TypeError
        If `init` is something else.
    """
    if isinstance(init, OpenedFile):
        return _contents_of(init, model)
    known = (hasattr(init, name) for name in ("read", "fileinfo", "tree"))
    if not (isinstance(init, (str, os.PathLike)) or any(known)):
        raise TypeError(f"cannot make a model from {type(init).__name__}")
    file = open_file(init)
    try:
        return _contents_of(file, model)
    except BaseException:
        for opened in file.files:
            opened.close()
        raise


def _contents_of(file: OpenedFile, model: Target) -> Contents:
    """Return the contents of an opened file for a model.

    Raises
    ------
    InputError
        If its arrays do not fit the class of the model.
    """
    if file.tree is None:
        contents = _of_hdus(file, model)
    else:
        tree = dict(file.tree)
        entries = asdf_extension.history_of(tree.pop("history", None))
        tree = with_arrays(put_together(tree, file.name), model.schema, file.name)
        contents = Contents(tree, file.name, history=entries)
    if file.path is not None:
        contents.tree.setdefault("meta", {})["filename"] = file.path.name
    return contents


def with_arrays(tree: Any, schema: Schema, name: str) -> Any:
    """Return a tree (of an ASDF file, of a user) with its arrays as they are declared.

    Raises
    ------
    InputError
        If there is something else where an array is declared, or values that its type cannot hold.
    """
    if is_array(schema):
        if tree is not None and not hasattr(tree, "shape"):
            raise InputError(f"{name}: no array, but {type(tree).__name__}; make the file again")
        return tree if tree is None else from_file(tree, schema, name)
    if isinstance(tree, dict):
        members = schema.get("properties", {})
        return {
            key: with_arrays(value, members[key], f"{name}: {key}") if key in members else value
            for key, value in tree.items()
        }
    if isinstance(tree, list) and "items" in schema:
        return [with_arrays(item, schema["items"], name) for item in tree]
    return tree


def _of_hdus(file: OpenedFile, model: Target) -> Contents:
    contents = Contents({}, file.name, files=file.files)
    index = fits_index(model.schema)
    if declared := _header_table(file.hdus, index):
        index = index.with_array(Leaf(("hdrtab",), declared))
        contents.declares = {"type": "object", "properties": {"hdrtab": declared}}
    asdf = next((hdu for hdu in file.hdus if hdu.name == "ASDF" and hdu.data is not None), None)
    take = _Taker(contents, index, model.rules, file, asdf is not None and model.with_asdf)
    for hdu in file.hdus:
        if hdu is not asdf:
            take(hdu)
    cards = file.hdus[0].header.cards
    history = [card for card in cards if card.keyword == "HISTORY"]
    contents.history = [{"description": card.value or ""} for card in history]
    altered = any(card.may_be_altered for card in history)
    if asdf is not None and (model.with_asdf or take.elsewhere or altered):
        contents.asdf = AsdfTree(asdf, file.name, take.nested, model.schema, take.elsewhere)
        if take.elsewhere:
            contents.load_asdf()
    return contents


def _header_table(hdus: list[Hdu], index: FitsIndex) -> Schema | None:
    """Return the declaration of the table of keywords of all exposures.

    Products of several have it beyond what their class declares.
    """
    table = next((hdu.data for hdu in hdus if hdu.name == "HDRTAB" and isinstance(hdu.data, FitsTable)), None)
    if table is None or "HDRTAB" in index.arrays:
        return None
    return {"fits_hdu": "HDRTAB", "datatype": asdf_extension.datatype_of(table.dtype)}


class _Taker:
    """Puts HDUs in their places of the tree, one after the other; what has no place goes to extra_fits."""

    def __init__(
        self, contents: Contents, index: FitsIndex, rules: Rules, file: OpenedFile, has_asdf: bool
    ) -> None:
        self._tree = contents.tree
        self._name = contents.name
        self._index = index
        self._rules = rules
        self._seen: dict[tuple[str, int], int] = {}
        self._most = len(file.hdus)
        self.has_asdf = has_asdf
        #: Data of items of lists within lists, as the ASDF tree refers to them.
        self.nested: dict[str, Any] = {}
        #: Places whose values no card can hold, and HDUs with other such cards.
        self.elsewhere: set[tuple[Any, ...]] = set()

    def __call__(self, hdu: Hdu) -> None:
        again = self._seen.setdefault((hdu.name, hdu.version), 0)
        self._seen[hdu.name, hdu.version] += 1
        unknown = self._take_keywords(hdu)
        leaf = None if again else self._index.arrays.get(hdu.name)
        known = leaf is not None and self._has_place(hdu, leaf)
        extra: Tree = {"header": unknown} if unknown else {}
        if leaf is not None and known and hdu.data is not None:
            put(self._tree, leaf, hdu.version, self._checked(hdu, leaf))
        elif hdu.name in self._index.nested and hdu.data is not None and self.has_asdf:
            self.nested[f"fits:{hdu.name},{hdu.version}"] = hdu.data
        elif hdu.data is not None and not known:
            extra["data"] = hdu.data
        elif hdu.data is None and not known and not extra and hdu.name not in self._index.hdus:
            extra["header"] = []  # it has nothing, and is still there
        if extra:
            key = HduKey(hdu.name, hdu.version, again)
            self._tree.setdefault("extra_fits", {})[str(key)] = extra

    def _has_place(self, hdu: Hdu, leaf: Leaf) -> bool:
        """Tell whether the number of an HDU is that of a place: 1, or in a list, that of an item."""
        return 1 <= hdu.version <= (self._most if "[]" in leaf.path else 1)

    def _checked(self, hdu: Hdu, leaf: Leaf) -> Any:
        where, data = f"{self._name}: {hdu.name}", hdu.data
        assert data is not None
        if is_table(leaf.schema) and not isinstance(data, (FitsTable, np.ndarray)):
            raise InputError(f"{where}: an image, where a table should be; make the file again")
        if not is_table(leaf.schema) and isinstance(data, FitsTable):
            raise InputError(f"{where}: a table, where an image should be; make the file again")
        check_dimensions(len(data.shape), leaf.schema, where)
        if isinstance(data, np.ndarray):
            return as_declared(data, leaf.schema, where)
        return data if is_table(leaf.schema) else cast_source(data, leaf.schema, where)

    def _take_keywords(self, hdu: Hdu) -> list[list[Any]]:
        """Put the keywords that are known in their places; return the others."""
        known = self._index.keywords.get(hdu.name, {})
        nested = self._index.nested.get(hdu.name, ()) if self.has_asdf else ()
        unknown: list[list[Any]] = []
        taken: set[str] = set()
        for card in _own_cards(hdu):
            places = [leaf for leaf in known.get(card.keyword, ()) if self._has_place(hdu, leaf)]
            if places:
                kept = self._take(card, places, hdu.version, taken)
            else:
                kept = card.keyword in nested or (card.keyword in _STALE and hdu.name in self._index.arrays)
            if not kept:
                unknown.append([card.keyword, card.value, card.comment])
                if card.is_elsewhere or card.may_be_altered:
                    self.elsewhere.add(("extra_fits",))
        return unknown

    def _take(self, card: Card, places: list[Leaf], version: int, taken: set[str]) -> bool:
        """Put the value of a card in its places; of those with the same keyword, the first one counts.

        False if its value is none that the keyword can have: the card is passed on.
        """
        if card.keyword in taken:
            return True
        taken.add(card.keyword)
        kept = True
        for leaf in places:
            if card.is_elsewhere:
                self.elsewhere.add(tuple(version - 1 if part == "[]" else part for part in leaf.path))
            elif card.value is not None:
                if self._rules.accepts(card.value, leaf.schema, ".".join(leaf.path)):
                    put(self._tree, leaf, version, card.value)
                else:
                    kept = False
        return kept


#: Keywords of values that may have changed.
_STALE = ("DATAMAX", "DATAMIN")


def _own_cards(hdu: Hdu) -> Iterator[Card]:
    """Yield the cards that do not say how the data are stored, but for titles between blank cards."""
    cards = image_cards(hdu.header) if isinstance(hdu.data, CompressedArray) else hdu.header.cards
    for number, card in enumerate(cards):
        if card.keyword == "HISTORY" and hdu.name == "PRIMARY":
            continue  # those are the history of the model
        is_title = not card.keyword and (not card.value or (number and _is_blank(cards[number - 1])))
        if not is_title and not _is_structural(card.keyword):
            yield card


@lru_cache(4096)
def _is_structural(keyword: str) -> bool:
    return STRUCTURAL.fullmatch(keyword) is not None


def _is_blank(card: Card) -> bool:
    return not card.keyword and not card.value


def put(tree: Any, leaf: Leaf, version: int, value: Any) -> None:
    """Put a value at the place of a leaf; in a list, at the number that the HDU version gives."""
    node = tree
    for part, following in zip(leaf.path, (*leaf.path[1:], None), strict=True):
        key: Any = version - 1 if part == "[]" else part
        if part == "[]" and len(node) < version:
            node.extend({} for _ in range(version - len(node)))
        if following is None:
            node[key] = value
        elif part == "[]":
            node = node[key]
        else:
            node = node.setdefault(key, [] if following == "[]" else {})
