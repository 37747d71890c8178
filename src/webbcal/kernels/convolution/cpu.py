"""IPC convolution, compiled: see `webbcal.kernels.convolution.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import helper
from webbcal.kernels.compiling import kernel as compiled

F32 = NDArray[np.float32]


def convolve(data: F32, kernel: F32, science: Box) -> None:
    """Convolve the light-sensitive pixels of every group with the IPC kernel; as `reference.convolve`."""
    if kernel.ndim == 2:  # an array of one pixel, so that both kinds share one compiled function
        kernel = kernel[:, :, None, None]
    elif kernel.shape[2:] != data.shape[2:]:
        raise ValueError(f"IPC kernel for {kernel.shape[2:]} pixels given for a band of {data.shape[2:]}")
    box = science.y0, science.y1, science.x0, science.x1
    _convolve(inplace(data, np.float32, 4, "data"), readable(kernel, np.float32, 4), box)


@compiled
def _convolve(data, kernel, box):  # type: ignore[no-untyped-def]
    y0, y1, x0, x1 = box
    kj, ki = kernel.shape[:2]
    below, left = kj // 2, ki // 2
    ny, nx = y1 - y0, x1 - x0
    each_pixel = kernel.shape[2] > 1 or kernel.shape[3] > 1
    padded = np.zeros((ny + kj - 1, nx + ki - 1), np.float32)
    total = np.empty(nx, np.float32)
    for i in range(data.shape[0]):
        for g in range(data.shape[1]):
            for y in range(ny):
                _copy(data[i, g, y0 + y, x0:x1], padded[below + y, left : left + nx])
            for y in range(ny):
                for x in range(nx):
                    total[x] = np.float32(0)
                for j in range(kj):
                    for k in range(ki):
                        if j != below or k != left:
                            source = padded[y + kj - j - 1, ki - k - 1 : ki - k - 1 + nx]
                            _add(total, kernel[j, k], source, y0 + y, x0, each_pixel)
                source = padded[y + below, left : left + nx]
                _add(total, kernel[below, left], source, y0 + y, x0, each_pixel)
                _copy(total, data[i, g, y0 + y, x0:x1])


@helper
def _copy(source, to):  # type: ignore[no-untyped-def]
    for x in range(to.size):
        to[x] = source[x]


@helper
def _add(total, weights, source, y, x0, each_pixel):  # type: ignore[no-untyped-def]
    if each_pixel:
        for x in range(total.size):
            total[x] += weights[y, x0 + x] * source[x]
    else:
        weight = weights[0, 0]
        for x in range(total.size):
            total[x] += weight * source[x]


def warm_up() -> None:
    """Compile what is not compiled yet."""
    convolve(np.zeros((1, 1, 1, 1), np.float32), np.ones((1, 1), np.float32), Box(0, 1, 0, 1))
