"""Arrays that say more than their values: masks of numpy, units of astropy.

A file has neither. A masked value is none: it becomes NaN, in a column of whole numbers the value that the
column has for none. Where nothing stands for none, the array is refused.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from webbcal.core.errors import InputError

log = logging.getLogger(__name__)


def plain_array(value: Any, name: str, dtype: np.dtype[Any] | None = None) -> Any:
    """Return an array without its mask and unit; what is no array, or has neither, as it is.

    Parameters
    ----------
    value : object
        An array, or what can be made one.
    name : str
        What messages call it.
    dtype : dtype, optional
        The type that it will have; if that can hold NaN, whole numbers may be masked, too.

    Raises
    ------
    InputError
        If values are masked and nothing stands for none.
    """
    unit = getattr(value, "unit", None)
    if unit is not None and isinstance(value, np.ndarray):
        log.warning("%s: its unit, %s, is left out; keywords (BUNIT) tell units", name, unit)
        value = value.view(np.ndarray)
    if not isinstance(value, np.ma.MaskedArray):
        return value
    count = int(np.ma.count_masked(value)) if value.dtype.names is None else _masked_cells(value)
    if not count:
        return np.asarray(value)
    kind = value.dtype if dtype is None else np.result_type(value.dtype, dtype)
    if kind.kind in "fc" and (dtype is None or dtype.kind in "fc"):
        return np.ma.masked_array(value, dtype=kind).filled(np.nan)
    raise InputError(
        f"{name}: {count} values are masked, and {dtype or value.dtype} has no value for none; fill them "
        "first (filled())"
    )


def masked_column(values: Any, name: str, null: int | str | None) -> tuple[np.ndarray, int | str | None]:
    """Return a column of a table without its mask, and the value in it that stands for none.

    Raises
    ------
    InputError
        If truth values are masked.
    """
    if not isinstance(values, np.ma.MaskedArray):
        return np.asarray(values), null
    if values.dtype.kind in "iu" and np.ma.count_masked(values):
        null = null if isinstance(null, int) else int(values.fill_value)
        return np.asarray(values.filled(null)), null
    if values.dtype.kind in "SUO" and np.ma.count_masked(values):
        return np.asarray(values.filled("")), null
    return np.asarray(plain_array(values, name)), null


def _masked_cells(table: np.ma.MaskedArray) -> int:
    return sum(int(np.ma.count_masked(table[name])) for name in table.dtype.names or ())
