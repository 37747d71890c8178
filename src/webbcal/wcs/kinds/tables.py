"""Tables of values, interpolated between the points of a grid in one or two variables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from webbcal.wcs.bounds import Bounds
from webbcal.wcs.kinds.kind import ASDF, F64, Function, Kind, Transform, Unknown, number


def _variables(t: Transform) -> int:
    variables = np.ndim(t["lookup_table"])
    if variables not in (1, 2):
        raise Unknown(f"a table in {variables} variables")
    return variables


def _points(t: Transform) -> list[F64]:
    """Return the points of the grid along each variable."""
    variables, points = _variables(t), t.value.get("points")
    if points is None:
        return [np.arange(n, dtype=float) for n in np.shape(t["lookup_table"])]
    return [np.asarray(axis, float) for axis in list(points)[:variables]]


def _table(t: Transform) -> Function:
    return _interpolation(t, _points(t), t.array("lookup_table"))


def _table_back(t: Transform) -> Function:
    if _variables(t) != 1:
        raise Unknown(f"{t.tag}: no inverse of a table in two variables")
    (points,), values = _points(t), t.array("lookup_table")
    steps = np.diff(values)
    if (steps > 0).all():
        return _interpolation(t, [values], points)
    if (steps < 0).all():
        return _interpolation(t, [values[::-1]], points[::-1])
    raise Unknown(f"{t.tag}: its values go up and down, so there is no inverse")


def _interpolation(t: Transform, axes: Sequence[F64], values: F64) -> Function:
    method = t.value.get("method", "linear")
    if method not in ("linear", "nearest"):
        raise Unknown(f"interpolation by {method}")
    # Grids may run down; interpolation wants them to run up.
    for k, axis in enumerate(axes):
        values = np.flip(values, k) if axis[0] > axis[-1] else values
    axes = [axis[::-1] if axis[0] > axis[-1] else axis for axis in axes]
    sizes = tuple(map(len, axes))
    if sizes != values.shape or min(sizes) < 2 or not all((np.diff(axis) > 0).all() for axis in axes):
        raise Unknown(f"{t.tag}: a grid that does not go up or down, or is not that of its values")
    between = _linear if method == "linear" else _nearest
    strict, fill = t.value.get("bounds_error", True), t.value.get("fill_value")
    outside_value = None if fill is None else number(fill)

    def run(*inputs: F64) -> tuple[F64]:
        points = np.broadcast_arrays(*(np.asarray(v, float) for v in inputs))
        outside = np.logical_or.reduce(
            [(p < axis[0]) | (p > axis[-1]) for p, axis in zip(points, axes, strict=True)]
        )
        if strict and outside.any():
            raise ValueError(f"{np.count_nonzero(outside)} values are outside the table ({_extent(axes)})")
        result = between(axes, values, points)
        if outside_value is not None and not strict:
            result = np.where(outside & ~np.isnan(sum(points)), outside_value, result)
        return (result,)

    return run


def _extent(axes: Sequence[F64]) -> str:
    return " × ".join(f"{axis[0]:g} to {axis[-1]:g}" for axis in axes)


def _cells(axes: Sequence[F64], points: Sequence[F64]) -> tuple[list[np.ndarray], list[F64]]:
    """Return the cell of each point, and its place within (0 to 1; beyond for points outside the grid)."""
    cells = [
        np.clip(np.searchsorted(a, p, side="right") - 1, 0, len(a) - 2)
        for a, p in zip(axes, points, strict=True)
    ]
    places = [(p - a[k]) / (a[k + 1] - a[k]) for a, p, k in zip(axes, points, cells, strict=True)]
    return cells, places


def _linear(axes: Sequence[F64], values: F64, points: Sequence[F64]) -> F64:
    cells, places = _cells(axes, points)
    if len(axes) == 1:
        (k,), (w,) = cells, places
        return np.asarray(values[k] * (1 - w) + values[k + 1] * w)
    (i, j), (v, w) = cells, places
    low = values[i, j] * (1 - v) * (1 - w) + values[i, j + 1] * (1 - v) * w
    return np.asarray(low + values[i + 1, j] * v * (1 - w) + values[i + 1, j + 1] * v * w)


def _nearest(axes: Sequence[F64], values: F64, points: Sequence[F64]) -> F64:
    cells, places = _cells(axes, points)
    nearest = tuple(np.where(w <= 0.5, k, k + 1) for k, w in zip(cells, places, strict=True))
    return np.where(np.isnan(sum(points)), np.nan, values[nearest])


def _extent_bounds(t: Transform) -> Bounds:
    return tuple((float(axis.min()), float(axis.max())) for axis in _points(t))


KINDS = (Kind(ASDF + "tabular", _variables, 1, _table, _table_back, _extent_bounds),)
