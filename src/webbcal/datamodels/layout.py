"""From the tree of a model to HDUs: which keywords, arrays and tables go where, and the ASDF extension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.contents import Contents, Tree
from webbcal.datamodels.hdu_key import HduKey
from webbcal.datamodels.table import Schema, dtype_of, is_array, is_table
from webbcal.io import asdf_extension
from webbcal.io.arrays import in_file
from webbcal.io.cards import COMMENTARY, STRUCTURAL, Card, fits_on_cards
from webbcal.io.hdus import PlannedHdu
from webbcal.io.masked import plain_array
from webbcal.io.records import plain_table
from webbcal.io.tables import FitsTable

#: Arrays that are written piece by piece, by name: shape and type.
Streamed = dict[str, tuple[tuple[int, ...], Any]]
Planned = dict[HduKey, PlannedHdu]


def plan_hdus(schema: Schema, contents: Contents, streamed: Streamed | None = None) -> list[PlannedHdu]:
    """Return the HDUs of a model: first the primary, then streamed arrays, then all others.

    Parameters
    ----------
    schema : dict
        The schema of the model.
    contents : Contents
        What it holds; its arrays in HDUs may be in memory or in another file.
    streamed : dict, optional
        Arrays that come later. They take the place of the model's own.
    """
    primary = HduKey("PRIMARY", 1)
    hdus: Planned = {primary: _planned(primary)}
    for name, (shape, dtype) in (streamed or {}).items():
        key = HduKey(schema["properties"][name]["fits_hdu"], 1)
        hdus[key] = _planned(key, dtype=np.dtype(dtype), shape=tuple(shape), stream=name)
    numbers: dict[tuple[HduKey, str], int] = {}
    for node, value, version in _leaves(schema, contents.tree, 1, _Numbers()):
        key = HduKey(node.get("fits_hdu", "PRIMARY"), version)
        hdu = hdus.get(key)
        if hdu is None:
            hdu = hdus[key] = _planned(key)
        if not is_array(node):
            card = Card(node["fits_keyword"], plain_scalar(value))
            number = numbers.setdefault((key, card.keyword), len(hdu.cards))
            hdu.cards[number : number + 1] = [card]  # of two places with one keyword, the last one says it
        elif hdu.dtype is None:
            _set_data(hdu, value, node)
    for name, extra in contents.tree.get("extra_fits", {}).items():
        _plan_extra(hdus, name, extra)
    history = (Card("HISTORY", str(entry["description"])) for entry in contents.history_entries())
    hdus[primary].cards.extend(history)
    return list(hdus.values())


def _planned(key: HduKey, **how: Any) -> PlannedHdu:
    return PlannedHdu(key.name, key.version, **how)


def needs_asdf(planned: list[PlannedHdu]) -> bool:
    """Tell whether there are values that no card can hold."""
    return not all(fits_on_cards(card) for hdu in planned for card in hdu.cards)


class _Numbers:
    """Numbers of the items of lists: the versions of their HDUs.

    Those of lists within lists go on from one list to the next, so that each item has its own.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def of(self, items: list[Any], schema: Schema) -> Iterator[tuple[int, Any]]:
        """Yield (number from 1, item)."""
        start = self._last.get(id(schema), 0)
        self._last[id(schema)] = start + len(items)
        return enumerate(items, start + 1)


def _leaves(schema: Schema, tree: Any, version: int, numbers: _Numbers) -> Iterator[tuple[Schema, Any, int]]:
    """Yield (schema, value, HDU version) of all values that have a place in a FITS file."""
    if tree is None:
        return
    if is_array(schema):
        if "fits_hdu" in schema and len(getattr(tree, "shape", (1,))):
            yield schema, tree, version
    elif "fits_keyword" in schema:
        if not (isinstance(tree, (dict, list)) and not tree):
            yield schema, tree, version
    elif isinstance(tree, dict):
        members = schema.get("properties", {})
        for name, member in members.items():
            if name in tree:
                yield from _leaves(member, tree[name], version, numbers)
    elif isinstance(tree, list) and "items" in schema:
        for number, item in numbers.of(tree, schema):
            yield from _leaves(schema["items"], item, number, numbers)


def plain_scalar(value: Any) -> Any:
    """Return a numpy scalar as plain Python."""
    return value.item() if isinstance(value, np.generic) else value


