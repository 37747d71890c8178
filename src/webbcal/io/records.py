"""Tables in memory: native record arrays whose text columns hold `str`."""

from __future__ import annotations

from typing import Any

import numpy as np


def text_column(values: np.ndarray) -> np.ndarray:
    """Return text as `str` without trailing blanks; other values as they are, in native byte order."""
    values = np.asarray(values)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "ascii", "replace")
    if values.dtype.kind == "U":
        return np.char.rstrip(values)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def plain_table(value: Any) -> np.ndarray:
    """Return any table as a native record array whose text columns hold `str`."""
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.names is None:
        return array
    if type(array) in (np.ndarray, np.recarray) and is_plain(array.dtype):
        return array.view(np.recarray)
    return records({name: text_column(array[name]) for name in array.dtype.names}, array.shape)


def is_plain(dtype: np.dtype[Any]) -> bool:
    """Tell whether a table of this type is as `records` makes it: native, packed, text as `str`."""
    fields = [dtype[name] for name in dtype.names or ()]
    packed = sum(field.itemsize for field in fields) == dtype.itemsize
    return packed and all(field.base.kind not in "SUO" and field.isnative for field in fields)


def records(columns: dict[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Return a record array of `shape` (rows) made of columns, which may have further axes."""
    fields: list[tuple[Any, ...]] = []
    for name, values in columns.items():
        kind: Any = values.dtype
        if kind.kind == "U" and kind.itemsize == 0:
            kind = np.dtype("U1")
        fields.append((name, kind, values.shape[len(shape) :]))
    table = np.empty(shape, dtype=fields)
    for name, values in columns.items():
        table[name] = values
    return table.view(np.recarray)
