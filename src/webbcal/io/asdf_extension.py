"""The ASDF extension: a table of one cell that holds an ASDF file with the full tree of the model.

Arrays of the tree that live in HDUs stand there as references (``source: fits:SCI,1``). Nearly all trees
hold only plain values and such references; these are written and read here as the YAML that they are,
which takes milliseconds. A tree with anything else (a WCS, an array without an HDU) goes through the `asdf`
library, which takes about a second to find its extensions.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import yaml

from webbcal import __version__

Tree = dict[str, Any]

_TAG = "tag:stsci.edu:asdf/core/"
_NDARRAY = f"{_TAG}ndarray-1.1.0"
_START = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"
_END = b"...\n"


class NotPlain(Exception):
    """The tree needs the asdf library."""


class HduReference:
    """An array of the tree that lives in an HDU."""

    def __init__(self, name: str, version: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.node = {
            "source": f"fits:{name},{version}",
            "datatype": datatype_of(dtype),
            "byteorder": "big",
            "shape": list(shape),
        }


def datatype_of(dtype: np.dtype[Any]) -> Any:
    """Return a numpy type as ASDF names it."""
    if dtype.names is not None:
        return [_field(name, dtype[name]) for name in dtype.names]
    if dtype.kind in "SU":
        return ["ascii", max(1, dtype.itemsize // (4 if dtype.kind == "U" else 1))]
    return "bool8" if dtype.kind == "b" else dtype.name


def _field(name: str, dtype: np.dtype[Any]) -> Tree:
    field: Tree = {"byteorder": "big", "datatype": datatype_of(dtype.base), "name": name}
    return field | ({"shape": list(dtype.shape)} if dtype.shape else {})


# Writing


class _Dumper(yaml.CSafeDumper if hasattr(yaml, "CSafeDumper") else yaml.SafeDumper):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return not isinstance(data, (dict, list))


def _refuse(_: yaml.Dumper, value: Any) -> Any:
    raise NotPlain(type(value).__name__)


def _scalar(dumper: yaml.Dumper, value: Any) -> Any:
    return dumper.represent_data(value.item())


_Dumper.add_representer(HduReference, lambda dumper, ref: dumper.represent_mapping(_NDARRAY, ref.node))
_Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(list(value)))
_Dumper.add_multi_representer(np.generic, _scalar)
_Dumper.add_multi_representer(object, _refuse)


class _Tagged(dict[str, Any]):
    """A mapping written with a tag of the ASDF core."""

    tag = ""


class _Software(_Tagged):
    tag = f"{_TAG}software-1.0.0"


class _HistoryEntry(_Tagged):
    tag = f"{_TAG}history_entry-1.0.0"


_Dumper.add_multi_representer(_Tagged, lambda dumper, value: dumper.represent_mapping(value.tag, dict(value)))


def write_tree(tree: Tree, history: list[Tree]) -> bytes:
    """Return an ASDF file that holds the tree and the history entries."""
    try:
        return _write_plain(tree, history)
    except NotPlain:
        return _write_with_asdf(tree, history)


def _write_plain(tree: Tree, history: list[Tree]) -> bytes:
    if any(set(entry) - {"description", "time"} for entry in history):
        raise NotPlain("software in the history")
    home = "https://asdf-standard.readthedocs.io"
    whole: Tree = {
        "asdf_library": _Software(author="webbcal", homepage=home, name="webbcal", version=__version__),
        "history": {"extensions": [], "entries": [_HistoryEntry(entry) for entry in history]},
    }
    text = yaml.dump(
        whole | tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, encoding="utf-8"
    )
    return _START + text + _END


def _write_with_asdf(tree: Tree, history: list[Tree]) -> bytes:
    import asdf
    from asdf.tagged import TaggedDict
    from asdf.treeutil import walk_and_modify

    def convert(value: Any) -> Any:
        if isinstance(value, HduReference):
            return TaggedDict(dict(value.node), _NDARRAY)
        if isinstance(value, np.recarray):
            return value.view(np.ndarray)
        return value.item() if isinstance(value, np.generic) else value

    file = asdf.AsdfFile()
    # The tree is valid by construction; assigning to `tree` would look for the HDU sources.
    file._tree = asdf.tags.core.AsdfObject(walk_and_modify(dict(tree), convert))
    for entry in history:
        file.add_history_entry(entry["description"], entry.get("software"))
    buffer = io.BytesIO()
    file.write_to(buffer)
    return buffer.getvalue()


# Reading


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    pass


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Tree:
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


def _reference(loader: yaml.SafeLoader, node: yaml.Node) -> None:
    """Leave out an array in an HDU (the headers have told of it); refuse any other."""
    source = _mapping(loader, node).get("source") if isinstance(node, yaml.MappingNode) else None
    if not (isinstance(source, str) and source.startswith("fits:")):
        raise NotPlain("an array within the ASDF file")


def _unknown(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    for known in ("asdf-", "software-", "history_entry-", "extension_metadata-"):
        if suffix.startswith(known) and isinstance(node, yaml.MappingNode):
            return _mapping(loader, node)
    if suffix.startswith("ndarray-"):
        return _reference(loader, node)
    raise NotPlain(suffix)


def _refuse_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    raise NotPlain(suffix)


_Loader.add_multi_constructor(_TAG, _unknown)
_Loader.add_multi_constructor("tag:", _refuse_tag)
_Loader.add_multi_constructor("!", _refuse_tag)
for _kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp"):
    _core = f"tag:yaml.org,2002:{_kind}"
    _Loader.add_constructor(_core, yaml.SafeLoader.yaml_constructors[_core])


def read_tree(content: bytes) -> Tree:
    """Return the tree of an ASDF file, without the arrays that live in HDUs (they are None there).

    History entries are under ``history``, as a list of dictionaries.
    """
    end = content.find(b"\n...")
    try:
        tree = yaml.load(content if end < 0 else content[: end + 1], Loader=_Loader)
    except (NotPlain, yaml.YAMLError):
        tree = _read_with_asdf(content)
    tree = tree or {}
    for internal in ("asdf_library", "_fits_hash", "extra_fits"):
        tree.pop(internal, None)
    history = tree.pop("history", None) or {}
    tree["history"] = history if isinstance(history, list) else history.get("entries", [])
    return without_none(tree)


def _read_with_asdf(content: bytes) -> Tree:
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
            tree: Tree = dict(walk_and_modify(file.tree, convert))
    return tree


def without_none(tree: Any) -> Any:
    """Return a tree without the members of dictionaries that are None."""
    if type(tree) is dict:
        return {key: without_none(value) for key, value in tree.items() if value is not None}
    if type(tree) is list:
        return [without_none(value) for value in tree]
    return tree


def plain_values(tree: Any, convert: Callable[[Any], Any]) -> Any:
    """Return a copy of a tree with every value that is no dictionary or list converted."""
    if isinstance(tree, dict):
        return {key: plain_values(value, convert) for key, value in tree.items()}
    if isinstance(tree, list):
        return [plain_values(value, convert) for value in tree]
    return tree.isoformat() if isinstance(tree, datetime.date) else convert(tree)