def _set_data(hdu: PlannedHdu, value: Any, schema: Schema) -> None:
    hdu.data, hdu.shape, hdu.dtype = value, tuple(value.shape), value.dtype
    if is_table(schema):
        hdu.units = {c["name"]: c["unit"] for c in schema["datatype"] if "unit" in c}
    elif "datatype" in schema:
        hdu.dtype = dtype_of(schema["datatype"])


def _plan_extra(hdus: Planned, text: str, extra: Tree) -> None:
    """Plan an unknown HDU, or add unknown keywords to a known one."""
    key = HduKey.of(text)
    hdu = hdus.setdefault(key, _planned(key))
    data = extra.get("data")
    if data is not None and hdu.dtype is None:
        data = data if in_file(data) else _as_array(data, text)
        hdu.data, hdu.shape, hdu.dtype, hdu.as_it_stands = data, tuple(data.shape), _type_of(data), True
    known = {card.keyword.upper() for card in hdu.cards}
    for keyword, value, comment in extra.get("header", []):
        if not STRUCTURAL.fullmatch(keyword) and (keyword not in known or keyword in COMMENTARY):
            hdu.cards.append(Card(keyword, value, comment or ""))


def _as_array(data: Any, name: str) -> np.ndarray:
    """Return what was put in the place of an unknown HDU as an array or table."""
    if hasattr(data, "as_array") or (isinstance(data, np.ma.MaskedArray) and data.dtype.names):
        return plain_table(data, name)
    return np.asanyarray(plain_array(data, name))


def _type_of(data: Any) -> np.dtype[Any]:
    """Return the type of the data of an unknown HDU; what cannot be read is passed on."""
    try:
        return np.dtype(data.dtype)
    except InputError:
        return np.dtype([("unknown", "u1")])


def asdf_hdu(schema: Schema, contents: Contents, planned: list[PlannedHdu]) -> PlannedHdu:
    """Return the HDU with the whole tree: a table of one cell, in which arrays refer to the planned HDUs."""
    origins = {key: origin for key, (_, origin) in contents.made.items()}
    first = {HduKey(hdu.name, hdu.version): hdu for hdu in reversed(planned)}
    tree = asdf_tree(schema, contents.tree, first)
    content = np.frombuffer(asdf_extension.write_tree(tree, contents.history_entries(), origins), np.uint8)
    cell = np.zeros(1, dtype=[("ASDF_METADATA", np.uint8, content.shape)])
    cell["ASDF_METADATA"][0] = content
    return PlannedHdu("ASDF", 1, cell, cell.dtype, (1,))


def asdf_tree(schema: Schema, tree: Tree, hdus: Planned) -> Tree:
    """Return the tree of a model with references in place of the arrays that live in HDUs."""
    own = {name: value for name, value in tree.items() if name != "extra_fits"}
    written: Tree = _with_references(own, schema, hdus, 1, _Numbers())
    for hdu in hdus.values():  # streamed arrays are not in the tree
        if hdu.stream:
            written.setdefault(hdu.stream, _reference(hdu))
    extra = {name: _extra(name, parts, hdus) for name, parts in tree.get("extra_fits", {}).items()}
    return written | ({"extra_fits": extra} if extra else {})


def _reference(hdu: PlannedHdu) -> asdf_extension.HduReference:
    assert hdu.dtype is not None
    dtype = hdu.data.dtype if isinstance(hdu.data, FitsTable) and not hdu.as_it_stands else hdu.dtype
    return asdf_extension.HduReference(hdu.name, hdu.version, hdu.shape, dtype)


def _with_references(value: Any, schema: Schema, hdus: Planned, version: int, numbers: _Numbers) -> Any:
    if isinstance(value, dict):
        members = schema.get("properties", {})
        return {
            name: _with_references(member, members.get(name, {}), hdus, version, numbers)
            for name, member in value.items()
            if member is not None and not (isinstance(member, dict) and not member)
        }
    if isinstance(value, list):
        items = schema.get("items", {})
        numbered = numbers.of(value, schema) if items else enumerate(value)
        return [_with_references(item, items, hdus, number, numbers) for number, item in numbered]
    hdu = hdus.get(HduKey(schema.get("fits_hdu", ""), version)) if is_array(schema) else None
    if hdu is not None and hdu.dtype is not None:
        return _reference(hdu)
    return value.read() if in_file(value) else value


def _extra(name: str, parts: Tree, hdus: Planned) -> Tree:
    hdu = hdus.get(HduKey.of(name))
    if "data" not in parts:
        return parts
    # Of several HDUs of one name, only the first one can be referred to.
    return parts | {"data": _reference(hdu)} if hdu is not None else {"header": parts.get("header", [])}
