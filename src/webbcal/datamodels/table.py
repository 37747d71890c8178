"""The tables of keywords, arrays and model classes, and the schema tree of a model.

`tables/keywords.csv` has one row for each value of the meta tree: its path, its FITS keyword and HDU, type,
allowed values, the rule for blending several exposures, and the models (or groups of models, as listed in
`tables/models.csv`) that have it. `tables/arrays.csv` has one row for each array or table of a model, and
`tables/arguments.csv` one for each class that is made of more than arrays. They
state the file format of JWST products; what webbcal knows about keywords and HDUs comes from them alone.
"""

from __future__ import annotations

import copy
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

#: A node of the schema: like JSON schema, with ``fits_keyword``, ``fits_hdu``, ``datatype``, ``ndim``.
Schema = dict[str, Any]

_TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A row of models.csv: a class, what it derives from, the array that sets its shape, its groups."""

    name: str
    bases: tuple[str, ...]
    primary: str
    groups: frozenset[str]


def rows_of(table: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table (``keywords``, ``arrays``, ``models`` or ``arguments``)."""
    with (_TABLES / f"{table}.csv").open(newline="", encoding="ascii") as file:
        yield from csv.DictReader(file)


@cache
def model_rows() -> dict[str, ModelRow]:
    """Return the rows of models.csv by class name."""
    rows = (
        ModelRow(r["model"], tuple(r["bases"].split()), r["primary"], frozenset(r["groups"].split()))
        for r in rows_of("models")
    )
    return {row.name: row for row in rows}


@cache
def _keyword_rows() -> list[tuple[frozenset[str], dict[str, str]]]:
    return [(frozenset(row["models"].split()), row) for row in rows_of("keywords")]


