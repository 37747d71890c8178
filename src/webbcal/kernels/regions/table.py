"""The regions of a frame as a table of runs: what they cover, without an image of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

#: Columns of `Regions.runs`.
ROW, START, STOP = range(3)


@dataclass(frozen=True)
class Regions:
    """Connected regions, diagonal neighbours included, of the pixels of a frame that carry a flag.

    Attributes
    ----------
    runs : (n, 3) int32
        Row, first column and column after the last of stretches of pixels; those of a region lie together.
    first : (regions + 1,) int64
        Where the runs of each region begin.
    """

    runs: NDArray[np.int32]
    first: I64

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def area(self) -> I64:
        """Number of pixels of each region."""
        return self._total(self.runs[:, STOP] - self.runs[:, START])

    @property
    def bounds(self) -> tuple[I64, I64, I64, I64]:
        """Smallest boxes around the regions: first row, row after the last, and the same of columns."""
        row, start, stop = self.runs.T
        at = self.first[:-1]
        if len(self) == 0:
            none = np.zeros(0, np.int64)
            return none, none, none, none
        low, high = np.minimum.reduceat(row, at), np.maximum.reduceat(row, at) + 1
        return low, high, np.minimum.reduceat(start, at), np.maximum.reduceat(stop, at)

    @property
    def centroid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean row and mean column of each region: exact sums, divided once."""
        row, start, stop = self.runs.T.astype(np.int64)
        length = stop - start
        area = self.area
        y = self._total(row * length) / area
        x = self._total((start + stop - 1) * length) / (2 * area)
        return y, x

    def mask(self, number: int) -> NDArray[np.bool_]:
        """Return a region's pixels in its smallest box."""
        runs = self.runs[self.first[number] : self.first[number + 1]]
        y0, x0 = int(runs[:, ROW].min()), int(runs[:, START].min())
        mask = np.zeros((int(runs[:, ROW].max()) + 1 - y0, int(runs[:, STOP].max()) - x0), bool)
        for row, start, stop in runs:
            mask[row - y0, start - x0 : stop - x0] = True
        return mask

    def selected(self, keep: NDArray[np.bool_]) -> Regions:
        """Return some of these regions."""
        lengths = np.diff(self.first)
        first = np.concatenate([[0], np.cumsum(lengths[keep])])
        return Regions(self.runs[np.repeat(keep, lengths)], first)

    def _total(self, values: NDArray[np.signedinteger]) -> I64:
        if len(self) == 0:
            return np.zeros(0, np.int64)
        return np.add.reduceat(values.astype(np.int64), self.first[:-1])


def filled_area(mask: NDArray[np.bool_]) -> int:
    """Return the pixels of a region with its holes.

    Background that reaches the edge of the box, by diagonal steps too, is no hole.
    """
    from scipy.ndimage import binary_fill_holes

    return int(np.count_nonzero(binary_fill_holes(mask, np.ones((3, 3)))))
