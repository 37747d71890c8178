"""Transforms made of transforms: one after the other, side by side, arithmetic, with inputs fixed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from webbcal.wcs.bounds import Bounds, CompoundBounds, without
from webbcal.wcs.kinds.kind import ASDF, F64, Function, Kind, Transform, Unknown, number


def _compose(t: Transform) -> Function:
    return _chain([part.forward() for part in t.parts])


def _compose_back(t: Transform) -> Function:
    return _chain([part.backward() for part in reversed(t.parts)])


def _chain(functions: Sequence[Function]) -> Function:
    def run(*inputs: F64) -> tuple[F64, ...]:
        return reduce(lambda values, function: function(*values), functions, inputs)

    return run


def _concatenate(t: Transform) -> Function:
    parts = t.parts
    return _side_by_side([part.forward() for part in parts], [part.inputs for part in parts])


def _concatenate_back(t: Transform) -> Function:
    parts = t.parts
    return _side_by_side([part.backward() for part in parts], [part.outputs for part in parts])


def _side_by_side(functions: Sequence[Function], counts: Sequence[int]) -> Function:
    ends = np.cumsum(counts)

    def run(*inputs: F64) -> tuple[F64, ...]:
        groups = (inputs[end - n : end] for end, n in zip(ends, counts, strict=True))
        return tuple(out for f, group in zip(functions, groups, strict=True) for out in f(*group))

    return run


def _arithmetic(tag: str, operation: Callable[[Any, Any], Any]) -> Kind:
    """Return the record of an operation on the outputs of two transforms of the same inputs."""

    def forward(t: Transform) -> Function:
        first, second = (part.forward() for part in t.parts)
        return lambda *inputs: tuple(map(operation, first(*inputs), second(*inputs)))

    return Kind(tag, _inputs_of_first, lambda t: t.parts[0].outputs, forward)


def _inputs_of_first(t: Transform) -> int:
    return t.parts[0].inputs


def _fixed(t: Transform) -> tuple[Transform, dict[int, float]]:
    """Return the whole transform, and the values of the inputs that are fixed, by their number."""
    node, fixed = t["forward"]
    whole = t.part(node)
    return whole, {
        _position(key, whole): number(value)
        for key, value in zip(fixed["keys"], fixed["values"], strict=True)
    }


def _position(key: str | int, whole: Transform) -> int:
    if isinstance(key, int):
        return key
    if whole.input_names is None:
        raise Unknown(f"{whole.tag}: an input fixed by name, of a transform without names")
    return whole.input_names.index(key)


def _fix_inputs(t: Transform) -> Function:
    whole, fixed = _fixed(t)
    function, free = whole.forward(), [k for k in range(whole.inputs) if k not in fixed]
    values: list[Any] = [fixed.get(k) for k in range(whole.inputs)]

    def run(*inputs: F64) -> tuple[F64, ...]:
        all_inputs = list(values)
        for position, value in zip(free, inputs, strict=True):
            all_inputs[position] = value
        return function(*all_inputs)

    return run


def _fixed_count(t: Transform) -> int:
    whole, fixed = _fixed(t)
    return whole.inputs - len(fixed)


def _fixed_bounds(t: Transform) -> Bounds | CompoundBounds | None:
    whole, fixed = _fixed(t)
    bounds = whole.bounds()
    if bounds is None:
        return None
    return bounds.fixed(fixed) if isinstance(bounds, CompoundBounds) else without(bounds, fixed)


KINDS = (
    Kind(ASDF + "compose", _inputs_of_first, lambda t: t.parts[-1].outputs, _compose, _compose_back),
    Kind(
        ASDF + "concatenate",
        lambda t: sum(part.inputs for part in t.parts),
        lambda t: sum(part.outputs for part in t.parts),
        _concatenate,
        _concatenate_back,
    ),
    _arithmetic(ASDF + "add", operator.add),
    _arithmetic(ASDF + "subtract", operator.sub),
    _arithmetic(ASDF + "multiply", operator.mul),
    _arithmetic(ASDF + "divide", operator.truediv),
    _arithmetic(ASDF + "power", operator.pow),
    Kind(
        ASDF + "fix_inputs", _fixed_count, lambda t: _fixed(t)[0].outputs, _fix_inputs, bounds=_fixed_bounds
    ),
)
