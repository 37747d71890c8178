"""From a file to the contents of a model: headers and ASDF to the tree, HDUs to array sources."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from webbcal.core.errors import InputError
from webbcal.datamodels.cast import as_declared, check_dimensions
from webbcal.datamodels.contents import Contents, Tree
from webbcal.datamodels.schema import fits_index
from webbcal.datamodels.table import Leaf
from webbcal.io import asdf_extension, asdf_text
from webbcal.io.arrays import FileHandle
from webbcal.io.fits_reader import FitsTable, Hdu, hdus_in_memory, kind_of, kind_of_bytes, read_hdus

if TYPE_CHECKING:
    from webbcal.datamodels.model import DataModel

#: Keywords that say how an HDU is stored; they are written anew with the data. (Checksums would be stale.)
STRUCTURAL = re.compile(
    "NAXIS[0-9]{0,3}|BITPIX|XTENSION|PCOUNT|GCOUNT|EXTEND|BSCALE|BZERO|BLANK|DATAMAX|DATAMIN|EXTNAME|EXTVER"
    "|EXTLEVEL|GROUPS|PYTPE[0-9]|PSCAL[0-9]|PZERO[0-9]|SIMPLE|TFIELDS|THEAP|CHECKSUM|DATASUM|HISTORY|"
    "|(TBCOL|TDIM|TFORM|TTYPE|TUNIT|TSCAL|TZERO|TNULL|TDISP)[0-9]{1,3}"
)


@dataclass
class OpenedFile:
    """A file whose headers (or, for ASDF, tree) are read, but not yet for a model class.

    Attributes
    ----------
    name : str
        The file, for messages.
    path : Path or None
        Where it is, if it was given by path.
    hdus : list of Hdu
        The HDUs of a FITS file.
    tree : dict or None
        The tree of an ASDF file.
    files : list
        Things to close.
    """

    name: str
    path: Path | None = None
    hdus: list[Hdu] = field(default_factory=list)
    tree: Tree | None = None
    files: list[Any] = field(default_factory=list)

    @property
    def model_type(self) -> str | None:
        """The class that the file says it is, or None."""
        if self.tree is not None:
            return self.tree.get("meta", {}).get("model_type")
        return self.keyword("DATAMODL")

    def keyword(self, name: str) -> str | None:
        """Return a text keyword of the primary header, or None."""
        value = self.hdus[0].header.get(name) if self.hdus else None
        return value if isinstance(value, str) else None


def open_file(init: Any) -> OpenedFile:
    """Read the headers of a FITS file or the tree of an ASDF file.

    Parameters
    ----------
    init : path, file object, HDUList or AsdfFile
        The file.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another kind.
    """
    if hasattr(init, "fileinfo"):
        return _open_hdulist(init)
    if hasattr(init, "tree"):
        return OpenedFile("AsdfFile", tree=_asdf_tree(init))
    is_path = isinstance(init, (str, os.PathLike))
    path = Path(init) if is_path else None
    kind = kind_of(init) if is_path else kind_of_bytes(_peek(init))
    name = str(init) if is_path else str(getattr(init, "name", "file object"))
    if kind == "fits" and path is not None:
        handle = FileHandle(path)
        return OpenedFile(name, path, read_hdus(handle), None, [handle])
    if kind in ("fits", "gzip"):
        from astropy.io import fits

        try:
            with fits.open(init, memmap=False) as hdus:
                return OpenedFile(name, path, list(hdus_in_memory(hdus)))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{name}: cannot be read as FITS ({error}); fetch it again") from error
    if kind == "asdf":
        return OpenedFile(name, path, tree=tree_of_asdf(init, name))
    raise InputError(f"{name}: {_advice(kind)}")


def tree_of_asdf(init: Any, name: str) -> Tree:
    """Return the tree of an ASDF file (path or file object); objects of other libraries are `Tagged`.

    Raises
    ------
    InputError
        If it cannot be read; `name` is what the message calls it.
    """
    content = Path(init).read_bytes() if isinstance(init, (str, os.PathLike)) else init.read()
    try:
        tree = asdf_text.read(content)
    except (asdf_text.NotPlain, yaml.YAMLError):
        tree = _tree_by_library(content, name)
    tree.pop("asdf_library", None)
    return tree


def _tree_by_library(content: bytes, name: str) -> Tree:
    import asdf

    try:
        return asdf_text.read_by_library(content)
    except (OSError, ValueError, TypeError, yaml.YAMLError, asdf.ValidationError) as error:
        raise InputError(f"{name}: cannot be read as ASDF ({error}); fetch it again") from error


def _open_hdulist(hdulist: Any) -> OpenedFile:
    filename = hdulist.filename()
    path = Path(filename) if filename else None
    return OpenedFile(filename or "HDUList", path, list(hdus_in_memory(hdulist)))


def contents_of(file: OpenedFile, model: DataModel) -> Contents:
    """Return the contents of an opened file for a model.

    Raises
    ------
    InputError
        If its arrays do not fit the class of the model.
    """
    if file.tree is None:
        contents = _contents(file.hdus, model, file.name, file.files)
    else:
        tree = dict(file.tree)
        history = tree.pop("history", None) or {}
        entries = history if isinstance(history, list) else history.get("entries", [])
        contents = Contents(tree, file.name, history=[dict(entry) for entry in entries])
    if file.path is not None:
        contents.tree.setdefault("meta", {})["filename"] = file.path.name
    return contents


def _advice(kind: str) -> str:
    if kind == "json":
        return "is JSON text; an association is opened by webbcal.associations, not as a data model"
    return "does not begin as a FITS or ASDF file does; give such a file"


def _peek(file: Any) -> bytes:
    start = file.read(64)
    file.seek(-len(start), os.SEEK_CUR)
    return bytes(start)


def _asdf_tree(file: Any) -> Tree:
    """Return the tree of an open ASDF file, with its arrays in memory."""
    from asdf.tags.core import NDArrayType
    from asdf.treeutil import walk_and_modify

    tree = dict(walk_and_modify(file.tree, lambda v: np.array(v) if isinstance(v, NDArrayType) else v))
    tree.pop("asdf_library", None)
    return tree


def _contents(hdus: list[Hdu], model: DataModel, name: str, files: list[Any]) -> Contents:
    tree: Tree = {}
    history: list[Tree] = []
    asdf = None
    seen: set[tuple[str, int]] = set()
    _declare_header_table(hdus, model)
    for hdu in hdus:
        if hdu.name == "ASDF" and hdu.data is not None:
            asdf = _asdf_loader(hdu, name)
            continue
        _take_hdu(hdu, model, tree, name, again=(hdu.name, hdu.version) in seen)
        seen.add((hdu.name, hdu.version))
    if "HISTORY" in hdus[0].header:
        history = [{"description": card.value} for card in hdus[0].header.cards if card.keyword == "HISTORY"]
    return Contents(tree, name, asdf if model._with_asdf else None, files, history)


def _declare_header_table(hdus: list[Hdu], model: DataModel) -> None:
    """Declare the table of keywords of all exposures, which products of several have beyond their class."""
    table = next((hdu.data for hdu in hdus if hdu.name == "HDRTAB" and isinstance(hdu.data, FitsTable)), None)
    if table is not None and "HDRTAB" not in fits_index(model._schema).arrays:
        columns = asdf_extension.datatype_of(table.dtype)
        model.add_schema_entry("hdrtab", {"fits_hdu": "HDRTAB", "datatype": columns})


def _asdf_loader(hdu: Hdu, name: str) -> Any:
    data = hdu.data

    def load() -> Tree:
        content = data.raw() if isinstance(data, FitsTable) else np.ascontiguousarray(data).tobytes()
        try:
            tree = asdf_extension.read_tree(content)
        except Exception as error:
            raise InputError(f"{name}: the ASDF extension cannot be read ({error})") from error
        tree.pop("history", None)  # the HISTORY cards of the primary header count
        return tree

    return load


def _take_hdu(hdu: Hdu, model: DataModel, tree: Tree, name: str, again: bool) -> None:
    """Put the keywords and the data of an HDU in their places; what has no place goes to extra_fits."""
    index = fits_index(model._schema)
    unknown = _take_keywords(hdu, index.keywords.get(hdu.name, {}), model, tree)
    leaf = index.arrays.get(hdu.name)
    known = leaf is not None and not again and (hdu.version == 1 or "[]" in leaf.path)
    if leaf is not None and known and hdu.data is not None:
        where = f"{name}: {hdu.name}"
        check_dimensions(len(hdu.data.shape), leaf.schema, where)
        data = hdu.data
        if isinstance(data, np.ndarray):
            data = as_declared(data, leaf.schema, where)
        put(tree, leaf, hdu.version, data)
    extra: Tree = {"header": unknown} if unknown else {}
    if hdu.data is not None and not known:
        extra["data"] = hdu.data
    if extra:
        key = hdu.name if hdu.version == 1 and not again else f"{hdu.name},{hdu.version}"
        tree.setdefault("extra_fits", {})[key] = extra


def _take_keywords(hdu: Hdu, known: dict[str, Leaf], model: DataModel, tree: Tree) -> list[list[Any]]:
    unknown: list[list[Any]] = []
    for card in hdu.header.cards:
        keyword = card.keyword
        leaf = known.get(keyword)
        if leaf is not None and ("[]" in leaf.path or hdu.version == 1):
            value = card.value
            if value is not None and model._accepts(value, leaf.schema, ".".join(leaf.path)):
                put(tree, leaf, hdu.version, value)
        elif not STRUCTURAL.fullmatch(keyword):
            unknown.append([keyword, card.value, card.comment])
    return unknown


def put(tree: Any, leaf: Leaf, version: int, value: Any) -> None:
    """Put a value at the place of a leaf; in a list, at the number that the HDU version gives."""
    node = tree
    for part, following in zip(leaf.path, (*leaf.path[1:], None), strict=True):
        key: Any = version - 1 if part == "[]" else part
        if part == "[]":
            node.extend({} for _ in range(version - len(node)))
        if following is None:
            node[key] = value
        elif part == "[]":
            node = node[key]
        else:
            node = node.setdefault(key, [] if following == "[]" else {})
