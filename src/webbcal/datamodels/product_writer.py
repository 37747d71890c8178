"""Writing a product whose large arrays come piece by piece.

Between the last piece and `ProductWriter.commit` a model can read the streamed arrays back (`lend`): so what
follows from them can still go into the headers, and they need not be in memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from webbcal.core.errors import OutputError, WebbcalError
from webbcal.datamodels.contents import Contents, Tree
from webbcal.datamodels.layout import Streamed, asdf_hdu, needs_asdf, plan_hdus
from webbcal.datamodels.table import Schema
from webbcal.io.arrays import FitsArray
from webbcal.io.fits_writer import FitsWriter
from webbcal.io.hdus import PlannedHdu


class Product(Protocol):
    """What is written: a data model."""

    @property
    def schema(self) -> Schema:
        """The schema tree."""

    @property
    def contents(self) -> Contents:
        """The tree and the history."""

    @property
    def instance(self) -> Tree:
        """The whole tree, with all arrays read."""

    @property
    def with_asdf(self) -> bool:
        """Whether the file carries the full tree in an ASDF extension."""

    def on_save(self, path: Any = None) -> None:
        """Set the metadata that follow from saving."""


class ProductWriter:
    """Write a product whose large arrays are produced piece by piece.

    Parameters
    ----------
    path : path
        The file; its folder must exist.
    model : DataModel
        The product, for the keywords known so far. Arrays it holds are written at `commit`.
    arrays : dict
        The arrays that will be written by region: name to (shape, type).

    Raises
    ------
    OutputError
        If the folder is missing or not writable.
    """

    def __init__(self, path: str | os.PathLike[str], model: Product, arrays: Streamed | None = None) -> None:
        self.arrays = dict(arrays or {})
        self._model: Product | None = model
        self._lent: dict[str, FitsArray] = {}
        planned = plan_hdus(model.schema, model.contents, self.arrays) if self.arrays else []
        self._writer = FitsWriter(path, planned)

    def write(self, name: str, array: np.ndarray, *index: slice | int) -> None:
        """Write a region of a streamed array; see `FitsWriter.write`."""
        self._writer.write(name, array, *index)

    def lend(self, model: Product) -> None:
        """Let the product read the arrays, which are complete, from the unfinished file.

        Saving the product under the name that the file was made for finishes the file (`saving`). If
        nobody does, it goes with the product.
        """
        self._model = None  # or product and writer would hold each other
        handle, self._lent = self._writer.lend()
        model.contents.tree.update(self._lent)
        model.contents.files.append(handle)
        model.contents.unfinished = self

    def suits(self, model: Product, path: Path) -> bool:
        """Tell whether saving a model that arrays were lent to can be done by finishing the file."""
        values = {name: model.contents.tree.get(name) for name in self._lent}
        return (
            self._writer.is_open
            and path.absolute() == self._writer.path.absolute()
            and all(v is not None and v.shape == self._lent[name].shape for name, v in values.items())
        )

    def commit(self, model: Product | None = None) -> None:
        """Write headers, other arrays, tables and the ASDF extension, and give the file its name.

        Parameters
        ----------
        model : DataModel, optional
            The product with its final keywords; by default the one given first.

        Raises
        ------
        OutputError
            If the writing fails or a part of a streamed array was never written; the temporary file is
            removed.
        """
        model = self._model if model is None else model
        assert model is not None
        try:
            for name, source in self._lent.items():
                value = model.contents.tree[name]
                if value is not source:  # it was read, and may have been changed
                    self.write(name, value)
            model.contents.load_asdf()
            model.on_save(self._writer.path)
            planned = plan_hdus(model.schema, model.contents, self.arrays)
            if model.with_asdf or needs_asdf(planned):
                planned.append(self._tree_hdu(model, planned))
            self._writer.finish(planned)
        except BaseException:
            self.abort()
            raise

    def _tree_hdu(self, model: Product, planned: list[PlannedHdu]) -> PlannedHdu:
        try:
            return asdf_hdu(model.schema, model.contents, planned)
        except WebbcalError:
            raise
        except Exception as error:  # asdf and its extensions raise whatever their parts raise
            raise OutputError(f"{self._writer.path}: ASDF has no place for something: {error}") from error

    def abort(self) -> None:
        """Give up: remove the temporary file."""
        self._writer.abort()

    def __enter__(self) -> ProductWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._writer.is_open:
            self.abort()
