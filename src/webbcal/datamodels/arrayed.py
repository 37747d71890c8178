"""What has arrays: a model, or an item of a list of slits, spectra or exposures in a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.datamodels.cast import from_file
from webbcal.datamodels.contents import Tree
from webbcal.datamodels.table import Schema, is_array
from webbcal.io.arrays import ArraySource, MemoryArray, ShiftedArray, in_file


def holds_arrays(schema: Schema) -> bool:
    """Tell whether a schema declares arrays as direct members."""
    return any(is_array(member) for member in schema.get("properties", {}).values())


class Arrayed:
    """Arrays by name, read when they are touched, or by region."""

    _tree: Tree
    _schema: Schema

    def get_primary_array_name(self) -> str:
        """Return the name of the array that sets the shape, or an empty string."""
        members = self._schema.get("properties", {})
        if "data" in members:
            return "data"
        return next((name for name, member in members.items() if is_array(member)), "")

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the primary array, or None; nothing is read."""
        value = self._tree.get(self.get_primary_array_name())
        return None if value is None or not hasattr(value, "shape") else tuple(value.shape)

    @property
    def corner(self) -> tuple[int, int] | None:
        """First row and column (0-based) of a slit in the array of its exposure; None if it is no slit."""
        if "xstart" not in self._schema.get("properties", {}):
            return None
        start = self._tree.get("ystart"), self._tree.get("xstart")
        return None if start[0] is None or start[1] is None else (int(start[0]) - 1, int(start[1]) - 1)

    def has(self, name: str) -> bool:
        """Tell whether an array (or other member) is set or in the file; nothing is read or made."""
        return self._tree.get(name) is not None

    def source(self, name: str) -> ArraySource | None:
        """Return an array to read by region, without loading it, or None if it is absent.

        An array that is still in the file has the type it has there (for example uint16), not the
        declared one.
        """
        value = self._tree.get(name)
        if value is None or in_file(value):
            return value
        return MemoryArray(np.asarray(value))

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return some rows of a table as it is declared; one that is still in the file stays there."""
        value = self._tree[name]
        if not in_file(value):
            return np.asanyarray(value[start:stop])
        schema = self._schema.get("properties", {}).get(name, {})
        return from_file(value.read(slice(start, stop)), schema, name)

    def shift(self, name: str, amount: float) -> None:
        """Add a number to an array: now, or if it is still in its file, whenever it is read."""
        value = self._tree[name]
        if in_file(value):
            self._tree[name] = ShiftedArray(value, amount)
        else:
            value += value.dtype.type(amount)

    def getarray_noinit(self, name: str) -> Any:
        """Return an array that is set or in the file.

        Raises
        ------
        AttributeError
            If it is neither.
        """
        if name not in self._tree:
            raise AttributeError(f"no attribute '{name}'")
        return getattr(self, name)
