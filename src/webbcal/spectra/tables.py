"""Tables of spectra, made column by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from webbcal.io.records import ColumnNote, TableRows, records

#: Columns of a spectrum with a value for each wavelength, in the order of the tables.
VECTORS = (
    "WAVELENGTH",
    *("FLUX", "FLUX_ERROR", "FLUX_VAR_POISSON", "FLUX_VAR_RNOISE", "FLUX_VAR_FLAT"),
    *("SURF_BRIGHT", "SB_ERROR", "SB_VAR_POISSON", "SB_VAR_RNOISE", "SB_VAR_FLAT"),
    "DQ",
    *("BACKGROUND", "BKGD_ERROR", "BKGD_VAR_POISSON", "BKGD_VAR_RNOISE", "BKGD_VAR_FLAT"),
    "NPIXELS",
)
#: Those of a spectrum that was combined of several.
COMBINED = ("WAVELENGTH", "FLUX", "ERROR", "SURF_BRIGHT", "SB_ERROR", "DQ", "WEIGHT", "N_INPUT")


def table_of(columns: Mapping[str, NDArray[Any]], units: Mapping[str, str | None]) -> TableRows:
    """Return a table of columns (rows, ...), in their order, with units."""
    rows = len(next(iter(columns.values())))
    notes = {name: ColumnNote(unit) for name, unit in units.items() if unit and name in columns}
    return records(dict(columns), (rows,), notes)


def units_in(table: Any) -> dict[str, str | None]:
    """Return the units of a table's columns."""
    return {column.name: (str(column.unit) if column.unit else None) for column in table.columns}
