"""Blocks: pieces of an exposure that flow through the steps while they are hot in cache.

A block is a box of pixels and a range of integrations (and of groups, where the steps allow it). A
`RampBlock` holds samples; a `RateBlock` holds fitted rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box

Array = NDArray[Any]


@dataclass(slots=True)
class Piece:
    """A part of a product that a step makes beside the ramps (`BlockStep.extra_products`).

    Attributes
    ----------
    kind : str
        Which of the step's products.
    pixels : Box
        Where it lies in the product's arrays.
    arrays : dict
    leading : dict
        Where the arrays lie on the axes before rows and columns; all of them by default.
    """

    kind: str
    pixels: Box
    arrays: dict[str, Array]
    leading: dict[str, tuple[slice, ...]]


@dataclass(slots=True)
class RampBlock:
    """Samples of a box of pixels.

    Attributes
    ----------
    box : Box
        Pixels of this block, halo included, in the coordinates of the science array.
    interior : Box
        Pixels whose results are wanted; the rest is halo.
    ints, groups : range
        Integrations and groups of the exposure (0-based).
    data : ndarray
        float32, (integrations, groups, rows, columns), DN.
    groupdq, pixeldq : ndarray
        uint8 like data, and uint32 (rows, columns).
    zeroframe : ndarray or None
        float32, (integrations, rows, columns), DN. Blocks that do not hold the first group have none.
    dark_current : ndarray or None
        Average dark current, e-/s, float32 (rows, columns).
    pieces : sequence of Piece
        What the step that the block comes from made beside it.
    """

    box: Box
    interior: Box
    ints: range
    groups: range
    data: NDArray[np.float32]
    groupdq: NDArray[np.uint8]
    pixeldq: NDArray[np.uint32]
    zeroframe: NDArray[np.float32] | None = None
    dark_current: NDArray[np.float32] | None = None
    pieces: Sequence[Piece] = ()

    @property
    def product(self) -> str:
        """Which product it is a part of."""
        return "ramp"

    @property
    def inner(self) -> Box:
        """The interior in this block's own arrays."""
        return self.interior.relative_to(self.box)

    def cropped(self, halo: int) -> RampBlock:
        """Return this block with no more than `halo` pixels around its interior (copied, contiguous)."""
        box = self.interior.grow(halo, within=self.box)
        if box == self.box:
            return self
        rows, columns = box.relative_to(self.box).slices

        def cut(array: Array | None) -> Any:
            return None if array is None else np.ascontiguousarray(array[..., rows, columns])

        return replace(
            self,
            box=box,
            data=cut(self.data),
            groupdq=cut(self.groupdq),
            pixeldq=cut(self.pixeldq),
            zeroframe=cut(self.zeroframe),
            dark_current=cut(self.dark_current),
        )

    def integrations(self, ints: range) -> RampBlock:
        """Return some of this block's integrations (views)."""
        part = slice(ints.start - self.ints.start, ints.stop - self.ints.start)
        zeroframe = None if self.zeroframe is None else self.zeroframe[part]
        return replace(self, ints=ints, data=self.data[part], groupdq=self.groupdq[part], zeroframe=zeroframe)

    def some_groups(self, groups: range) -> RampBlock:
        """Return some of this block's groups (views)."""
        part = slice(groups.start - self.groups.start, groups.stop - self.groups.start)
        zeroframe = self.zeroframe if groups.start == 0 else None
        data, groupdq = self.data[:, part], self.groupdq[:, part]
        return replace(self, groups=groups, data=data, groupdq=groupdq, zeroframe=zeroframe)

    def arrays(self) -> dict[str, Array]:
        """Interior views of the arrays of the product that this block is part of, by attribute name."""
        ys, xs = self.inner.slices
        held = {
            "data": self.data,
            "groupdq": self.groupdq,
            "pixeldq": self.pixeldq,
            "zeroframe": self.zeroframe,
            "average_dark_current": self.dark_current,
        }
        return {name: a[..., ys, xs] for name, a in held.items() if isinstance(a, np.ndarray)}

    @property
    def leading(self) -> dict[str, tuple[slice, ...]]:
        """Where the arrays lie on the exposure's axes before rows and columns."""
        ints, groups = slice(self.ints.start, self.ints.stop), slice(self.groups.start, self.groups.stop)
        return {"data": (ints, groups), "groupdq": (ints, groups), "zeroframe": (ints,)}


#: Arrays of rates, in the order of their HDUs: scripts of the field count them.
RATE_ARRAYS = ("data", "err", "dq", "var_poisson", "var_rnoise")


@dataclass(slots=True)
class RateBlock:
    """Fitted rates of a box of pixels (no halo: interior only).

    Attributes
    ----------
    interior : Box
    ints : range or None
        The integrations that it holds; None: it is the exposure's rate.
    values : dict
        data, dq, err, var_poisson, var_rnoise: (integrations, rows, columns), or (rows, columns).
    pieces : sequence of Piece
        As of a `RampBlock`.
    """

    interior: Box
    ints: range | None
    values: dict[str, Array]
    extra: Any = None
    pieces: Sequence[Piece] = ()

    @property
    def product(self) -> str:
        """Which product it is a part of."""
        return "image" if self.ints is None else "ints"

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by attribute name."""
        return self.values

    @property
    def leading(self) -> dict[str, tuple[slice, ...]]:
        """Where the arrays lie on the product's axes before rows and columns."""
        ints = () if self.ints is None else (slice(self.ints.start, self.ints.stop),)
        return dict.fromkeys(self.values, ints)


Block = RampBlock | RateBlock


def chunks(whole: range, size: int) -> list[range]:
    """Return consecutive ranges of at most `size` (at least one) that make up `whole`."""
    size = max(1, size)
    return [range(k, min(k + size, whole.stop)) for k in range(whole.start, whole.stop, size)]
