"""Bounding boxes of transforms, of any dimension, and those that are chosen by the value of an input.

A slit, a slice or a spectral order is often an input of a transform beside the pixel. Each has a box of its
own then: a compound bounding box (`CompoundBoundingBox` of astropy.modeling, which defines what is right).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbcal.io.asdf_text import Tagged

#: (low, high) of each input; for pixels the outer edges: ((x0, x1), (y0, y1)). Infinite where it is open.
Bounds = tuple[tuple[float, float], ...]
Mask = NDArray[np.bool_]

_OPEN = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class CompoundBounds:
    """Bounding boxes, one for each value of some of the inputs.

    Attributes
    ----------
    selectors : tuple of int
        Which inputs choose.
    boxes : dict
        Their values -> the box of all inputs.
    """

    selectors: tuple[int, ...]
    boxes: Mapping[tuple[float, ...], Bounds]

    def fixed(self, values: Mapping[int, float]) -> Bounds | CompoundBounds:
        """Return the bounds of the inputs that are left when some, by number, have a value for good.

        Raises
        ------
        ValueError
            If no box is for such values.
        """
        found = {
            tuple(v for s, v in zip(self.selectors, key, strict=True) if s not in values): without(
                box, values
            )
            for key, box in self.boxes.items()
            if all(values.get(s, v) == v for s, v in zip(self.selectors, key, strict=True))
        }
        if not found:
            raise ValueError(f"no bounding box for inputs {dict(values)}; {self._known()}")
        left = [s for s in self.selectors if s not in values]
        if not left:
            return found[()]
        return CompoundBounds(tuple(s - sum(k < s for k in values) for s in left), found)

    def inside(self, *inputs: ArrayLike) -> Mask:
        """Return which points are in their box; those with NaN are in none.

        Raises
        ------
        ValueError
            If there is no box for a value of the inputs that choose.
        """
        keys = [np.asarray(inputs[s]) for s in self.selectors]
        known: Any = np.logical_or.reduce([np.isnan(key) for key in keys])
        found: Any = np.zeros(np.broadcast_shapes(*(np.shape(v) for v in inputs)), bool)
        for key, box in self.boxes.items():
            chosen: Any = np.logical_and.reduce([a == b for a, b in zip(keys, key, strict=True)])
            if chosen.any():
                known = known | chosen
                found = found | chosen & inside(box, *inputs)
        if not np.all(known):
            raise ValueError(f"no bounding box for some values of input {self.selectors}; {self._known()}")
        return np.asarray(found)

    def _known(self) -> str:
        return f"there are boxes for {', '.join(map(str, self.boxes))} of inputs {self.selectors}"


def inside(bounds: Bounds | CompoundBounds, *inputs: ArrayLike) -> Mask:
    """Return which points are in a bounding box, edges included."""
    if isinstance(bounds, CompoundBounds):
        return bounds.inside(*inputs)
    with np.errstate(invalid="ignore"):
        tests = [
            (np.asarray(v) >= low) & (np.asarray(v) <= high)
            for v, (low, high) in zip(inputs, bounds, strict=True)
            if (low, high) != _OPEN
        ]
    found: Any = tests[0] if tests else np.ones((), bool)
    for test in tests[1:]:
        found = found & test
    return np.asarray(found)


def without(bounds: Bounds, inputs: Mapping[int, object]) -> Bounds:
    """Return the bounds of all inputs but some, by number."""
    return tuple(pair for number, pair in enumerate(bounds) if number not in inputs)


def bounds_in(node: object, names: Sequence[str] | None, count: int) -> Bounds | CompoundBounds:
    """Return the bounding box that a node describes.

    Parameters
    ----------
    node : Tagged or list
        As it is kept with a transform.
    names : sequence of str or None
        Names of the transform's inputs; without them, those of a box are sorted.
    count : int
        How many inputs there are.

    Raises
    ------
    ValueError
        If it is of an unknown layout, or of other inputs.
    """
    if isinstance(node, list):  # as older files have it: the last input first
        pairs = node if np.ndim(node) == 2 else [node]
        return _of_pairs(pairs[::-1], count)
    if not isinstance(node, Tagged) or not isinstance(node.value, dict):
        raise ValueError("a bounding box of another layout")
    if node.kind == "bounding_box":
        return _box(node.value, names, count, [])
    if node.kind != "compound_bounding_box" or names is None:
        raise ValueError("a bounding box of another layout")
    selectors = [(_number_of(arg["argument"], names), arg["ignore"]) for arg in node.value["selector_args"]]
    ignored = [names[k] for k, ignore in selectors if ignore] + list(node.value.get("ignore") or [])
    boxes = {
        tuple(entry["key"]): _box(entry["bbox"].value, names, count, ignored) for entry in node.value["cbbox"]
    }
    return CompoundBounds(tuple(k for k, _ in selectors), boxes)


def _number_of(argument: str | int, names: Sequence[str]) -> int:
    return argument if isinstance(argument, int) else names.index(argument)


def _box(value: dict[str, Any], names: Sequence[str] | None, count: int, ignored: Sequence[str]) -> Bounds:
    intervals = value["intervals"]
    names = sorted(intervals) if names is None else names
    open_ = {*ignored, *(value.get("ignore") or [])} - set(intervals)
    if set(names) != set(intervals) | open_:
        raise ValueError("a bounding box of other inputs")
    return _of_pairs([intervals.get(name, _OPEN) for name in names], count)


def _of_pairs(pairs: Sequence[Sequence[float]], count: int) -> Bounds:
    if len(pairs) != count:
        raise ValueError(f"a bounding box of {len(pairs)} inputs for {count}")
    return tuple((float(low), float(high)) for low, high in pairs)
