"""Means over rings, in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ring(inner: float, outer: float) -> NDArray[np.int64]:
    """Return the offsets, (n, 2) rows and columns, of the pixels from one radius to another."""
    reach = int(np.floor(outer))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    square = y**2 + x**2
    return np.argwhere((square >= inner**2) & (square <= outer**2)) - reach


def exceeds(image: NDArray[np.float64], offsets: NDArray[np.int64], limit: float) -> NDArray[np.uint8]:
    """Return where the mean over a ring exceeds a limit: 1, else 0.

    Values that are not finite are left out of means, and have none of their own. What lies outside the image
    counts as zero.

    Parameters
    ----------
    image : (ny, nx) float64
    offsets : (n, 2) int64
        See `ring`.
    limit : float
    """
    good = np.isfinite(image)
    reach = int(np.abs(offsets).max(initial=0))
    values = np.pad(np.where(good, image, 0.0), reach)
    counted = np.pad(good, reach, constant_values=True).astype(np.int64)
    ny, nx = image.shape
    total, number = np.zeros((ny, nx)), np.zeros((ny, nx), np.int64)
    for y, x in offsets + reach:
        total += values[y : y + ny, x : x + nx]
        number += counted[y : y + ny, x : x + nx]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (good & (total / number > limit)).astype(np.uint8)
