"""A WCS that is a tree: called like a `gwcs.WCS`, but evaluated without loading gwcs."""

from __future__ import annotations

from copy import copy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from webbcal.core.errors import InputError
from webbcal.io.asdf_text import Tagged
from webbcal.wcs.bounds import Bounds, CompoundBounds, inside
from webbcal.wcs.evaluation import transform
from webbcal.wcs.kinds.kind import F64, Function, Unknown

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord


class Frame(NamedTuple):
    """A frame of coordinates.

    Attributes
    ----------
    name : str
    kind : str
        ``frame2d``, ``celestial_frame``, ``spectral_frame``, ``composite_frame`` …; "" for a name alone.
    parts : tuple of Frame
        What a composite frame consists of.
    axes : tuple of int
        Which of the coordinates are its axes, in their order; none if the frame does not tell.
    system : str
        The reference system, such as ``icrs``; "" if there is none.
    """

    name: str
    kind: str = ""
    parts: tuple[Frame, ...] = ()
    axes: tuple[int, ...] = ()
    system: str = ""

    @classmethod
    def of(cls, node: object) -> Frame:
        """Return the frame that a node describes.

        Raises
        ------
        Unknown
            If it does not describe one.
        """
        if isinstance(node, str):
            return cls(node)
        if not isinstance(node, Tagged) or not isinstance(node.value, dict) or "name" not in node.value:
            raise Unknown(f"a frame of another layout ({node!r})")
        value, system = node.value, node.value.get("reference_frame")
        parts = tuple(map(cls.of, value.get("frames", ())))
        axes = sum((part.axes for part in parts), tuple(value.get("axes_order") or ()))
        return cls(
            str(value["name"]), node.kind, parts, axes, system.kind if isinstance(system, Tagged) else ""
        )


class _Step:
    """The transform between two frames, and its functions."""

    def __init__(self, node: Tagged) -> None:
        self.transform = transform(node)
        self.forward = self.transform.forward()

    @cached_property
    def backward(self) -> Function:
        return self.transform.backward()


@lru_cache(maxsize=32)
def _shared_step(node: Tagged) -> _Step:
    """Return a step that many WCS may have: the spectra of an exposure differ in the first one only."""
    return _Step(node)


