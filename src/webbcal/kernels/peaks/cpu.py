"""Local maxima, compiled: see `webbcal.kernels.peaks.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel

F32 = NDArray[np.float32]


def maxima(image: F32, masked: NDArray[np.bool_], threshold: float, radius: int) -> NDArray[np.bool_]:
    """Return which pixels are the largest within a circle around them; as `reference.maxima`."""
    found = np.zeros(image.shape, np.bool_)
    pixels, hidden = readable(image, np.float32, 2), readable(masked, np.bool_, 2)
    _maxima(pixels, hidden, np.float32(threshold), radius, found)
    return found


@kernel
def _maxima(image, masked, threshold, radius, found):  # type: ignore[no-untyped-def]
    ny, nx = image.shape
    for y in range(ny):
        for x in range(nx):
            if image[y, x] > threshold and not masked[y, x]:
                found[y, x] = _is_largest(image, y, x, radius)


@helper
def _is_largest(image, y, x, radius):  # type: ignore[no-untyped-def]
    ny, nx = image.shape
    value = image[y, x]
    inside = radius <= y < ny - radius and radius <= x < nx - radius
    if not inside and value < 0:
        return False
    for j in range(max(y - radius, 0), min(y + radius + 1, ny)):
        for i in range(max(x - radius, 0), min(x + radius + 1, nx)):
            if (j - y) ** 2 + (i - x) ** 2 <= radius**2 and image[j, i] > value:
                return False
    return True


def warm_up() -> None:
    """Compile what is not compiled yet."""
    maxima(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.bool_), 1.0, 1)
