"""ASDF as the text that it is: a YAML tree, in which values of other libraries are kept as they stand.

An ASDF file is YAML with tags, and blocks of binary arrays behind it. Plain values and small arrays are read
and written here, in milliseconds. A value with a tag that is not of the ASDF core (a transform, a WCS, a
unit) becomes a `Tagged`: it can be passed on, written again, and looked into; `Tagged.resolve` makes the
object of it, by the `asdf` library and its extensions, which take about a second to load.

Source: the ASDF Standard, https://asdf-standard.readthedocs.io (file layout, core schemas).
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from webbcal.core.sharing import check_size
from webbcal.io import yaml_reader, yaml_writer
from webbcal.io.asdf_library import new_file, open_file
from webbcal.io.missing_library import MissingLibrary
from webbcal.io.yaml_writer import NotPlain

Tree = dict[str, Any]

CORE = "tag:stsci.edu:asdf/core/"
NDARRAY = f"{CORE}ndarray-1.1.0"
_START = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"
_END = b"...\n"
_BLOCK = b"\xd3BLK"
#: What may be a reference of YAML to what is there already.
_REFERENCE = re.compile(rb"\*\w")
#: Arrays of more numbers are not written as text.
LARGEST_INLINE = 1000


class Tagged:
    """A value of another library, as it stands in an ASDF file.

    It never changes, so that models (and slits of a model) share what is the same.

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

    def __deepcopy__(self, memo: dict[int, Any]) -> Tagged:
        return self

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
        made = read_by_library(write({"value": self}))["value"]
        if hasattr(made, "_tag"):  # a tagged dictionary, list or text
            raise MissingLibrary(self.tag, _tags(self, set()), made)
        return made


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
    """Return an object of another library (or a list of them) as it would stand in a file.

    The opposite of `Tagged.resolve`.
    """
    buffer = io.BytesIO()
    new_file({"value": value}).write_to(buffer)
    return read(buffer.getvalue())["value"]


def read_by_library(content: bytes, follow: Callable[[str], Any] = lambda source: None) -> Tree:
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
            return follow(source)
        return np.array(value) if isinstance(value, NDArrayType) else value

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdf.exceptions.AsdfWarning)
        with open_file(io.BytesIO(content)) as file:
            tree = dict(walk_and_modify(file.tree, convert))
    check_size(tree)
    return tree


# Writing


def write(tree: Tree) -> bytes:
    """Return an ASDF file that holds a tree; arrays of many numbers are in blocks behind the text.

    Raises
    ------
    NotPlain
        If there is anything in it that must be written by the library.
    """
    blocks: dict[int, np.ndarray] = {}

    def described(array: np.ndarray) -> Tagged:
        if array.dtype.kind not in "iufbUS" or type(array) is not np.ndarray:
            raise NotPlain("a structured array")
        name: Any = "bool8" if array.dtype.kind == "b" else array.dtype.name
        if array.size > LARGEST_INLINE and array.dtype.kind in "iufb":
            # Of arrays that are shared there is one block.
            stored = blocks.setdefault(id(array), array)
            entry = {"source": list(blocks).index(id(stored)), "datatype": name, "byteorder": "little"}
            return Tagged(NDARRAY, entry | {"shape": list(array.shape)})
        if array.dtype.kind in "US":
            word, width = ("ucs4", 4) if array.dtype.kind == "U" else ("ascii", 1)
            name, array = [word, array.dtype.itemsize // width], array.astype(str)
        return Tagged(NDARRAY, {"data": array.tolist(), "datatype": name, "shape": list(array.shape)})

    text = yaml_writer.dump(tree, described).encode()
    return b"".join((_START, text, _END, *map(_block, blocks.values())))


def _block(array: np.ndarray) -> bytes:
    """Return a block of an array: little-endian, without a checksum."""
    content = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False).tobytes()
    size = len(content)
    header = struct.pack(">I4sQQQ16s", 0, b"", size, size, size, b"")
    return _BLOCK + struct.pack(">H", len(header)) + header + content