class TreeWCS:
    """World coordinates, from the tree of a WCS: any number of axes, on both sides.

    Parameters
    ----------
    tree : Tagged
        A WCS as it stands in a file.

    Attributes
    ----------
    frames : list of str
        Names of the frames, the pixels first.
    bounding_box : tuple of (low, high), CompoundBounds, or None
        Where the pixels are that have a position, outer edges: ((x0, x1), (y0, y1)) for an image. There may
        be one for each value of some inputs.

    Raises
    ------
    Unknown
        If a transform is not known to `evaluation`.
    """

    def __init__(self, tree: Tagged) -> None:
        if tree.kind != "wcs" or not isinstance(tree.value, dict):
            raise Unknown(tree.tag)
        self.tree = tree
        steps = [step.value for step in tree.value["steps"]]
        self.described_frames = [Frame.of(step["frame"]) for step in steps]
        self.frames = [frame.name for frame in self.described_frames]
        nodes = [step["transform"] for step in steps[:-1]]
        if not all(isinstance(node, Tagged) for node in nodes) or not nodes:
            raise Unknown("steps of another layout")
        self._steps = [_Step(nodes[0]), *map(_shared_step, nodes[1:])]
        self.bounding_box: Bounds | CompoundBounds | None = self._steps[0].transform.bounds()

    @property
    def array_shape(self) -> tuple[int, ...] | None:
        """Shape of the array of pixels, (rows, columns) of an image, if the WCS knows it."""
        assert isinstance(self.tree.value, dict)
        shape = self.tree.value.get("pixel_shape")
        return None if shape is None else tuple(int(n) for n in reversed(shape))

    @array_shape.setter
    def array_shape(self, shape: tuple[int, ...]) -> None:
        assert isinstance(self.tree.value, dict)
        self.tree = Tagged(self.tree.tag, self.tree.value | {"pixel_shape": list(reversed(shape))})

    @property
    def name(self) -> str:
        """What the WCS is called."""
        assert isinstance(self.tree.value, dict)
        return str(self.tree.value.get("name", ""))

    @name.setter
    def name(self, name: str) -> None:
        assert isinstance(self.tree.value, dict)
        self.tree = Tagged(self.tree.tag, self.tree.value | {"name": name})

    @cached_property
    def inputs(self) -> int:
        """How many pixel coordinates there are, with the slit or order that some take beside them."""
        return self._steps[0].transform.inputs

    @cached_property
    def outputs(self) -> int:
        """How many world coordinates there are."""
        return self._steps[-1].transform.outputs

    @cached_property
    def _backward(self) -> list[Function]:
        return [step.backward for step in self._steps]

    @property
    def has_inverse(self) -> bool:
        """Whether there is an inverse that is known."""
        try:
            return bool(self._backward)
        except Unknown:
            return False

    def __deepcopy__(self, memo: Any) -> TreeWCS:
        """Return a copy that has its own attributes; trees never change."""
        return copy(self)

    def __call__(self, *pixels: ArrayLike, with_bounding_box: bool = True) -> tuple[F64, ...]:
        """Return world coordinates of 0-based pixels: RA and Dec (degrees) of an image.

        Always a tuple; NaN outside the bounding box.

        Raises
        ------
        ValueError
            If the bounding box depends on an input, and there is none for its value.
        """
        first, last = self.frames[0], self.frames[-1]
        if not with_bounding_box or self.bounding_box is None:
            return self.between(first, last, *pixels)
        kept = inside(self.bounding_box, *pixels)
        if kept.all():
            return self.between(first, last, *pixels)
        # What is outside may be outside of the tables of a transform too: it does not get to see it.
        world = self.between(first, last, *(np.where(kept, v, np.nan) for v in pixels))
        return tuple(np.where(kept, v, np.nan) for v in world)

    def invert(self, *world: ArrayLike, with_bounding_box: bool = True) -> tuple[F64, ...]:
        """Return the 0-based pixels of world coordinates; NaN outside the bounding box.

        Raises
        ------
        Unknown
            If there is no inverse.
        """
        pixels = self.between(self.frames[-1], self.frames[0], *world)
        if not with_bounding_box or self.bounding_box is None:
            return pixels
        kept = inside(self.bounding_box, *pixels)
        return tuple(np.where(kept, v, np.nan) for v in pixels)

    def between(self, first: str, last: str, *values: ArrayLike) -> tuple[F64, ...]:
        """Transform coordinates from one frame to another, forward or back; bounding boxes do not count.

        Raises
        ------
        Unknown
            If there is no inverse.
        """
        start, end = self.frames.index(first), self.frames.index(last)
        forward = [step.forward for step in self._steps[start:end]]
        functions = forward if start <= end else self._backward[end:start][::-1]
        found: tuple[F64, ...] = tuple(np.asarray(v, float) for v in values)
        for function in functions:
            found = function(*found)
        shapes = {np.shape(v) for v in (*values, *found)}
        if len(shapes) == 1:
            return found
        # An output may depend on fewer inputs than another.
        shape = np.broadcast_shapes(*shapes)
        return tuple(v if np.shape(v) == shape else np.array(np.broadcast_to(v, shape)) for v in found)

    def pixel_to_world(self, *pixels: ArrayLike) -> SkyCoord:
        """Return the sky positions of 0-based pixels, as astropy's common WCS interface.

        Raises
        ------
        InputError
            If the world is something else than RA and Dec (ICRS).
        """
        from astropy.coordinates import SkyCoord

        self._check_sky()
        return SkyCoord(*self(*pixels), unit="deg")

    def world_to_pixel(self, position: SkyCoord) -> tuple[F64, ...]:
        """Return the 0-based pixels of sky positions, as astropy's common WCS interface.

        Raises
        ------
        InputError
            If the world is something else than RA and Dec (ICRS).
        """
        self._check_sky()
        position = position.icrs
        return self.invert(position.ra.deg, position.dec.deg)

    def _check_sky(self) -> None:
        world = self.described_frames[-1]
        if (world.kind, world.axes, world.system) != ("celestial_frame", (0, 1), "icrs"):
            raise InputError(
                f"sky positions need a WCS to RA and Dec (ICRS); this one is to the frame {world.name}, a "
                f"{world.system} {world.kind}; call it for the numbers"
            )
