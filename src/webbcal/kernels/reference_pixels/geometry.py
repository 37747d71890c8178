"""Where an exposure's reference pixels lie.

Files hold images in the science frame. The detector reads along its fast axis, which may run along
either axis of the science frame in either direction (keywords FASTAXIS and SLOWAXIS: ±1 or ±2). In the
detector frame rows are read one after the other from the bottom, and each amplifier reads a block of
columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box

#: Width of the border, in pixels.
BORDER = 4


@dataclass(frozen=True, slots=True)
class Geometry:
    """Readout geometry of a near-infrared exposure.

    Attributes
    ----------
    box : Box
        The exposure's pixels in the full detector, science frame, 0-based.
    fastaxis, slowaxis : int
        ±1 or ±2: along which science axis (1: x) and in which direction the detector reads.
    noutputs : int
        Amplifiers in use.
    size : int
        Pixels along a side of the full detector.
    """

    box: Box
    fastaxis: int
    slowaxis: int
    noutputs: int
    size: int = 2048

    def __post_init__(self) -> None:
        if sorted((abs(self.fastaxis), abs(self.slowaxis))) != [1, 2]:
            raise ValueError(f"FASTAXIS={self.fastaxis} and SLOWAXIS={self.slowaxis} are not two axes")

    @property
    def full(self) -> Box:
        """The whole detector."""
        return Box(0, self.size, 0, self.size)

    @property
    def by_amplifier(self) -> bool:
        """Whether four amplifiers read the exposure, each with its own drift."""
        return self.box.shape == self.full.shape or self.noutputs == 4

    @property
    def fast_is_x(self) -> bool:
        """Whether the detector's columns are the columns of the science frame."""
        return abs(self.fastaxis) == 1

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether the science frame's y and x run against the detector's axes."""
        x, y = (self.fastaxis, self.slowaxis) if self.fast_is_x else (self.slowaxis, self.fastaxis)
        return y < 0, x < 0

    @property
    def misfit(self) -> str | None:
        """Why no correction is possible: the subarray does not lie on the detector."""
        if not self.full.contains(self.box):
            return f"the subarray {self.box} does not fit on the detector"
        return None


class Border(NamedTuple):
    """Four strips of an array: rows at the bottom and top, columns at the left and right.

    The last two axes are image axes. In the corners the strips overlap.
    """

    bottom: Any
    top: Any
    left: Any
    right: Any


def border_boxes(geometry: Geometry) -> Border:
    """Return the boxes of the border strips in the coordinates of the exposure's own array.

    A strip that the subarray does not reach is an empty box.
    """
    n, b, box = geometry.size, BORDER, geometry.box
    strips = (Box(0, b, 0, n), Box(n - b, n, 0, n), Box(0, n, 0, b), Box(0, n, n - b, n))
    return Border(*(_intersection(strip, box).relative_to(box) for strip in strips))


def _intersection(a: Box, b: Box) -> Box:
    y0, x0 = max(a.y0, b.y0), max(a.x0, b.x0)
    y1, x1 = max(y0, min(a.y1, b.y1)), max(x0, min(a.x1, b.x1))
    return Box(y0, y1, x0, x1)


def cut_border(array: NDArray[Any], geometry: Geometry) -> Border:
    """Cut the strips from an array whose last two axes are the exposure's (a view)."""
    return Border(*(array[(..., *box.slices)] for box in border_boxes(geometry)))


def embed(strips: Border, geometry: Geometry, fill: Any) -> Border:
    """Return the strips of the full detector, `fill` where the exposure has no pixel."""
    n = geometry.size
    out: list[NDArray[Any]] = []
    for strip, box in zip(strips, border_boxes(geometry), strict=True):
        horizontal = len(out) < 2
        shape = (BORDER, n) if horizontal else (n, BORDER)
        if strip.shape[-2:] == shape:
            out.append(strip)
            continue
        full = np.full((*strip.shape[:-2], *shape), fill, strip.dtype)
        if strip.size:
            on_detector = box.shift(geometry.box.y0, geometry.box.x0)
            y = on_detector.y0 - (n - BORDER if len(out) == 1 else 0)
            x = on_detector.x0 - (n - BORDER if len(out) == 3 else 0)
            full[..., y : y + box.shape[0], x : x + box.shape[1]] = strip
        out.append(full)
    return Border(*out)


def to_detector(strips: Border, geometry: Geometry) -> Border:
    """Turn strips of the full detector from the science frame into the detector frame."""
    bottom, top, left, right = strips
    flip_y, flip_x = geometry.flips
    if flip_y:
        bottom, top = top[..., ::-1, :], bottom[..., ::-1, :]
        left, right = left[..., ::-1, :], right[..., ::-1, :]
    if flip_x:
        bottom, top = bottom[..., ::-1], top[..., ::-1]
        left, right = right[..., ::-1], left[..., ::-1]
    if not geometry.fast_is_x:
        bottom, top, left, right = (np.swapaxes(s, -2, -1) for s in (left, right, bottom, top))
    return Border(bottom, top, left, right)


def axis_positions(geometry: Geometry, band: Box) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the detector columns (fast axis) and rows (slow axis) of a band's pixels.

    Parameters
    ----------
    band : Box
        The band in the coordinates of the exposure's own array.

    Returns
    -------
    fast, slow : ndarray of int
        Detector column of each position along the band's fast axis, and row along its slow axis.
    """
    flip_y, flip_x = geometry.flips
    y = np.arange(band.y0, band.y1) + geometry.box.y0
    x = np.arange(band.x0, band.x1) + geometry.box.x0
    y, x = (geometry.size - 1 - y if flip_y else y), (geometry.size - 1 - x if flip_x else x)
    return (x, y) if geometry.fast_is_x else (y, x)