# Reading

#: What the core schemas say is no more than a mapping.
_MAPPINGS = tuple(f"{CORE}{kind}-" for kind in ("asdf", "software", "history_entry", "extension_metadata"))


def read(content: bytes, follow: Callable[[str], Any] = lambda source: None) -> Tree:
    """Return the tree of an ASDF file; values of other libraries are `Tagged`.

    Parameters
    ----------
    content : bytes
        The file.
    follow : function
        Returns what stands for an array that lives in an HDU (``fits:SCI,1``).

    Raises
    ------
    NotPlain
        If only the library can read it: compressed or streamed blocks, arrays in other files.
    yaml.YAMLError
        If it is no YAML.
    InputError
        If the tree has no end, or is too large (`check_size`).
    """
    end = content.find(b"\n...")
    blocks = [] if end < 0 else _blocks(content, end)

    def begin(tag: str, value: Any) -> Any:
        return value if tag.startswith(_MAPPINGS) else Tagged(tag, value)

    def finish(made: Any) -> Any:
        is_array = type(made) is Tagged and made.tag.startswith(f"{CORE}ndarray-")
        return _array_of(made.value, blocks, follow) if is_array else made

    text = content if end < 0 else content[: end + 1]
    tree: Tree = yaml_reader.load(text, begin, finish) or {}
    if _REFERENCE.search(text):
        check_size(tree, Tagged)
    return tree


def _array_of(entries: Any, blocks: list[memoryview], follow: Callable[[str], Any]) -> Any:
    """Return an array."""
    if not isinstance(entries, dict):
        raise NotPlain("an array without description")
    source, kind = entries.get("source"), entries.get("datatype", "float64")
    if isinstance(source, str) and source.startswith("fits:"):
        return follow(source)
    extras = set(entries) - {"source", "data", "datatype", "byteorder", "shape", "offset", "strides"}
    if extras or kind == "ucs4":
        raise NotPlain("an array of another layout")
    stored = _dtype_of(kind, str(entries.get("byteorder")))
    dtype = stored.newbyteorder("=")
    if "data" in entries:
        if stored.names:
            raise NotPlain("a table written as text")
        array = np.array(entries["data"], dtype)
        return array.reshape(entries.get("shape", array.shape))
    if not (isinstance(source, int) and 0 <= source < len(blocks)):
        raise NotPlain("an array in another file")
    shape, strides = tuple(entries["shape"]), entries.get("strides")
    if "*" in shape:
        raise NotPlain("an array that is as long as its block")
    try:
        view = np.ndarray(shape, stored, blocks[source], entries.get("offset", 0), strides)
    except (TypeError, ValueError) as error:  # the library says it better
        raise NotPlain(str(error)) from error
    return view.astype(dtype)


def _dtype_of(kind: Any, order: str) -> np.dtype[Any]:
    """Return the type that a datatype names: a word, for text a word and a length, for a table its fields."""
    if isinstance(kind, str):
        return np.dtype(bool if kind == "bool8" else kind).newbyteorder(">" if order == "big" else "<")
    if isinstance(kind, list) and kind and all(isinstance(field, dict) and "name" in field for field in kind):
        return np.dtype([_field_of(field, order) for field in kind])
    word, length = kind if isinstance(kind, list) and len(kind) == 2 else (None, None)
    if word not in ("ucs4", "ascii") or not isinstance(length, int):
        raise NotPlain("an array of another type")
    return np.dtype(f"{'U' if word == 'ucs4' else 'S'}{length}").newbyteorder(">" if order == "big" else "<")


def _field_of(field: Tree, order: str) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    """Return a field of a table: its name, type, and the shape of a cell."""
    dtype = _dtype_of(field.get("datatype", "float64"), str(field.get("byteorder", order)))
    return str(field["name"]), dtype, tuple(field.get("shape", ()))


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
