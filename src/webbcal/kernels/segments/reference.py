"""Segments in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


def count_peaks(image: F32, labels: I32, connectivity: int) -> NDArray[np.int64]:
    """Return for each label, from 1, the number of pixels of its segment that no neighbour in it exceeds.

    A segment with one such pixel stays connected above any threshold. (One with a flat top has several.)

    Parameters
    ----------
    image : (ny, nx) float32
    labels : (ny, nx) int32
        0 for no segment.
    connectivity : int
        4, or 8 to count diagonal neighbours.
    """
    peaks = np.zeros(int(labels.max(initial=0)), np.int64)
    ny, nx = image.shape
    for y, x in np.argwhere(labels > 0):
        higher = False
        for j in range(max(0, y - 1), min(ny, y + 2)):
            for i in range(max(0, x - 1), min(nx, x + 2)):
                if connectivity == 8 or j == y or i == x:
                    higher |= labels[j, i] == labels[y, x] and image[j, i] > image[y, x]
        peaks[labels[y, x] - 1] += not higher
    return peaks
