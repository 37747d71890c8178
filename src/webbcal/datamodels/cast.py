"""Arrays and tables as a model declares them: type, number of dimensions, columns."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.datamodels.table import Schema, dtype_of, is_table
from webbcal.datamodels.validate import ValidationWarning
from webbcal.io.arrays import ArraySource
from webbcal.io.masked import plain_array
from webbcal.io.records import (
    ColumnNote,
    TableRows,
    is_plain,
    notes_of,
    plain_table,
    records,
    rows_of,
    text_column,
    unmasked,
)


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
    except LossError:
        raise
    except InputError as error:
        warnings.warn(str(error), ValidationWarning, stacklevel=4)
        rows = plain_table(array, name)
        rows.__dict__["as_found"] = True
        return rows


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
    value = plain_array(value, name, dtype_of(datatype) if isinstance(datatype, str) else None)
    try:
        array = np.asarray(value)
        if array.dtype.names is not None or array.dtype.kind not in "biufc":
            raise InputError(f"{name}: not an array of {datatype or 'numbers'}, but of {array.dtype}")
        if datatype is not None:
            return without_loss(array, dtype_of(datatype), name)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name}: not an array of {datatype} ({error})") from error
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


class LossError(InputError):
    """Values of an array cannot be held by the type that is declared."""


def without_loss(values: np.ndarray, dtype: np.dtype[Any], name: str) -> np.ndarray:
    """Return values in another type; not copied if they have it. Floats may be rounded, but not overflow.

    Raises
    ------
    LossError
        If a value would be another one.
    """
    if values.dtype == dtype:
        return values
    with np.errstate(invalid="ignore", over="ignore"):
        cast = values.astype(dtype)
    if np.can_cast(values.dtype, dtype, "safe") or not values.size or _holds(values, cast):
        return cast
    raise LossError(
        f"{name}: has values of type {values.dtype.name} that {dtype.name}, its type, cannot hold; write it "
        f"as {dtype.name}"
    )


def _holds(values: np.ndarray, cast: np.ndarray) -> bool:
    """Tell whether the values are still the same."""
    if cast.dtype.kind in "fc":
        if values.dtype.kind == "c" and cast.dtype.kind == "f":
            return False
        return values.dtype.kind not in "fc" or bool((np.isfinite(cast) == np.isfinite(values)).all())
    with np.errstate(invalid="ignore"):
        if values.dtype.kind in "iu" and cast.dtype.kind in "iu":
            limits = np.iinfo(cast.dtype)
            return int(values.min()) >= limits.min and int(values.max()) <= limits.max
        return bool((cast == values).all())


class CastArray:
    """An array in a file as the type that is declared, as an `ArraySource`; see `without_loss`."""

    def __init__(self, source: ArraySource, dtype: np.dtype[Any], name: str) -> None:
        self.source = source
        self.dtype = dtype
        self.shape = source.shape
        self._name = name

    def read(self, *index: slice | int) -> np.ndarray:
        """Return a fresh, native, C-contiguous copy of a region.

        Raises
        ------
        LossError
            If values in it cannot be held.
        """
        return without_loss(self.source.read(*index), self.dtype, self._name)

    def read_into(self, out: np.ndarray, *index: slice | int) -> None:
        """Copy a region into `out`, converting to its type."""
        np.copyto(out, self.read(*index), casting="unsafe")


def cast_source(source: ArraySource, schema: Schema, name: str) -> ArraySource:
    """Return an array in a file as declared.

    Whole numbers of up to 16 bits where floats are declared stay what they are: all of them are floats, and
    raw ramps are read so that they become floats where they go.
    """
    if "datatype" not in schema:
        return source
    dtype = dtype_of(schema["datatype"])
    raw = source.dtype == np.uint16 and dtype == np.float32 and len(source.shape) == 4
    return source if source.dtype == dtype or raw else CastArray(source, dtype, name)


def as_table(value: Any, schema: Schema, name: str) -> np.ndarray:
    """Return a table as a record array with the declared columns; text columns hold `str`.

    Raises
    ------
    InputError
        If columns are missing, or there are some that are not declared and not allowed.
    """
    declared = dtype_of(schema["datatype"])
    if not declared.names or not declared.names[0]:
        return plain_table(value, name)
    notes = dict(notes_of(value))
    if hasattr(value, "as_array"):
        value = value.as_array()
    if isinstance(value, np.ma.MaskedArray) and value.dtype.names is not None:
        value = unmasked(value, notes, name)
        notes = dict(notes_of(value))
    if not isinstance(value, np.ndarray):
        value = np.array([tuple(row) for row in value], dtype=_free_shapes(declared))
    if value.dtype.names is None and value.ndim == 1 and value.dtype.kind in "fiub":
        value = value.astype(declared)  # as numpy has it, and the field: a row of each number
    if value.dtype.names is None:
        raise InputError(f"{name}: not a table; give a structured array with columns {declared.names}")
    if _fits(value, schema["datatype"], declared):
        return rows_of(value, notes)
    given = {column.lower(): column for column in value.dtype.names}
    missing = [column for column in declared.names if column.lower() not in given]
    extra = [column for key, column in given.items() if key not in {n.lower() for n in declared.names}]
    if isinstance(value, TableRows) and value.as_found:
        return value
    if missing or (extra and not schema.get("allow_extra_columns")):
        raise InputError(f"{name}: columns do not match: missing {missing}, not declared {extra}")
    columns: dict[str, np.ndarray] = {}
    for column, spec in zip(declared.names, schema["datatype"], strict=True):
        own = given[column.lower()]
        note = notes.pop(own, ColumnNote())
        columns[column] = _column(value[own], spec, declared[column], f"{name}.{column}", note.null)
        notes[column] = note if columns[column].dtype.kind in "iu" else replace(note, null=None)
    columns |= {column: text_column(value[column]) for column in extra}
    return records(columns, value.shape, notes)


def _fits(table: np.ndarray, columns: list[Schema], declared: np.dtype[Any]) -> bool:
    """Tell whether a table has the declared columns and types already (the common case, and large tables)."""
    names = table.dtype.names or ()
    return (
        type(table) in (np.ndarray, np.recarray, TableRows)
        and names == declared.names
        and is_plain(table.dtype)
        and all(table.dtype[name].base == declared[name].base for name in names)
        and not any(
            "ndim" in spec and table.dtype[name].ndim != spec["ndim"]
            for name, spec in zip(names, columns, strict=True)
        )
    )


def _column(
    values: np.ndarray, spec: Schema, declared: np.dtype[Any], name: str, null: int | str | None
) -> np.ndarray:
    values = np.asarray(values)
    if "ndim" in spec and values.ndim - 1 != spec["ndim"]:
        raise InputError(
            f"{name}: wrong number of dimensions: expected {spec['ndim']}, got {values.ndim - 1}"
        )
    if declared.base.kind == "S":
        return _as_wide(text_column(values), declared.base.itemsize)
    if values.dtype == object:
        return values
    if values.dtype.kind not in "biufc":
        raise InputError(f"{name}: a column of {values.dtype}, where {declared.base} is declared")
    cast = without_loss(values, declared.base, name)
    if null is not None and values.dtype.kind in "iu" and cast.dtype.kind == "f":
        cast[values == null] = np.nan
    return cast


def _as_wide(text: np.ndarray, width: int) -> np.ndarray:
    """Return text that has room for as many characters as are declared, so that files have it as wide."""
    narrow = text.dtype.kind == "U" and text.dtype.itemsize < width * np.dtype("U1").itemsize
    return text.astype(f"U{width}") if narrow else text


def _free_shapes(declared: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type for rows given as tuples: scalar where the table leaves the shape open."""
    fields: list[tuple[Any, ...]] = []
    for name in declared.names or ():
        base, shape = declared[name].base, declared[name].shape
        fields.append((name, base, tuple(shape)) if shape and 0 not in shape else (name, base))
    return np.dtype(fields)
