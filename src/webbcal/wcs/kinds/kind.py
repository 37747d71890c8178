"""What is known of a kind of transform, and a transform of a tree as the records see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from webbcal.io.asdf_text import Tagged
from webbcal.wcs.bounds import Bounds, CompoundBounds, bounds_in

F64 = NDArray[np.float64]
Function = Callable[..., tuple[F64, ...]]
Count = Callable[["Transform"], int]
T = TypeVar("T")

#: What the tags of ASDF's own transforms begin with, and those of gwcs.
ASDF, GWCS = "tag:stsci.edu:asdf/transform/", "tag:stsci.edu:gwcs/"
#: What the tags of jwst's own transforms begin with.
JWST = "tag:stsci.edu:jwst_pipeline/"

_MALFORMED = (LookupError, TypeError, ValueError, AttributeError)


class Unknown(Exception):
    """The transform needs the libraries."""


class Kind(NamedTuple):
    """A kind of transform.

    Attributes
    ----------
    tag : str
        Its tag without the version. Other libraries have transforms of the same names.
    inputs, outputs : int or callable
        How many there are, if the transform does not name them.
    forward : callable
        From the transform to its function, from as many arrays as it has inputs to a tuple of its outputs.
    backward : callable, optional
        The same for its inverse, if there is one; a transform that brings its own does not need it.
    bounds : callable, optional
        The bounding box that it has if none is kept with it.
    """

    tag: str
    inputs: int | Count
    outputs: int | Count
    forward: Callable[[Transform], Function]
    backward: Callable[[Transform], Function] | None = None
    bounds: Callable[[Transform], Bounds | CompoundBounds | None] | None = None


class Transform:
    """A transform of a tree: its members by name, and its parts as transforms.

    Raises
    ------
    Unknown
        If it is of no kind among `kinds`, which are by their tags.
    """

    __slots__ = ("_kinds", "kind", "tag", "value")

    def __init__(self, node: object, kinds: Mapping[str, Kind]) -> None:
        if not isinstance(node, Tagged) or not isinstance(node.value, dict):
            raise Unknown(type(node).__name__)
        kind = kinds.get(node.tag.rpartition("-")[0])
        if kind is None:
            raise Unknown(node.tag)
        self.tag: str = node.tag
        self.kind = kind
        self.value: dict[str, Any] = node.value
        self._kinds = kinds

    def __getitem__(self, name: str) -> Any:
        return self.value[name]

    def number(self, name: str) -> float:
        """Return a parameter, which must have no unit."""
        return number(self.value[name])

    def array(self, name: str) -> F64:
        """Return a parameter that is an array, of float64."""
        return np.asarray(self.value[name], float)

    def part(self, node: object) -> Transform:
        """Return a transform within this one."""
        return Transform(node, self._kinds)

    @property
    def parts(self) -> list[Transform]:
        """The transforms that this one is a combination of."""
        return [self.part(node) for node in self.value["forward"]]

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        return self._count("inputs", self.kind.inputs)

    @property
    def outputs(self) -> int:
        """The number of outputs."""
        return self._count("outputs", self.kind.outputs)

    def _count(self, names: str, count: int | Count) -> int:
        if names in self.value:
            return len(self.value[names])
        return count if isinstance(count, int) else self._read(count)

    @property
    def input_names(self) -> list[str] | None:
        """The names of the inputs, if they are kept with the transform."""
        names = self.value.get("inputs")
        return None if names is None else list(names)

    def forward(self) -> Function:
        """Return the function from inputs to outputs."""
        return self._read(self.kind.forward)

    def backward(self) -> Function:
        """Return the function from outputs to inputs: that of the inverse which it brings, or its kind's."""
        if self.value.get("inverse") is not None:
            return self.part(self.value["inverse"]).forward()
        if self.kind.backward is None:
            raise Unknown(f"{self.tag}: no inverse")
        return self._read(self.kind.backward)

    def bounds(self) -> Bounds | CompoundBounds | None:
        """Return the bounding box: the one that is kept with it, or its kind's, or None."""
        if self.value.get("bounding_box") is not None:
            return self._read(lambda t: bounds_in(t.value["bounding_box"], t.input_names, t.inputs))
        return None if self.kind.bounds is None else self._read(self.kind.bounds)

    def _read(self, reader: Callable[[Transform], T]) -> T:
        try:
            return reader(self)
        except _MALFORMED as error:
            raise Unknown(f"{self.tag}: {error!r}") from error


def number(value: object) -> float:
    """Return a number that has no unit.

    Raises
    ------
    Unknown
        If it is anything else.
    """
    if isinstance(value, (int, float, np.number)) and not isinstance(value, complex):
        return float(value)
    raise Unknown("a parameter with a unit")
