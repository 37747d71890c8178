"""Linear transforms, constants, and the choice and order of axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.wcs.kinds.kind import ASDF, F64, Function, Kind, Transform, Unknown


def _shift(t: Transform) -> Function:
    return _plus(t.number("offset"))


def _shift_back(t: Transform) -> Function:
    return _plus(-t.number("offset"))


def _plus(offset: float) -> Function:
    return lambda x: (x + offset,)


def _scale(t: Transform) -> Function:
    return _times(t.number("factor"))


def _scale_back(t: Transform) -> Function:
    return _times(1 / t.number("factor"))


def _times(factor: float) -> Function:
    return lambda x: (x * factor,)


def _line(t: Transform) -> Function:
    slope, intercept = t.number("slope"), t.number("intercept")
    return lambda x: (slope * x + intercept,)


def _line_back(t: Transform) -> Function:
    slope, intercept = 1 / t.number("slope"), -t.number("intercept") / t.number("slope")
    return lambda x: (slope * x + intercept,)


def _plane(t: Transform) -> Function:
    a, b, c = t.number("slope_x"), t.number("slope_y"), t.number("intercept")
    return lambda x, y: (a * x + b * y + c,)


def _affine(t: Transform) -> Function:
    return _linear(t.array("matrix"), t.array("translation"))


def _affine_back(t: Transform) -> Function:
    inverse = np.linalg.inv(t.array("matrix"))
    return _linear(inverse, -inverse @ t.array("translation"))


def _rotate(t: Transform) -> Function:
    return _linear(_turn(t), np.zeros(2))


def _rotate_back(t: Transform) -> Function:
    return _linear(_turn(t).T, np.zeros(2))


def _turn(t: Transform) -> F64:
    angle = np.radians(t.number("angle"))
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _linear(matrix: NDArray[np.floating], offset: NDArray[np.floating]) -> Function:
    (a, b), (c, d) = matrix
    return lambda x, y: (a * x + b * y + offset[0], c * x + d * y + offset[1])


def _identity(t: Transform) -> Function:
    return lambda *inputs: inputs


def _axes(t: Transform) -> int:
    return int(t.value.get("n_dims", 1))


def _constant(t: Transform) -> Function:
    constant = t.number("value")
    return lambda *inputs: (np.full(np.broadcast_shapes(*map(np.shape, inputs)), constant),)


def _mapping(t: Transform) -> list[int]:
    return [int(k) for k in t["mapping"]]


def _remap_axes(t: Transform) -> Function:
    return _taken(_mapping(t))


def _remap_axes_back(t: Transform) -> Function:
    mapping = _mapping(t)
    if set(mapping) != set(range(t.inputs)):
        raise Unknown(f"{t.tag}: inputs are dropped, so there is no inverse")
    return _taken([mapping.index(k) for k in range(t.inputs)])


def _taken(mapping: list[int]) -> Function:
    return lambda *inputs: tuple(inputs[k] for k in mapping)


def _remap_inputs(t: Transform) -> int:
    return int(t.value.get("n_inputs", max(_mapping(t)) + 1))


KINDS = (
    Kind(ASDF + "shift", 1, 1, _shift, _shift_back),
    Kind(ASDF + "scale", 1, 1, _scale, _scale_back),
    Kind(ASDF + "multiplyscale", 1, 1, _scale, _scale_back),
    Kind(ASDF + "linear1d", 1, 1, _line, _line_back),
    Kind(ASDF + "planar2d", 2, 1, _plane),
    Kind(ASDF + "affine", 2, 2, _affine, _affine_back),
    Kind(ASDF + "rotate2d", 2, 2, _rotate, _rotate_back),
    Kind(ASDF + "identity", _axes, _axes, _identity, _identity),
    Kind(ASDF + "constant", lambda t: int(t.value.get("dimensions", 1)), 1, _constant),
    Kind(ASDF + "remap_axes", _remap_inputs, lambda t: len(_mapping(t)), _remap_axes, _remap_axes_back),
)
