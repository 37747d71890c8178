"""ASDF as the text that it is: a YAML tree, in which values of other libraries are kept as they stand.

An ASDF file is YAML with tags, and blocks of binary arrays behind it. Plain values and small arrays are read
and written here, in milliseconds. A value with a tag that is not of the ASDF core (a transform, a WCS, a
unit) becomes a `Tagged`: it can be passed on, written again, and looked into; `Tagged.resolve` makes the
object of it, by the `asdf` library and its extensions, which take about a second to load.

Source: the ASDF Standard, https://asdf-standard.readthedocs.io (file layout, core schemas).
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import yaml

from webbcal.io.missing_library import MissingLibrary

Tree = dict[str, Any]

CORE = "tag:stsci.edu:asdf/core/"
NDARRAY = f"{CORE}ndarray-1.1.0"
_START = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"
_END = b"...\n"
_BLOCK = b"\xd3BLK"
#: Arrays of more elements are not written as text.
_LARGEST_INLINE = 1000


class NotPlain(Exception):
    """The tree needs the asdf library."""


class Tagged:
    """A value of another library, as it stands in an ASDF file.

    Attributes
    ----------
    tag : str
        The whole tag, ``tag:stsci.edu:asdf/transform/shift-1.4.0``.
    value : dict, list or str
        Values within may be `Tagged` too, and may refer back to this one.
    """

    __slots__ = ("tag", "value")

    def __init__(self, tag: str, value: Any = None) -> None:
        self.tag = tag
        self.value = value

    def __repr__(self) -> str:
        return f"<{self.tag}>"

    @property
    def kind(self) -> str:
        """The last part of the tag without its version: ``shift``."""
        return self.tag.rpartition("/")[2].rpartition("-")[0]

    def resolve(self) -> Any:
        """Return the object, made by the asdf library.

        Raises
        ------
        MissingLibrary
            If no library is installed that knows it, or a tag within it.
        """
        made = read_by_library(write({"value": self}, _WholeDumper))["value"]
        if hasattr(made, "_tag"):  # a tagged dictionary, list or text
            raise MissingLibrary(self.tag, _tags(self, set()), made)
        return made


def resolved(tree: Any) -> Any:
    """Return a copy of a tree of dictionaries and lists with the objects of all tagged values.

    Values that no library knows become what asdf writes as they were.
    """
    if type(tree) is dict:
        return {key: resolved(value) for key, value in tree.items()}
    if type(tree) is list:
        return [resolved(value) for value in tree]
    try:
        return tree.resolve() if isinstance(tree, Tagged) else tree
    except MissingLibrary as missing:
        return missing.kept


def _tags(value: Any, seen: set[int]) -> set[str]:
    """Return all tags within a value."""
    if id(value) in seen:
        return set()
    if isinstance(value, Tagged):
        seen.add(id(value))
        return {value.tag} | _tags(value.value, seen)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(_tags(part, seen) for part in parts))


def tagged(value: Any) -> Any:
    """Return an object of another library as it would stand in a file; the opposite of `Tagged.resolve`."""
    import asdf

    buffer = io.BytesIO()
    asdf.AsdfFile({"value": value}).write_to(buffer)
    return read(buffer.getvalue())["value"]


def read_by_library(content: bytes) -> Tree:
    """Return the tree of an ASDF file, with all objects made and arrays in memory."""
    import warnings

    import asdf
    from asdf.tags.core import NDArrayType
    from asdf.treeutil import walk_and_modify

    def convert(value: Any) -> Any:
        source = value._source if isinstance(value, NDArrayType) else None
        if isinstance(value, dict):  # what asdf 6 makes of a reference that it cannot follow
            source = value.get("source")
        if isinstance(source, str) and source.startswith("fits:"):
            return None
        return np.array(value) if isinstance(value, NDArrayType) else value

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdf.exceptions.AsdfWarning)
        with asdf.open(io.BytesIO(content), lazy_load=False, ignore_unrecognized_tag=True) as file:
            return dict(walk_and_modify(file.tree, convert))


# Writing


class Dumper(yaml.CSafeDumper if hasattr(yaml, "CSafeDumper") else yaml.SafeDumper):  # type: ignore[misc]
    """Writes plain values, small arrays and tagged values; refuses others."""

    largest: float = _LARGEST_INLINE

    def ignore_aliases(self, data: Any) -> bool:
        """Repeat values that are equal by accident; refer to containers that are the same."""
        return not isinstance(data, (dict, list, Tagged))


def _refuse(_: yaml.Dumper, value: Any) -> Any:
    raise NotPlain(type(value).__name__)


def _scalar(dumper: yaml.Dumper, value: Any) -> Any:
    return dumper.represent_data(value.item())


def _array(dumper: Dumper, value: np.ndarray) -> Any:
    if value.size > dumper.largest or value.dtype.kind not in "iufbUS" or type(value) is not np.ndarray:
        raise NotPlain("a large or structured array")
    name: Any = "bool8" if value.dtype.kind == "b" else value.dtype.name
    if value.dtype.kind in "US":
        word, width = ("ucs4", 4) if value.dtype.kind == "U" else ("ascii", 1)
        name, value = [word, value.dtype.itemsize // width], value.astype(str)
    node = {"data": value.tolist(), "datatype": name, "shape": list(value.shape)}
    return dumper.represent_mapping(NDARRAY, node)


def _tagged_node(dumper: yaml.Dumper, value: Tagged) -> Any:
    if isinstance(value.value, dict):
        return dumper.represent_mapping(value.tag, value.value)
    if isinstance(value.value, list):
        return dumper.represent_sequence(value.tag, value.value)
    return dumper.represent_scalar(value.tag, str(value.value))


Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(list(value)))
Dumper.add_representer(Tagged, _tagged_node)
Dumper.add_representer(np.ndarray, _array)
Dumper.add_multi_representer(np.generic, _scalar)
Dumper.add_multi_representer(object, _refuse)


class _WholeDumper(Dumper):
    """Writes large arrays too, as text: for what is read again at once."""

    largest = math.inf


def write(tree: Tree, dumper: type[Dumper] = Dumper) -> bytes:
    """Return an ASDF file that holds a tree.

    Raises
    ------
    NotPlain
        If there is anything in it that must be written by the library.
    """
    text: bytes = yaml.dump(
        tree, Dumper=dumper, sort_keys=False, allow_unicode=True, width=100, encoding="utf-8"
    )
    return _START + text + _END


# Reading


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    blocks: list[memoryview]


def _mapping(loader: yaml.SafeLoader, node: yaml.Node) -> Iterator[Tree]:
    """Construct a mapping in two steps: what is in it may refer to itself."""
    made: Tree = {}
    yield made
    made.update({str(key): value for key, value in loader.construct_mapping(node).items()})  # type: ignore[arg-type]


def _ordered(loader: yaml.SafeLoader, node: yaml.Node) -> Iterator[Tree]:
    """Construct a mapping that is written as a list of pairs."""
    made: Tree = {}
    yield made
    for pair in node.value:
        made.update({str(key): value for key, value in loader.construct_mapping(pair).items()})


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Iterator[Tagged]:
    made = Tagged(node.tag)
    yield made
    if isinstance(node, yaml.MappingNode):
        made.value = loader.construct_mapping(node)
    elif isinstance(node, yaml.SequenceNode):
        made.value = loader.construct_sequence(node)
    else:
        made.value = loader.construct_scalar(node)  # type: ignore[arg-type]


def _core(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if suffix.startswith("ndarray-"):
        return _array_of(loader, node)
    plain = suffix.startswith(("asdf-", "software-", "history_entry-", "extension_metadata-"))
    return _mapping(loader, node) if plain else _tagged(loader, suffix, node)


def _array_of(loader: Any, node: yaml.Node) -> np.ndarray | None:
    """Return an array; None for one that lives in an HDU (the headers have told of it)."""
    if not isinstance(node, yaml.MappingNode):
        raise NotPlain("an array without description")
    entries = loader.construct_mapping(node, deep=True)
    source, kind = entries.get("source"), entries.get("datatype", "float64")
    if isinstance(source, str) and source.startswith("fits:"):
        return None
    extras = set(entries) - {"source", "data", "datatype", "byteorder", "shape"}
    if extras or kind == "ucs4":
        raise NotPlain("an array of another layout")
    dtype = _dtype_of(kind)
    if "data" in entries:
        return np.array(entries["data"], dtype)
    if not (isinstance(source, int) and 0 <= source < len(loader.blocks)):
        raise NotPlain("an array in another file")
    stored = dtype.newbyteorder(">" if entries.get("byteorder") == "big" else "<")
    shape = tuple(entries["shape"])
    values = np.frombuffer(loader.blocks[source], stored, int(np.prod(shape)))
    return values.reshape(shape).astype(dtype)


_Loader.add_constructor("tag:yaml.org,2002:omap", _ordered)
# The first that fits is taken.
_Loader.add_multi_constructor(CORE, _core)
_Loader.add_multi_constructor("tag:", _tagged)
_Loader.add_multi_constructor("!", _tagged)
for _kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp"):
    _known = f"tag:yaml.org,2002:{_kind}"
    _Loader.add_constructor(_known, yaml.SafeLoader.yaml_constructors[_known])


def read(content: bytes) -> Tree:
    """Return the tree of an ASDF file; values of other libraries are `Tagged`.

    Raises
    ------
    NotPlain
        If only the library can read it: compressed or streamed blocks, arrays in other files.
    yaml.YAMLError
        If it is no YAML.
    """
    end = content.find(b"\n...")
    loader = _Loader(content if end < 0 else content[: end + 1])
    try:
        loader.blocks = [] if end < 0 else _blocks(content, end)
        tree: Tree = loader.get_single_data() or {}
    finally:
        loader.dispose()
    return tree


def _dtype_of(kind: Any) -> np.dtype[Any]:
    """Return the type that a datatype names: a word, or for text a word and a length."""
    if isinstance(kind, str):
        return np.dtype(bool if kind == "bool8" else kind)
    word, length = kind if isinstance(kind, list) and len(kind) == 2 else (None, None)
    if word not in ("ucs4", "ascii") or not isinstance(length, int):
        raise NotPlain("an array of another type")
    return np.dtype(f"{'U' if word == 'ucs4' else 'S'}{length}")


def table_array(table: Tagged) -> np.ndarray:
    """Return a table of astropy as a structured array.

    Raises
    ------
    NotPlain
        If it has columns with units, masks, or of more than one dimension.
    """
    if table.kind != "table" or not isinstance(table.value, dict):
        raise NotPlain(table.tag)
    columns = {}
    for column in table.value["columns"]:
        value = column.value if isinstance(column, Tagged) and column.kind == "column" else {}
        data = value.get("data")
        plain = set(value) <= {"data", "name", "description", "meta"}
        if not plain or not isinstance(data, np.ndarray) or data.ndim != 1:
            raise NotPlain("a column of another layout")
        columns[value["name"]] = data.astype(str) if data.dtype.kind == "S" else data
    rows = len(next(iter(columns.values()), ()))
    array = np.zeros(rows, [(name, data.dtype) for name, data in columns.items()])
    for name, data in columns.items():
        array[name] = data
    return array


def _blocks(content: bytes, start: int) -> list[memoryview]:
    """Return the binary blocks that follow the tree."""
    blocks = []
    position = content.find(_BLOCK, start)
    while position >= 0 and content[position : position + 4] == _BLOCK:
        (header,) = struct.unpack_from(">H", content, position + 4)
        flags, compression, allocated, used, _ = struct.unpack_from(">I4sQQQ", content, position + 6)
        if flags or compression.strip(b"\0"):
            raise NotPlain("a compressed or streamed block")
        begin = position + 6 + header
        if begin + used > len(content):
            raise NotPlain("a block is cut short")  # the library says it better
        blocks.append(memoryview(content)[begin : begin + used])
        position = begin + allocated
    return blocks
