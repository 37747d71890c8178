"""Opening files: the headers of a FITS file, or the tree of an ASDF file; no data are read."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.io import asdf_text
from webbcal.io.asdf_text import Tree
from webbcal.io.file_handle import FileHandle, Handle, MemoryHandle
from webbcal.io.fits_reader import Hdu, hdus_in_memory, kind_of, kind_of_bytes, read_hdus


@dataclass
class OpenedFile:
    """A file whose headers (or, for ASDF, tree) are read, and no more.

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
            name = self.tree.get("meta", {}).get("model_type")
            return str(name) if isinstance(name, str) else None
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
        return _opened(name, path, FileHandle(path))
    if kind in ("fits", "gzip"):
        content = _content(init, name, kind)
        if kind_of_bytes(content[:64]) == "asdf":
            return OpenedFile(name, path, tree=tree_of_asdf(io.BytesIO(content), name))
        return _opened(name, path, MemoryHandle(content, name))
    if kind == "asdf":
        return OpenedFile(name, path, tree=tree_of_asdf(init, name))
    raise InputError(f"{name}: {_advice(kind)}")


def _opened(name: str, path: Path | None, handle: Handle) -> OpenedFile:
    try:
        return OpenedFile(name, path, read_hdus(handle), None, [handle])
    except BaseException:
        handle.close()
        raise


def _content(init: Any, name: str, kind: str) -> bytes:
    """Return the bytes of a file that is not on disk as it is."""
    content = _all_of(init)
    if kind != "gzip":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name}: cannot be decompressed ({error}); fetch it again") from error


def _all_of(init: Any) -> bytes:
    """Return the bytes of a file, or of a file object from where it stands, which it is left at."""
    if isinstance(init, (str, os.PathLike)):
        return Path(init).read_bytes()
    content: bytes = init.read()
    init.seek(-len(content), os.SEEK_CUR)
    return content


def tree_of_asdf(init: Any, name: str) -> Tree:
    """Return the tree of an ASDF file (path or file object); objects of other libraries are `Tagged`.

    Raises
    ------
    InputError
        If it cannot be read; `name` is what the message calls it.
    """
    content = _all_of(init)
    try:
        tree = asdf_text.read(content)
    except InputError as error:
        raise InputError(f"{name}: cannot be read as ASDF ({error}); make the file again") from error
    except Exception:  # not plain, or damaged: the library says it better
        tree = _tree_by_library(content, name)
    if not isinstance(tree, dict) or not isinstance(tree.get("meta", {}), dict):
        raise InputError(
            f"{name}: cannot be read as ASDF (its tree, or meta in it, is no mapping); fetch it again"
        )
    tree.pop("asdf_library", None)
    return tree


def _tree_by_library(content: bytes, name: str) -> Tree:
    try:
        return asdf_text.read_by_library(content)
    except Exception as error:  # asdf and its extensions raise whatever their parts raise
        raise InputError(f"{name}: cannot be read as ASDF ({error}); fetch it again") from error


def _open_hdulist(hdulist: Any) -> OpenedFile:
    filename = hdulist.filename()
    path = Path(filename) if filename else None
    return OpenedFile(filename or "HDUList", path, list(hdus_in_memory(hdulist)))


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
