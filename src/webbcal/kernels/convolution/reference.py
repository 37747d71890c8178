"""IPC convolution in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box

F32 = NDArray[np.float32]


def convolve(data: F32, kernel: F32, science: Box) -> None:
    """Convolve the light-sensitive pixels of every group with the IPC kernel, in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, nx) float32
        Ramps.
    kernel : (kj, ki) or (kj, ki, rows, nx) float32
        The kernel, or one for each pixel of the band (in its last two axes). The central element,
        expected to be the largest, is added last.
    science : Box
        Light-sensitive pixels in the coordinates of the band. Others are neither read nor changed; a
        neighbour outside the box counts as zero. A band is right in its interior if it has
        `webbcal.kernels.convolution.halo` rows of halo.
    """
    kj, ki = kernel.shape[:2]
    ny, nx = science.shape
    below, left = kj // 2, ki // 2
    rows, cols = science.slices
    weights = kernel[..., rows, cols] if kernel.ndim == 4 else kernel
    # (element, first row and column of the shifted image); the centre comes last
    taps = [((j, i), kj - j - 1, ki - i - 1) for j in range(kj) for i in range(ki) if (j, i) != (below, left)]
    taps.append(((below, left), below, left))
    for plane in data.reshape(-1, *data.shape[2:]):
        padded = np.zeros((ny + kj - 1, nx + ki - 1), np.float32)
        padded[below : below + ny, left : left + nx] = plane[science.slices]
        total = np.zeros((ny, nx), np.float32)
        for element, y, x in taps:
            total += weights[element] * padded[y : y + ny, x : x + nx]
        plane[science.slices] = total
