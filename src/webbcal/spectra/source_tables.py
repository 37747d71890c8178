"""Tables of many sources: a row for each, with vectors of its spectrum that are padded to one length.

A table can be made when it is wanted, of rows that lie elsewhere (`SourceTable`): a field has one for each
exposure, and no more than one of them needs to be in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal.io.arrays import region_of
from webbcal.io.records import TableRows
from webbcal.spectra.tables import table_of


class Row(Protocol):
    """The spectrum of one source; its vectors may lie elsewhere until they are wanted."""

    @property
    def size(self) -> int:
        """The number of wavelengths."""

    @property
    def values(self) -> Mapping[str, Any]:
        """By column: of the source."""

    def loaded(self) -> SourceRow:
        """Return it with its vectors in memory."""


@dataclass(frozen=True)
class SourceRow:
    """The spectrum of one source, as a row of a table of many.

    Attributes
    ----------
    vectors : dict
        By column: a value for each wavelength.
    values : dict
        By column: of the source.
    """

    vectors: Mapping[str, NDArray[Any]]
    values: Mapping[str, Any]

    @property
    def size(self) -> int:
        """The number of wavelengths."""
        return len(self.vectors["WAVELENGTH"])

    def loaded(self) -> SourceRow:
        """Return it as it is."""
        return self


#: What stands in tables of sources where there is nothing.
_NOTHING = {"SOURCE_ID": -999, "DQ": 1, "SOURCE_TYPE": ""}
#: Columns of whole numbers.
_WHOLE = {"SOURCE_ID": "int32", "DQ": "uint32", "N_ALONGDISP": "uint32"}
_WHOLE |= {f"EXTRACT2D_{axis}{end}": "uint32" for axis in "XY" for end in ("START", "STOP")}


def source_table(
    rows: Sequence[Row | None],
    names: Sequence[str],
    vectors: Sequence[str],
    units: Mapping[str, str | None],
    longest: int | None = None,
) -> TableRows:
    """Return a table with a row for each source; shorter spectra end with NaN.

    Parameters
    ----------
    rows : sequence of Row or None
        None for a row without anything.
    names : sequence of str
        All columns, in order.
    vectors : sequence of str
        Those with a value for each wavelength.
    units : mapping
        Of columns.
    longest : int, optional
        Length of the vectors; by default, of the longest.
    """
    length = longest_of(rows) if longest is None else longest
    loaded = [None if row is None else row.loaded() for row in rows]
    columns = {name: _column(loaded, name, length if name in vectors else None) for name in names}
    return table_of(columns, units)


def longest_of(rows: Sequence[Row | None]) -> int:
    """Return the number of wavelengths of the longest spectrum."""
    return max((row.size for row in rows if row is not None), default=0)


def _column(rows: Sequence[SourceRow | None], name: str, longest: int | None) -> NDArray[Any]:
    """Return a column: of values, or of vectors of a length."""
    shape = (len(rows),) if longest is None else (len(rows), longest)
    if name == "SOURCE_TYPE":
        column = np.full(shape, "", "U20")
    else:
        dtype = _WHOLE.get(name, "float64")
        column = np.full(shape, _NOTHING.get(name, 0 if name in _WHOLE else np.nan), dtype)
    for k, row in enumerate(rows):
        if row is None:
            continue
        if longest is not None:
            column[k, : row.size] = row.vectors[name]
        elif name == "N_ALONGDISP":
            column[k] = row.size
        elif (value := row.values.get(name)) is not None:
            column[k] = value
    return column


class SourceTable:
    """A table of sources that is made when it is read, as an `ArraySource`.

    Parameters
    ----------
    rows, names, vectors, units
        See `source_table`.
    finish : callable
        Makes of a table one as its model declares it.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        names: Sequence[str],
        vectors: Sequence[str],
        units: Mapping[str, str | None],
        finish: Callable[[TableRows], NDArray[Any]],
    ) -> None:
        self.rows, self._names, self._vectors, self._units = rows, names, vectors, units
        self._finish = finish
        self._longest = longest_of(rows)
        self.shape = (len(rows),)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of a row."""
        return self.read(slice(0, 1)).dtype

    def read(self, *index: slice | int) -> NDArray[Any]:
        """Return (some rows of) the table."""
        ((start, stop),), selected = region_of(self.shape, index)
        made = source_table(self.rows[start:stop], self._names, self._vectors, self._units, self._longest)
        table = self._finish(made)
        return table if selected else table[0]

    def read_into(self, out: NDArray[Any], *index: slice | int) -> None:
        """Copy (some rows of) the table into `out`."""
        out[...] = self.read(*index)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the table itself: its rows may lie in a file that only this process has."""
        return _itself, (self.read(),)


def _itself(table: NDArray[Any]) -> NDArray[Any]:
    return table
