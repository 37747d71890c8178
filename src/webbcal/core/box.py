"""Pixel regions.

A `Box` is a half-open rectangle of detector pixels, ``[y0, y1) × [x0, x1)``, in 0-based coordinates of
some parent array. Cutting a reference file to a subarray, reading a band of rows and growing it by a
halo are all operations on boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open rectangle of pixels ``[y0, y1) × [x0, x1)``."""

    y0: int
    y1: int
    x0: int
    x1: int

    def __post_init__(self) -> None:
        if self.y1 < self.y0 or self.x1 < self.x0:
            raise ValueError(f"box has negative size: {self}")

    @classmethod
    def of_shape(cls, shape: tuple[int, ...]) -> Box:
        """Return the box that covers the last two axes of an array of this shape."""
        return cls(0, shape[-2], 0, shape[-1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Slices that cut this box from an array in the parent's coordinates."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def shift(self, dy: int, dx: int) -> Box:
        """Return this box moved by (dy, dx)."""
        return Box(self.y0 + dy, self.y1 + dy, self.x0 + dx, self.x1 + dx)

    def transposed(self) -> Box:
        """Return this box with rows and columns exchanged."""
        return Box(self.x0, self.x1, self.y0, self.y1)

    def grow(self, halo: int, within: Box) -> Box:
        """Return this box grown by `halo` pixels on each side, clipped to `within`."""
        return Box(
            max(self.y0 - halo, within.y0),
            min(self.y1 + halo, within.y1),
            max(self.x0 - halo, within.x0),
            min(self.x1 + halo, within.x1),
        )

    def overlap(self, other: Box) -> Box | None:
        """Return the pixels that are in both boxes, or None if there are none."""
        y0, y1 = max(self.y0, other.y0), min(self.y1, other.y1)
        x0, x1 = max(self.x0, other.x0), min(self.x1, other.x1)
        return Box(y0, y1, x0, x1) if y1 > y0 and x1 > x0 else None

    def relative_to(self, outer: Box) -> Box:
        """Return this box in the coordinates of `outer`'s own array."""
        return self.shift(-outer.y0, -outer.x0)

    def contains(self, other: Box) -> bool:
        """Tell whether `other` lies entirely within this box."""
        return self.y0 <= other.y0 and other.y1 <= self.y1 and self.x0 <= other.x0 and other.x1 <= self.x1

    def bands(self, rows: int) -> Iterator[Box]:
        """Yield consecutive boxes of at most `rows` rows that tile this box."""
        for y in range(self.y0, self.y1, rows):
            yield Box(y, min(y + rows, self.y1), self.x0, self.x1)
