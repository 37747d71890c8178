"""Arrays and tables as a model declares them: type, number of dimensions, columns."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.table import Schema, dtype_of, is_table
from webbcal.datamodels.validate import ValidationWarning
from webbcal.io.records import is_plain, plain_table, records, text_column


def as_declared(value: Any, schema: Schema, name: str) -> np.ndarray:
    """Return `value` with the declared type; it is not copied if it has that type already.

    Raises
    ------
    InputError
        If the number of dimensions or the columns are not those declared, or it is no array at all.
    """
    if is_table(schema):
        array = as_table(value, schema, name)
    else:
        array = _as_image(value, schema, name)
    check_dimensions(array.ndim, schema, name)
    return array


def from_file(array: np.ndarray, schema: Schema, name: str) -> np.ndarray:
    """Return an array read from a file as declared.

    A table with other columns stays as it is, with a warning: columns have come and gone over the years,
    and a file that can be used should not be refused.
    """
    if not is_table(schema):
        return as_declared(array, schema, name)
    try:
        return as_declared(array, schema, name)
    except InputError as error:
        warnings.warn(str(error), ValidationWarning, stacklevel=4)
        return array


def check_dimensions(ndim: int, schema: Schema, name: str) -> None:
    """Check a number of dimensions.

    Raises
    ------
    InputError
        If it is not the one declared.
    """
    if "ndim" in schema and ndim != schema["ndim"]:
        wanted = schema["ndim"]
    elif ndim > schema.get("max_ndim", ndim):
        wanted = f"at most {schema['max_ndim']}"
    else:
        return
    raise InputError(f"{name}: wrong number of dimensions: expected {wanted}, got {ndim}")


def _as_image(value: Any, schema: Schema, name: str) -> np.ndarray:
    datatype = schema.get("datatype")
    with np.errstate(invalid="ignore", over="ignore"):
        try:
            array = np.asanyarray(value, dtype=None if datatype is None else dtype_of(datatype))
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: not an array of {datatype} ({error})") from error
    if isinstance(array, np.ma.MaskedArray) or type(array) is not np.ndarray:
        array = np.asarray(array)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_table(value: Any, schema: Schema, name: str) -> np.ndarray:
    """Return a table as a record array with the declared columns; text columns hold `str`.

    Raises
    ------
    InputError
        If columns are missing, or there are some that are not declared and not allowed.
    """
    declared = dtype_of(schema["datatype"])
    if not declared.names or not declared.names[0]:
        return plain_table(value)
    if hasattr(value, "as_array"):
        value = value.as_array()
    if not isinstance(value, np.ndarray):
        value = np.array([tuple(row) for row in value], dtype=_free_shapes(declared))
    if value.dtype.names is None:
        raise InputError(f"{name}: not a table; give a structured array with columns {declared.names}")
    if _fits(value, schema["datatype"], declared):
        return value.view(np.recarray)
    given = {column.lower(): column for column in value.dtype.names}
    missing = [column for column in declared.names if column.lower() not in given]
    extra = [column for key, column in given.items() if key not in {n.lower() for n in declared.names}]
    if missing or (extra and not schema.get("allow_extra_columns")):
        raise InputError(f"{name}: columns do not match: missing {missing}, not declared {extra}")
    columns: dict[str, np.ndarray] = {}
    for column, spec in zip(declared.names, schema["datatype"], strict=True):
        columns[column] = _column(value[given[column.lower()]], spec, declared[column], f"{name}.{column}")
    columns |= {column: text_column(value[column]) for column in extra}
    return records(columns, value.shape)


def _fits(table: np.ndarray, columns: list[Schema], declared: np.dtype[Any]) -> bool:
    """Tell whether a table has the declared columns and types already (the common case, and large tables)."""
    names = table.dtype.names or ()
    return (
        type(table) in (np.ndarray, np.recarray)
        and names == declared.names
        and is_plain(table.dtype)
        and all(table.dtype[name].base == declared[name].base for name in names)
        and not any(
            "ndim" in spec and table.dtype[name].ndim != spec["ndim"]
            for name, spec in zip(names, columns, strict=True)
        )
    )


def _column(values: np.ndarray, spec: Schema, declared: np.dtype[Any], name: str) -> np.ndarray:
    values = np.asarray(values)
    if "ndim" in spec and values.ndim - 1 != spec["ndim"]:
        raise InputError(
            f"{name}: wrong number of dimensions: expected {spec['ndim']}, got {values.ndim - 1}"
        )
    if declared.base.kind == "S":
        return text_column(values)
    return values if values.dtype == object else values.astype(declared.base, copy=False)


def _free_shapes(declared: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type for rows given as tuples: scalar where the table leaves the shape open."""
    fields: list[tuple[Any, ...]] = []
    for name in declared.names or ():
        base, shape = declared[name].base, declared[name].shape
        fields.append((name, base, tuple(shape)) if shape and 0 not in shape else (name, base))
    return np.dtype(fields)
