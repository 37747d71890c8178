"""The spectra in a product, one by one: whatever way its tables hold them.

A table is of one spectrum (a row a wavelength), or of many (a row a source, or a row an integration of a time
series), each with a vector in every column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.errors import InputError
from webbcal.plots.inputs import name_of

F64 = NDArray[np.float64]

#: Columns of values that can be drawn, and those of their errors: in extracted and in combined spectra.
_ERRORS = {
    "FLUX": ("FLUX_ERROR", "ERROR"),
    "SURF_BRIGHT": ("SB_ERROR",),
    "BACKGROUND": ("BKGD_ERROR",),
}
COLUMNS = tuple(_ERRORS)


@dataclass(frozen=True)
class Spectrum:
    """A spectrum.

    Attributes
    ----------
    wavelength : ndarray
        µm.
    values, errors : ndarray
    bad : ndarray
        Which values are not to be used, by their flags.
    unit, name : str
        Of the values; and what tells this spectrum from others of the product.
    """

    wavelength: F64
    values: F64
    errors: F64
    bad: NDArray[np.bool_]
    unit: str
    name: str


def spectra_of(model: Any, column: str = "FLUX", source: int | None = None) -> Iterator[Spectrum]:
    """Yield the spectra of a product, or those of one source.

    Raises
    ------
    InputError
        If it has no spectra, or no such column.
    """
    for number, item in enumerate(_items(model)):
        if source is not None and not _holds(item, source):
            continue
        table = item.spec_table
        names = {name.upper(): name for name in table.dtype.names or ()}
        if column not in names or "WAVELENGTH" not in names:
            raise InputError(
                f"{name_of(model)}: its spectra have no column {column}; they have {_named(names)}"
            )
        error = next((names[e] for e in _ERRORS.get(column, ()) if e in names), None)
        unit = str(table.columns[names[column]].unit or "")
        wave = np.asarray(table[names["WAVELENGTH"]], float)
        rows = [slice(None)] if wave.ndim == 1 else range(len(wave))
        for row in rows:
            if source is not None and "SOURCE_ID" in names and int(table[names["SOURCE_ID"]][row]) != source:
                continue
            values = np.asarray(table[names[column]][row], float)
            errors = np.full(values.shape, np.nan) if error is None else np.asarray(table[error][row], float)
            flags = np.asarray(table[names["DQ"]][row]) if "DQ" in names else np.zeros(values.shape, int)
            known = np.isfinite(wave[row])
            yield Spectrum(
                wave[row][known],
                values[known],
                errors[known],
                (flags[known] & dqflags.pixel["DO_NOT_USE"]) != 0,
                unit,
                _name(item, table, names, row, number),
            )


def _items(model: Any) -> list[Any]:
    """Return what has tables of spectra.

    Raises
    ------
    InputError
        If nothing has.
    """
    spec = getattr(model, "spec", None)
    if spec is not None and len(spec):
        return list(spec)
    if getattr(model, "spec_table", None) is not None:
        return [model]
    raise InputError(f"{name_of(model)}: has no extracted spectra; give an _x1d, _c1d or _x1dints product")


def _holds(item: Any, source: int) -> bool:
    """Tell whether an item may have the spectrum of a source: tables of many say so in a column."""
    number = getattr(item, "source_id", None)
    return number is None or int(number) == source or "SOURCE_ID" in (item.spec_table.dtype.names or ())


def _named(names: dict[str, str]) -> str:
    return ", ".join(name for name in COLUMNS if name in names) or "none of " + ", ".join(COLUMNS)


def _name(item: Any, table: Any, names: dict[str, str], row: Any, number: int) -> str:
    """Return what tells a spectrum from the others of a product."""
    words = []
    if not isinstance(row, slice):
        key = next((k for k in ("SOURCE_ID", "INT_NUM") if k in names), None)
        if key is not None:
            kind = "source" if key == "SOURCE_ID" else "integration"
            words.append(f"{kind} {int(table[names[key]][row])}")
    elif getattr(item, "source_id", None):
        words.append(f"source {item.source_id}")
    order = getattr(item, "spectral_order", None)
    words += [f"order {order}"] if order is not None else []
    return ", ".join(words) or f"spectrum {number}"
