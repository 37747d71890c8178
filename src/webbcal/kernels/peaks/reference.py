"""Local maxima in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def maxima(image: F32, masked: NDArray[np.bool_], threshold: float, radius: int) -> NDArray[np.bool_]:
    """Return which pixels are the largest within a circle around them, and above a threshold.

    Parameters
    ----------
    image : (ny, nx) float32
        NaN is no maximum and hides none.
    masked : (ny, nx) bool
        Pixels that are no maximum; they still hide lower neighbours.
    threshold : float
        A maximum is larger than this.
    radius : int
        Pixels whose centres are at most this far compete; equal ones are all kept. Beyond the edges the image
        is taken to be zero.

    Returns
    -------
    (ny, nx) bool
    """
    found = np.zeros(image.shape, bool)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    circle = y**2 + x**2 <= radius**2
    padded = np.pad(image, radius)
    with np.errstate(invalid="ignore"):
        candidates = np.argwhere((image > np.float32(threshold)) & ~masked)
    for row, column in candidates:
        around = padded[row : row + 2 * radius + 1, column : column + 2 * radius + 1][circle]
        found[row, column] = image[row, column] >= np.nanmax(around)
    return found
