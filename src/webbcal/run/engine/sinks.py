"""Where finished pieces of a product go: arrays in memory, or their place in the product's file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box

Array = NDArray[Any]
#: Attribute name -> (shape, type) of the arrays of a product.
Layout = Mapping[str, tuple[tuple[int, ...], Any]]
#: Attribute name -> index of a piece on the axes before rows and columns; all of them where it is left out.
Leading = Mapping[str, tuple[slice, ...]]


class Sink(Protocol):
    """Where pieces of a product go."""

    def put(self, interior: Box, arrays: Mapping[str, Array], leading: Leading | None = None) -> None:
        """Take a piece (thread-safe)."""

    def finish(self, model: Any) -> Any:
        """Complete the product with this metadata carrier; return the finished model."""

    def abort(self) -> None:
        """Drop everything, leaving nothing behind."""


class MemorySink:
    """Collects pieces into arrays of a model.

    Parameters
    ----------
    frame : Box
        Rows and columns of the product.
    layout : mapping, optional
        Its arrays; those that are not named have the leading axes of their first piece.
    """

    def __init__(self, frame: Box, layout: Layout | None = None) -> None:
        self._frame, self._layout = frame, dict(layout or {})
        self.arrays: dict[str, Array] = {}
        self._lock = threading.Lock()

    def put(self, interior: Box, arrays: Mapping[str, Array], leading: Leading | None = None) -> None:
        """Copy a piece to its place."""
        for name, array in arrays.items():
            index = (leading or {}).get(name, (...,))
            self._target(name, array)[(*index, *interior.slices)] = array

    def _target(self, name: str, like: Array) -> Array:
        with self._lock:
            if name not in self.arrays:
                shape = (*like.shape[:-2], *self._frame.shape)
                self.arrays[name] = np.empty(*self._layout.get(name, (shape, like.dtype)))
            return self.arrays[name]

    def finish(self, model: Any) -> Any:
        """Give the arrays to the model."""
        for name, array in self.arrays.items():
            setattr(model, name, array)
        return model

    def abort(self) -> None:
        """Forget the arrays."""
        self.arrays.clear()


class FileSink:
    """Streams pieces to the product's file, so that memory does not grow with the exposure."""

    def __init__(self, path: str, model: Any, layout: Layout) -> None:
        from webbcal.datamodels.product_writer import ProductWriter

        self._path = path
        self._names = set(layout)
        self._writer = ProductWriter(path, model, arrays=dict(layout))

    def put(self, interior: Box, arrays: Mapping[str, Array], leading: Leading | None = None) -> None:
        """Write a piece to its place."""
        for name, array in arrays.items():
            if name in self._names:
                all_of_them = (slice(None),) * (array.ndim - 2)
                index = (leading or {}).get(name, all_of_them)
                self._writer.write(name, array, *index, *interior.slices)

    def finish(self, model: Any) -> Any:
        """Write headers, tables and the ASDF extension; rename; return the product, opened lazily."""
        self._writer.commit(model)
        return type(model)(self._path)

    def lend(self, model: Any) -> Any:
        """Return the product, reading its arrays from the file, which is finished when it is saved there."""
        self._writer.lend(model)
        return model

    def abort(self) -> None:
        """Remove the temporary file."""
        self._writer.abort()
