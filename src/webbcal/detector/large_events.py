"""Large events: what snowballs and showers have in common.

They are looked for on whole frames, and become ellipses: a few numbers each, however many samples they flag.
So the search is a measurement, and what is done to a block is painting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.kernels.ellipses import Placed, ellipse_of, placed
from webbcal.kernels.regions import Regions, filled_area
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.exposure import Exposure

ellipses = kernels.get("ellipses")

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """Ellipses of regions of a frame; arrays of one value for each.

    Attributes
    ----------
    y, x : ndarray
        Centroid.
    minor, major : ndarray
        Axes in pixels.
    degrees : ndarray
        Direction of the major axis, from the axis of rows towards that of columns.
    """

    y: F64
    x: F64
    minor: F64
    major: F64
    degrees: F64

    def __len__(self) -> int:
        return len(self.y)

    def selected(self, which: NDArray[np.bool_]) -> Found:
        """Return some of them."""
        return Found(*(v[which] for v in (self.y, self.x, self.minor, self.major, self.degrees)))

    def placed(self, minor: F64, major: F64, shape: tuple[int, int]) -> Placed:
        """Return them on the pixels of a frame, with other axes."""
        return placed(self.y, self.x, minor, major, self.degrees, shape)


def ellipses_of(regions: Regions) -> Found:
    """Return the ellipses of regions."""
    axes = np.array([ellipse_of(regions.mask(k)) for k in range(len(regions))]).reshape(-1, 3)
    return Found(*regions.centroid, *axes.T)


def large_regions(regions: Regions, area: float) -> Regions:
    """Return the regions that cover, with their holes, at least an area."""
    large = regions.area >= area
    y0, y1, x0, x1 = regions.bounds
    for k in map(int, np.flatnonzero(~large & ((y1 - y0) * (x1 - x0) >= area))):
        large[k] = filled_area(regions.mask(k)) >= area
    return regions.selected(large)


def enlarged(found: Found, factor: float, largest: float, shape: tuple[int, int]) -> Placed:
    """Return ellipses on a frame whose minor axis is larger by a factor, and the major by as many pixels.

    So long ones do not grow to great lengths. No half axis becomes longer than `largest`.
    """
    minor = np.minimum(found.minor * factor, 2 * largest)
    major = np.minimum(found.major + (factor - 1.0) * found.minor, 2 * largest)
    return found.placed(2 * np.rint(minor / 2), 2 * np.rint(major / 2), shape)


@dataclass(frozen=True)
class Flagged:
    """Ellipses, and the samples that they flag.

    Attributes
    ----------
    ellipses : Placed
    when : (n, 3) int32
        Integration, first group and group after the last.
    """

    ellipses: Placed
    when: NDArray[np.int32]

    @classmethod
    def at(cls, ellipses: Placed, integration: int, first: int, stop: int) -> Flagged:
        """Return ellipses of one integration that flag the same groups."""
        return cls(ellipses, np.tile(np.array([integration, first, stop], np.int32), (len(ellipses), 1)))

    @classmethod
    def joined(cls, parts: list[Flagged]) -> Flagged:
        """Return the ellipses of several."""
        when = [p.when for p in parts] or [np.zeros((0, 3), np.int32)]
        return cls(Placed.joined([p.ellipses for p in parts]), np.concatenate(when))

    def paint(self, block: RampBlock, bit: int, stop: int = 0, keep: int = 255) -> None:
        """Add a flag to the samples of a block; see `webbcal.kernels.ellipses.reference.paint`."""
        corner = (block.ints.start, block.groups.start, block.box.y0, block.box.x0)
        ellipses.paint(block.groupdq, corner, self.ellipses, self.when, bit, stop, keep)


def is_unused(flags: NDArray[np.uint8]) -> bool:
    """Tell whether a frame is DO_NOT_USE in every pixel."""
    flag = dqflags.group["DO_NOT_USE"]
    return bool((flags[0] & flag).all() and (flags & flag).all())


def record_rate(model: Any, exposure: Exposure, number: int, unused: int) -> None:
    """Record the rate of large events (per million pixel-seconds) in a product.

    Parameters
    ----------
    model : DataModel
    exposure : Exposure
    number : int
        Events.
    unused : int
        Groups of integrations that no pixel uses.
    """
    assert exposure.readout is not None
    groups = exposure.nints * exposure.ngroups - unused - exposure.nints
    if groups >= 1:
        pixels = exposure.shape[-2] * exposure.shape[-1]
        seconds = exposure.readout.tgroup * groups
        model.meta.exposure.extended_emission_events = 1e6 * number / (seconds * pixels)