@cache
def array_rows() -> dict[str, list[dict[str, str]]]:
    """Return the rows of arrays.csv by class name."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in rows_of("arrays"):
        rows.setdefault(row["model"], []).append(row)
    return rows


@dataclass(frozen=True, slots=True)
class Making:
    """What making a model of a class means beyond its arrays: a row of arguments.csv.

    Attributes
    ----------
    arguments : dict
        Keyword argument -> dotted path that it sets; with ``*``, for each member of a mapping.
    made : dict
        Dotted path -> value that a model has that is made of nothing.
    saved_as : str
        Reference type that saving sets; it leaves the date of such a model alone.
    """

    arguments: dict[str, str]
    made: dict[str, str]
    saved_as: str


_AS_OTHERS = Making({}, {}, "")


@cache
def _makings() -> dict[str, Making]:
    """Return the rows of arguments.csv by class name."""
    rows: dict[str, Making] = {}
    for row in rows_of("arguments"):
        arguments = (text.partition(":") for text in row["arguments"].split(";") if text)
        made = (text.split("=") for text in row["made"].split(";") if text)
        rows[row["model"]] = Making({a: path or a for a, _, path in arguments}, dict(made), row["saved_as"])
    return rows


def making_of(cls: type) -> Making:
    """Return what making a model of a class means, or of its nearest base that is in the table."""
    rows = _makings()
    return next((rows[base.__name__] for base in cls.__mro__ if base.__name__ in rows), _AS_OTHERS)


@cache
def schema_of(model: str) -> Schema:
    """Return the schema tree of a model class; it is shared, so do not change it.

    Raises
    ------
    KeyError
        For a class that is not in models.csv.
    """
    names = model_rows()[model].groups | {model}
    root: Schema = {"title": model, "type": "object", "properties": {}}
    for models, row in _keyword_rows():
        if not names.isdisjoint(models):
            _insert(root, row["path"], _keyword_leaf(row))
    for row in array_rows().get(model, ()):
        _insert(root, row["path"], _array_leaf(row))
    members = root["properties"]
    if "spec" in members:  # HDUs have the order of members: in jwst's files, tables of times precede spectra
        members["spec"] = members.pop("spec")
    return root


def _insert(root: Schema, path: str, leaf: Schema) -> None:
    """Put a leaf at a dotted path, where ``[]`` stands for the items of a list; the first one stays."""
    node = root
    for part in path.split("."):
        if part == "[]":
            node["type"] = "array"
            node = node.setdefault("items", {})
        else:
            node["type"] = "object"
            node = node.setdefault("properties", {}).setdefault(part, {})
    for key, value in leaf.items():
        node.setdefault(key, value)


def _keyword_leaf(row: dict[str, str]) -> Schema:
    leaf: Schema = {}
    if row["type"]:
        leaf["type"] = row["type"]
    if row["keyword"]:
        leaf |= {"fits_keyword": row["keyword"], "fits_hdu": row["hdu"].upper()}
    if row["enum"]:
        values = row["enum"].split("|")
        leaf["enum"] = [int(value) for value in values] if row["type"] == "integer" else values
    if row["blend"]:
        leaf["blend_rule"] = row["blend"]
    if row["default"]:
        leaf["default"] = row["default"]
    return leaf


def _array_leaf(row: dict[str, str]) -> Schema:
    table = row["dtype"] == "table"
    leaf: Schema = {
        "datatype": [_column(text) for text in row["columns"].split(";")] if table else row["dtype"]
    }
    if row["hdu"]:
        leaf["fits_hdu"] = row["hdu"].upper()  # names of HDUs are in capitals, as astropy writes them
    for key in ("ndim", "max_ndim"):
        if row[key]:
            leaf[key] = int(row[key])
    if row["default"]:
        leaf["default"] = (
            float(row["default"]) if row["dtype"].startswith("float") else int(float(row["default"]))
        )
    if row["extra_columns"]:
        leaf["allow_extra_columns"] = True
    return leaf


_COLUMN = re.compile(
    r"(?P<name>[^:]*):(?P<type>[a-z]+\d*)(/(?P<length>\d+))?(\[(?P<shape>[^]]*)\])?(\{(?P<unit>.*)\})?"
)


def _column(text: str) -> Schema:
    """Read ``name:type[shape]{unit}``; a shape of colons only gives the number of dimensions."""
    match = _COLUMN.fullmatch(text)
    if match is None:
        raise ValueError(f"arrays.csv: ill-formed column {text!r}")
    kind, shape = match["type"], match["shape"]
    column: Schema = {
        "name": match["name"],
        "datatype": ["ascii", int(match["length"])] if match["length"] else kind,
    }
    if shape and ":" in shape:
        column["ndim"] = shape.count(":")
    elif shape:
        column["shape"] = [int(length) for length in shape.split(",")]
    if match["unit"]:
        column["unit"] = match["unit"]
    return column


def is_array(schema: Schema) -> bool:
    """Tell whether a schema node is an array or table."""
    return "datatype" in schema or "ndim" in schema or "max_ndim" in schema


def is_table(schema: Schema) -> bool:
    """Tell whether a schema node is a table."""
    return isinstance(schema.get("datatype"), list)


def dtype_of(datatype: str | list[Any]) -> np.dtype[Any]:
    """Return the numpy type of a ``datatype`` of the schema."""
    if isinstance(datatype, str):
        return np.dtype("bool" if datatype == "bool8" else datatype)
    fields: list[tuple[Any, ...]] = []
    for column in datatype:
        kind = column["datatype"]
        base = np.dtype(f"S{kind[1]}") if isinstance(kind, list) else dtype_of(kind)
        shape = tuple(column.get("shape") or (0,) * column.get("ndim", 0))
        fields.append((column["name"], base, shape) if shape else (column["name"], base))
    return np.dtype(fields)


def property_of(schema: Schema, name: str) -> Schema | None:
    """Return the schema of a member, or None if it is not declared."""
    member: Schema | None = schema.get("properties", {}).get(name)
    return member


def walk(schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Yield (path, node) for every node of a schema, parents first; the items of a list are ``items``."""
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from walk(member, (*path, name))
    if "items" in schema:
        yield from walk(schema["items"], (*path, "items"))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A place of the tree that lives in a FITS file: its path (``[]`` for list items) and schema."""

    path: tuple[str, ...]
    schema: Schema


class FitsIndex:
    """What a schema says about FITS files: which keyword and which HDU holds which part of the tree.

    Attributes
    ----------
    keywords : dict
        By HDU and keyword: the places of a value. There is one, but for what a slit has and its target too.
    arrays : dict
        By HDU: the place of its data.
    nested : dict
        By HDU: the names of its keywords whose place is in a list within a list. Which item they belong to,
        and its data, only the ASDF extension tells.
    hdus : set of str
        Names of all HDUs that have a place.
    """

    def __init__(self, schema: Schema) -> None:
        self.keywords: dict[str, dict[str, list[Leaf]]] = {}
        self.arrays: dict[str, Leaf] = {}
        self.nested: dict[str, set[str]] = {}
        for path, node in walk(schema):
            leaf = Leaf(tuple("[]" if part == "items" else part for part in path), node)
            if leaf.path.count("[]") > 1:
                if "fits_hdu" in node:
                    self.nested.setdefault(node["fits_hdu"], set()).add(node.get("fits_keyword", "").upper())
            elif "fits_keyword" in node:
                keyword = node["fits_keyword"].upper()
                places = self.keywords.setdefault(node.get("fits_hdu", "PRIMARY"), {})
                places.setdefault(keyword, []).append(leaf)
            elif is_array(node) and "fits_hdu" in node:
                self.arrays.setdefault(node["fits_hdu"], leaf)
        self.hdus = {"PRIMARY", *self.keywords, *self.arrays, *self.nested}

    def with_array(self, leaf: Leaf) -> FitsIndex:
        """Return an index that knows one more array."""
        made = copy.copy(self)
        made.arrays = self.arrays | {leaf.schema["fits_hdu"]: leaf}
        made.hdus = self.hdus | {leaf.schema["fits_hdu"]}
        return made
