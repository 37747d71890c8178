"""Transforms that differ from region to region: what tells the region of a point, and what selects by it.

A label mapper returns the label of each point: the slice, the slit, the order. Points without one have the
label 0 (or "", where labels are words). Pixels beyond the edges of a mask have none; gwcs takes negative
ones for those at the opposite edge, and fails for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.io.asdf_text import Tagged
from webbcal.wcs.kinds.kind import F64, GWCS, Function, Kind, Transform, Unknown, number

Mask = NDArray[np.bool_]
Labels = NDArray[Any]

#: Relative tolerance of labels, beside the absolute one that a mapper has (as `numpy.isclose`).
_RELATIVE = 1e-5


def _label_mapper(t: Transform) -> Function:
    mapper = t["mapper"]
    keys = _keys(t)
    if isinstance(mapper, np.ndarray):
        return _by_mask(mapper, keys)
    if isinstance(mapper, Tagged):
        label = t.part(mapper).forward()
        return lambda *inputs: label(*keys(*inputs))
    labels = mapper["labels"]
    models = [t.part(node).forward() for node in mapper["models"]]
    if np.ndim(labels) == 2:
        ranges = [(number(low), number(high)) for low, high in labels]
        return _by_key(keys, [_within(*ends) for ends in ranges], models)
    tolerance = number(t.value.get("atol", 1e-8))
    return _by_key(keys, [_close_to(number(value), tolerance) for value in labels], models)


def _keys(t: Transform) -> Function:
    """Return what chooses those of the inputs that tell the label."""
    mapping = t.value.get("inputs_mapping")
    return (lambda *inputs: inputs) if mapping is None else t.part(mapping).forward()


def _by_mask(mask: Labels, keys: Function) -> Function:
    """Return the labels of pixels in a mask."""
    if mask.ndim != 2:
        raise Unknown(f"a mask in {mask.ndim} dimensions")
    none = "" if mask.dtype.kind == "U" else 0
    padded = np.pad(mask, 1, constant_values=none)

    def label(*inputs: F64) -> tuple[Labels]:
        x, y = np.broadcast_arrays(*keys(*inputs))
        index = []
        for values, size in zip((y, x), mask.shape, strict=True):
            nearest = np.floor(np.asarray(values, float) + 0.5)
            inside = (nearest >= 0) & (nearest < size)  # false for NaN
            index.append(np.where(inside, nearest + 1, 0).astype(np.intp))
        return (padded[tuple(index)],)

    return label


def _within(low: float, high: float) -> Callable[[F64], Mask]:
    return lambda key: (key > low) & (key < high)


def _close_to(value: float, tolerance: float) -> Callable[[F64], Mask]:
    return lambda key: np.abs(value - key) <= tolerance + _RELATIVE * np.abs(key)


def _by_key(keys: Function, tests: Iterable[Callable[[F64], Mask]], models: Iterable[Function]) -> Function:
    """Return the labels of points by the transform that a key chooses; the last one that fits counts."""
    cases = list(zip(tests, models, strict=True))

    def label(*inputs: F64) -> tuple[Labels]:
        inputs = np.broadcast_arrays(*inputs)
        (key,) = keys(*inputs)
        labels = np.zeros(key.shape)
        for test, model in cases:
            chosen = test(key)
            if chosen.any():
                (labels[chosen],) = model(*(v[chosen] for v in inputs))
        return (labels,)

    return label


def _mapper_inputs(t: Transform) -> int:
    mapper = t["mapper"]
    if "inputs_mapping" in t.value:
        return t.part(t["inputs_mapping"]).inputs
    if isinstance(mapper, np.ndarray):
        return 2
    return t.part(mapper if isinstance(mapper, Tagged) else mapper["models"][0]).inputs


# Selection


def _select(t: Transform) -> Function:
    transforms = {label: part.forward() for label, part in _regions(t).items()}
    undefined = number(t.value.get("undefined_transform_value", np.nan))
    return _selection(t.part(t["label_mapper"]).forward(), transforms, t.outputs, undefined)


def _select_back(t: Transform) -> Function:
    """Return the inverse: of each region's transform, chosen by the inverse of the label mapper."""
    mapper = t["label_mapper"].value["inverse"]
    transforms = {label: part.backward() for label, part in _regions(t).items()}
    return _selection(t.part(mapper).forward(), transforms, t.inputs, np.nan)


def _regions(t: Transform) -> dict[float | str, Transform]:
    selector = t["selector"]
    return {
        label: t.part(node) for label, node in zip(selector["labels"], selector["transforms"], strict=True)
    }


def _selection(
    mapper: Function, transforms: dict[float | str, Function], outputs: int, undefined: float
) -> Function:
    """Return what transforms each point as its label says; `undefined` where no transform is for that."""

    def run(*inputs: F64) -> tuple[F64, ...]:
        inputs = np.broadcast_arrays(*inputs)
        (labels,) = mapper(*inputs)
        values = tuple(np.full(labels.shape, undefined) for _ in range(outputs))
        for label, function in transforms.items():
            chosen = labels == label
            if chosen.any():
                results = function(*(v[chosen] for v in inputs))
                for value, result in zip(values, results, strict=True):
                    value[chosen] = result
        return values

    return run


KINDS = (
    Kind(GWCS + "label_mapper", _mapper_inputs, 1, _label_mapper),
    Kind(
        GWCS + "regions_selector",
        lambda t: len(t["inputs"]),
        lambda t: len(t["outputs"]),
        _select,
        _select_back,
    ),
)
