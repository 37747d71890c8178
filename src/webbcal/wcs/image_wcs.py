"""The WCS of an image, for the steps: called like a `gwcs.WCS`, but evaluated without loading gwcs if it can.

``model.meta.wcs`` is a `gwcs.WCS` for whoever asks for it. Files hold its tree; until somebody asks, the
model holds that too, and the steps evaluate it (`evaluation`). Once it has been asked for (it may have been
changed then), or if it has a transform of another kind, the steps use the `gwcs.WCS` itself.
"""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.io.asdf_text import Tagged
from webbcal.wcs.evaluation import Unknown, backward, forward
from webbcal.wcs.trees import Bounds

F64 = NDArray[np.float64]


class ImageWCS:
    """World coordinates of an image, from the tree of a WCS.

    Parameters
    ----------
    tree : Tagged
        A WCS as it stands in a file.

    Attributes
    ----------
    frames : list of str
        Names of the frames, the pixels first.
    bounding_box : ((x0, x1), (y0, y1)) or None
        Outer edges of the pixels that have a position.

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
        self.frames: list[str] = [step["frame"].value["name"] for step in steps]
        if [len(steps[k]["frame"].value["axes_order"]) for k in (0, -1)] != [2, 2]:
            raise Unknown("frames that are not of two axes")
        transforms = [step["transform"] for step in steps[:-1]]
        self._transforms = transforms
        self._forward = [forward(transform) for transform in transforms]
        self._backward: list[Any] | None = None
        self.bounding_box = bounds_of_transform(transforms[0])

    @property
    def array_shape(self) -> tuple[int, int] | None:
        """Rows and columns of the image, if the WCS knows them."""
        assert isinstance(self.tree.value, dict)
        shape = self.tree.value.get("pixel_shape")
        return None if shape is None else (int(shape[1]), int(shape[0]))

    @array_shape.setter
    def array_shape(self, shape: tuple[int, int]) -> None:
        assert isinstance(self.tree.value, dict)
        self.tree = Tagged(self.tree.tag, self.tree.value | {"pixel_shape": [shape[1], shape[0]]})

    @property
    def name(self) -> str:
        """What the WCS is called."""
        assert isinstance(self.tree.value, dict)
        return str(self.tree.value.get("name", ""))

    @name.setter
    def name(self, name: str) -> None:
        assert isinstance(self.tree.value, dict)
        self.tree = Tagged(self.tree.tag, self.tree.value | {"name": name})

    def __deepcopy__(self, memo: Any) -> ImageWCS:
        """Return a copy that has its own attributes; trees never change."""
        return copy(self)

    def __call__(self, x: Any, y: Any, with_bounding_box: bool = True) -> tuple[F64, F64]:
        """Return RA and Dec (degrees) of 0-based pixels; NaN outside the bounding box."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        ra, dec = self.between(self.frames[0], self.frames[-1], x, y)
        if with_bounding_box and self.bounding_box is not None:
            inside = _inside(self.bounding_box, x, y)
            ra, dec = np.where(inside, ra, np.nan), np.where(inside, dec, np.nan)
        return ra, dec

    def invert(self, ra: Any, dec: Any, with_bounding_box: bool = True) -> tuple[F64, F64]:
        """Return the 0-based pixels of sky positions (degrees); NaN outside the bounding box.

        Raises
        ------
        Unknown
            If there is no inverse.
        """
        x, y = self.between(self.frames[-1], self.frames[0], ra, dec)
        if with_bounding_box and self.bounding_box is not None:
            inside = _inside(self.bounding_box, x, y)
            x, y = np.where(inside, x, np.nan), np.where(inside, y, np.nan)
        return x, y

    def between(self, first: str, last: str, x: Any, y: Any) -> tuple[F64, F64]:
        """Transform coordinates from one frame to another, forward or back; bounding boxes do not count.

        Raises
        ------
        Unknown
            If there is no inverse.
        """
        start, end = self.frames.index(first), self.frames.index(last)
        if start > end and self._backward is None:
            self._backward = [backward(transform) for transform in self._transforms]
        functions = self._forward[start:end] if start <= end else (self._backward or [])[end:start][::-1]
        values: tuple[F64, ...] = np.asarray(x, float), np.asarray(y, float)
        for function in functions:
            values = function(*values)
        u, v = values
        return u, v

    def pixel_to_world(self, x: Any, y: Any) -> Any:
        """Return the sky positions (`SkyCoord`) of 0-based pixels, as astropy's common WCS interface."""
        from astropy.coordinates import SkyCoord

        return SkyCoord(*self(x, y), unit="deg")

    def world_to_pixel(self, position: Any) -> tuple[F64, F64]:
        """Return the 0-based pixels of sky positions (`SkyCoord`), as astropy's common WCS interface."""
        position = position.icrs
        return self.invert(position.ra.deg, position.dec.deg)


def image_wcs(model: Any) -> Any:
    """Return the WCS of a model: an `ImageWCS`, a `gwcs.WCS`, or None if it has none."""
    wcs = usable(stored_wcs(model))
    return wcs if wcs is None or isinstance(wcs, ImageWCS) else model.meta.wcs


def stored_wcs(model: Any) -> Any:
    """Return the WCS of a model as the model holds it, a tree or an object, to be given to another model."""
    meta = model.meta
    return meta.instance["wcs"] if meta.hasattr("wcs") else None


def usable(wcs: Any) -> Any:
    """Return something to be called for a WCS as a model holds it: itself, if it is no tree."""
    if not isinstance(wcs, Tagged):
        return wcs
    try:
        made = ImageWCS(wcs)
        made.invert(0.0, 0.0, with_bounding_box=False)
    except Unknown:
        return wcs.resolve()
    return made


def bounds_of(wcs: Any) -> Bounds | None:
    """Return the bounding box of either kind of WCS, ((x0, x1), (y0, y1)), or None."""
    if isinstance(wcs, ImageWCS):
        return wcs.bounding_box
    if wcs.bounding_box is None:
        return None
    bounds: Bounds = wcs.bounding_box.bounding_box(order="F")
    return bounds


def bounded(wcs: Any, shape: tuple[int, ...]) -> Any:
    """Return a WCS that has a bounding box: itself, or a copy whose box is the whole image of this shape.

    The box goes missing when somebody inserts a transform before it, or sets it to None.
    """
    if bounds_of(wcs) is not None:
        return wcs
    made = wcs.tree.resolve() if isinstance(wcs, ImageWCS) else deepcopy(wcs)
    made.bounding_box = (-0.5, shape[-1] - 0.5), (-0.5, shape[-2] - 0.5)
    return made


def _inside(bounds: Bounds, x: F64, y: F64) -> NDArray[np.bool_]:
    (x0, x1), (y0, y1) = bounds
    with np.errstate(invalid="ignore"):
        return (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)


def bounds_of_transform(transform: Tagged) -> Bounds | None:
    """Return the bounding box that is kept with a transform, or None.

    Raises
    ------
    Unknown
        If it is of another layout than images have.
    """
    assert isinstance(transform.value, dict)
    box = transform.value.get("bounding_box")
    if box is None:
        return None
    if not isinstance(box, Tagged) or not isinstance(box.value, dict) or box.kind != "bounding_box":
        raise Unknown("a bounding box of another layout")
    intervals = box.value["intervals"]
    names = transform.value.get("inputs") or sorted(intervals)
    if box.value.get("ignore") or set(names) != set(intervals) or len(names) != 2:
        raise Unknown("a bounding box of other axes")
    (x0, x1), (y0, y1) = (intervals[name] for name in names)
    return (float(x0), float(x1)), (float(y0), float(y1))
