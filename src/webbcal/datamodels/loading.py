"""From a file to the contents of a model: headers and ASDF to the tree, HDUs to array sources."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.cast import as_declared, check_dimensions
from webbcal.datamodels.contents import Contents, Tree
from webbcal.datamodels.schema import fits_index
from webbcal.datamodels.table import FitsIndex, Leaf, Schema
from webbcal.datamodels.validate import Rules
from webbcal.io import asdf_extension
from webbcal.io.cards import STRUCTURAL
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
        history = tree.pop("history", None) or {}
        entries = history if isinstance(history, list) else history.get("entries", [])
        contents = Contents(tree, file.name, history=[dict(entry) for entry in entries])
    if file.path is not None:
        contents.tree.setdefault("meta", {})["filename"] = file.path.name
    return contents


def _of_hdus(file: OpenedFile, model: Target) -> Contents:
    contents = Contents({}, file.name, files=file.files)
    index = fits_index(model.schema)
    if declared := _header_table(file.hdus, index):
        index = index.with_array(Leaf(("hdrtab",), declared))
        contents.declares = {"type": "object", "properties": {"hdrtab": declared}}
    asdf = next((hdu for hdu in file.hdus if hdu.name == "ASDF" and hdu.data is not None), None)
    take = _Taker(contents, index, model.rules, asdf is not None and model.with_asdf)
    for hdu in file.hdus:
        if hdu is not asdf:
            take(hdu)
    if asdf is not None and model.with_asdf:
        contents.asdf = _asdf_loader(asdf, file.name, take.nested)
    cards = file.hdus[0].header.cards
    contents.history = [{"description": card.value} for card in cards if card.keyword == "HISTORY"]
    return contents


def _header_table(hdus: list[Hdu], index: FitsIndex) -> Schema | None:
    """Return the declaration of the table of keywords of all exposures.

    Products of several have it beyond what their class declares.
    """
    table = next((hdu.data for hdu in hdus if hdu.name == "HDRTAB" and isinstance(hdu.data, FitsTable)), None)
    if table is None or "HDRTAB" in index.arrays:
        return None
    return {"fits_hdu": "HDRTAB", "datatype": asdf_extension.datatype_of(table.dtype)}


def _asdf_loader(hdu: Hdu, name: str, nested: dict[str, Any]) -> Callable[[], Tree]:
    """Return what reads the tree in the ASDF extension; only it knows the places of nested arrays."""
    data = hdu.data

    def load() -> Tree:
        content = data.raw() if isinstance(data, FitsTable) else np.ascontiguousarray(data).tobytes()
        followed: set[str] = set()

        def follow(source: str) -> Any:
            followed.add(source)
            return nested.get(source)

        try:
            tree = asdf_extension.read_tree(content, follow)
        except Exception as error:
            raise InputError(f"{name}: the ASDF extension cannot be read ({error})") from error
        tree.pop("history", None)  # the HISTORY cards of the primary header count
        left = {source: array for source, array in nested.items() if source not in followed}
        if left:
            tree["extra_fits"] = {
                source.removeprefix("fits:"): {"data": array} for source, array in left.items()
            }
        return tree

    return load


class _Taker:
    """Puts HDUs in their places of the tree, one after the other; what has no place goes to extra_fits."""

    def __init__(self, contents: Contents, index: FitsIndex, rules: Rules, has_asdf: bool) -> None:
        self._tree = contents.tree
        self._name = contents.name
        self._index = index
        self._rules = rules
        self._seen: set[tuple[str, int]] = set()
        self.has_asdf = has_asdf
        #: Data of items of lists within lists, as the ASDF tree refers to them.
        self.nested: dict[str, Any] = {}

    def __call__(self, hdu: Hdu) -> None:
        again = (hdu.name, hdu.version) in self._seen
        self._seen.add((hdu.name, hdu.version))
        unknown = self._take_keywords(hdu)
        leaf = self._index.arrays.get(hdu.name)
        known = leaf is not None and not again and (hdu.version == 1 or "[]" in leaf.path)
        extra: Tree = {"header": unknown} if unknown else {}
        if leaf is not None and known and hdu.data is not None:
            put(self._tree, leaf, hdu.version, self._checked(hdu, leaf.schema))
        elif hdu.name in self._index.nested and hdu.data is not None and self.has_asdf:
            self.nested[f"fits:{hdu.name},{hdu.version}"] = hdu.data
        elif hdu.data is not None and not known:
            extra["data"] = hdu.data
        if extra:
            key = hdu.name if hdu.version == 1 and not again else f"{hdu.name},{hdu.version}"
            self._tree.setdefault("extra_fits", {})[key] = extra

    def _checked(self, hdu: Hdu, schema: Schema) -> Any:
        where, data = f"{self._name}: {hdu.name}", hdu.data
        assert data is not None
        check_dimensions(len(data.shape), schema, where)
        return as_declared(data, schema, where) if isinstance(data, np.ndarray) else data

    def _take_keywords(self, hdu: Hdu) -> list[list[Any]]:
        """Put the keywords that are known in their places; return the others."""
        known = self._index.keywords.get(hdu.name, {})
        nested = self._index.nested.get(hdu.name, ()) if self.has_asdf else ()
        unknown: list[list[Any]] = []
        for card in hdu.header.cards:
            leaf = known.get(card.keyword)
            if leaf is not None and ("[]" in leaf.path or hdu.version == 1):
                value = card.value
                if value is not None and self._rules.accepts(value, leaf.schema, ".".join(leaf.path)):
                    put(self._tree, leaf, hdu.version, value)
            elif card.keyword not in nested and not STRUCTURAL.fullmatch(card.keyword):
                unknown.append([card.keyword, card.value, card.comment])
        return unknown


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
