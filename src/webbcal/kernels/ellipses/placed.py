"""Filled ellipses on the pixel grid: centre and radii are whole numbers, so they are drawn alike anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

#: Columns of `Placed.pixels`.
Y, X, RADIUS_Y, RADIUS_X, Y0, Y1, X0, X1 = range(8)
#: Rows and columns that an ellipse is drawn in beyond its radius.
_MARGIN = 2


@dataclass(frozen=True)
class Placed:
    """Ellipses on a frame.

    Attributes
    ----------
    pixels : (n, 8) int32
        Row and column of the centre; radius along rows and along columns (before it is turned); the box that
        the ellipse is looked for in: first row, row after the last, and the same of columns.
    turn : (n, 2) float64
        Cosine and sine of the angle by which it is turned.
    """

    pixels: I32
    turn: F64

    def __len__(self) -> int:
        return len(self.pixels)

    @classmethod
    def none(cls) -> Placed:
        """Return no ellipses."""
        return cls(np.zeros((0, 8), np.int32), np.zeros((0, 2)))

    @classmethod
    def joined(cls, parts: list[Placed]) -> Placed:
        """Return the ellipses of several."""
        parts = parts or [cls.none()]
        return cls(np.concatenate([p.pixels for p in parts]), np.concatenate([p.turn for p in parts]))

    def selected(self, which: NDArray[np.bool_] | slice) -> Placed:
        """Return some of them."""
        return Placed(self.pixels[which], self.turn[which])

    def meeting(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.bool_]:
        """Return which of them may have pixels in a box."""
        p = self.pixels
        return (p[:, Y0] < y1) & (p[:, Y1] > y0) & (p[:, X0] < x1) & (p[:, X1] > x0)


def placed(y: F64, x: F64, minor: F64, major: F64, degrees: F64, shape: tuple[int, int]) -> Placed:
    """Place ellipses on the pixels of a frame.

    Parameters
    ----------
    y, x : (n,) float64
        Centres; they are rounded to whole pixels.
    minor, major : (n,) float64
        Axes; their halves are rounded to whole pixels, to even ones where they lie between two.
    degrees : (n,) float64
        Direction of the major axis, from the axis of rows towards that of columns.
    shape : tuple of int
        Rows and columns of the frame.
    """
    cy, cx = np.rint(y), np.rint(x)
    ry, rx = np.rint(major / 2), np.rint(minor / 2)
    reach = np.maximum(ry, rx) + _MARGIN
    angle = np.radians(degrees) % np.pi
    cosine, sine = np.cos(angle), np.sin(angle)
    # Half the box around the turned ellipse. A radius below zero (of thin regions) makes it smaller.
    half = np.abs(ry * cosine) + rx * sine, ry * sine + np.abs(rx * cosine)
    pixels = np.empty((len(y), 8), np.int32)
    pixels[:, Y], pixels[:, X], pixels[:, RADIUS_Y], pixels[:, RADIUS_X] = cy, cx, ry, rx
    for centre, half_size, size, low, high in (
        (cy, half[0], shape[0], Y0, Y1),
        (cx, half[1], shape[1], X0, X1),
    ):
        start = np.maximum(centre - reach, 0)
        local = centre - start
        pixels[:, low] = start + np.maximum(np.ceil(local - half_size), 0)
        pixels[:, high] = np.minimum(
            start + np.floor(local + half_size) + 1, np.minimum(centre + reach + 1, size)
        )
    empty = (ry == 0) | (rx == 0)
    pixels[empty, Y1] = pixels[empty, Y0]
    return Placed(pixels, np.stack([cosine, sine], axis=1))
