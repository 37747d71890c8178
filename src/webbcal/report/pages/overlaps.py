"""How much the skies of two exposures differ where they overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from webbcal.report.pages.members import Coarse

_FEWEST = 6  # blocks that must overlap
#: A median scatters more than a mean, by this factor, for many values of normal noise.
_MEDIAN = 1.2533


@dataclass(frozen=True)
class Overlap:
    """Two exposures that overlap.

    Attributes
    ----------
    first, second : int
        Positions in the list.
    blocks : int
        Blocks of pixels that both have.
    difference, error : float
        Median of the first less the second, and what its scatter says of its error.
    """

    first: int
    second: int
    blocks: int
    difference: float
    error: float


def overlaps_of(images: Sequence[Coarse | None], most: int = 300) -> list[Overlap]:
    """Return how pairs of images differ where they overlap.

    Centres of blocks of one are looked up in the other: exact to a block, which is enough for a sky. Stars
    fall in different blocks and are outliers of the median.

    Parameters
    ----------
    images : sequence of Coarse or None
    most : int
        Pairs that are looked at, at most; they are taken evenly from all.
    """
    known = [k for k, image in enumerate(images) if image is not None]
    pairs = list(combinations(known, 2))
    chosen = pairs[:: max(1, -(-len(pairs) // most))]
    found = (_overlap(k, m, images[k], images[m]) for k, m in chosen)
    return [overlap for overlap in found if overlap is not None]


def _overlap(k: int, m: int, one: Coarse | None, other: Coarse | None) -> Overlap | None:
    if one is None or other is None or one.unit != other.unit:
        return None
    values = _in_both(one, other)
    if values.size < _FEWEST:
        return None
    middle = float(np.median(values))
    scatter = 1.4826 * float(np.median(np.abs(values - middle)))
    return Overlap(k, m, int(values.size), middle, _MEDIAN * scatter / np.sqrt(values.size))


def _in_both(one: Coarse, other: Coarse) -> np.ndarray:
    """Return the differences of blocks of one and those of the other that are there."""
    rows, columns = np.nonzero(np.isfinite(one.blocks))
    if not rows.size:
        return np.zeros(0)
    middle = (one.factor - 1) / 2
    ra, dec, *_ = one.wcs(columns * one.factor + middle, rows * one.factor + middle)
    x, y, *_ = other.wcs.invert(ra, dec, with_bounding_box=False)
    known = np.isfinite(x) & np.isfinite(y)
    column = np.floor((np.where(known, x, -1) + 0.5) / other.factor).astype(int)
    row = np.floor((np.where(known, y, -1) + 0.5) / other.factor).astype(int)
    ny, nx = other.blocks.shape
    inside = known & (row >= 0) & (row < ny) & (column >= 0) & (column < nx)
    values = one.blocks[rows[inside], columns[inside]] - other.blocks[row[inside], column[inside]]
    return np.asarray(values[np.isfinite(values)], np.float64)
