"""Connected regions of a frame, by scipy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.regions.table import Regions


def find_regions(flags: NDArray[np.uint8], bit: int) -> Regions:
    """Return the regions of pixels that have a bit set; diagonal neighbours are connected.

    Parameters
    ----------
    flags : (ny, nx) uint8
    bit : int

    Returns
    -------
    Regions
        In the order of their first pixels, row by row.
    """
    from scipy.ndimage import label

    labels = label((flags & bit) != 0, np.ones((3, 3)))[0]
    change = np.diff(np.pad(labels > 0, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(change > 0)
    stop = np.nonzero(change < 0)[1]
    owner = labels[row, start]
    order = np.argsort(owner, kind="stable")
    runs = np.stack([row, start, stop], axis=1).astype(np.int32)[order]
    first = np.searchsorted(owner[order], np.arange(1, labels.max(initial=0) + 2))
    return Regions(runs, first.astype(np.int64))
