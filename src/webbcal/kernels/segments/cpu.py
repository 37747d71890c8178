"""Segments, compiled: see `webbcal.kernels.segments.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.segments.reference import F32, I32


def count_peaks(image: F32, labels: I32, connectivity: int) -> NDArray[np.int64]:
    """Return for each label the number of its peaks; as `reference.count_peaks`."""
    peaks = np.zeros(int(labels.max(initial=0)), np.int64)
    _count_peaks(readable(image, np.float32, 2), readable(labels, np.int32, 2), connectivity == 8, peaks)
    return peaks


@kernel
def _count_peaks(image, labels, diagonal, peaks):  # type: ignore[no-untyped-def]
    ny, nx = image.shape
    for y in range(ny):
        for x in range(nx):
            if labels[y, x] > 0 and not _has_higher(image, labels, diagonal, y, x):
                peaks[labels[y, x] - 1] += 1


@helper
def _has_higher(image, labels, diagonal, y, x):  # type: ignore[no-untyped-def]
    ny, nx = image.shape
    for j in range(max(0, y - 1), min(ny, y + 2)):
        for i in range(max(0, x - 1), min(nx, x + 2)):
            near = diagonal or j == y or i == x
            if near and labels[j, i] == labels[y, x] and image[j, i] > image[y, x]:
                return True
    return False


def warm_up() -> None:
    """Compile what is not compiled yet."""
    count_peaks(np.zeros((1, 1), np.float32), np.ones((1, 1), np.int32), 8)
