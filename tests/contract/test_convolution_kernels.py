"""The compiled IPC convolution must equal the NumPy reference, bit for bit."""

import numpy as np
import pytest

from webbcal.core.box import Box
from webbcal.kernels.convolution import cpu, reference


@pytest.mark.parametrize("size", [(3, 3), (5, 5), (3, 5), (2, 2), (4, 3)])
@pytest.mark.parametrize("each_pixel", [False, True])
@pytest.mark.parametrize("box", [Box(4, 20, 4, 27), Box(0, 20, 0, 31), Box(0, 16, 3, 31), Box(7, 7, 0, 31)])
def test_compiled_equals_reference(size, each_pixel, box):
    rng = np.random.default_rng(3)
    data = rng.normal(100, 30, (2, 3, 20, 31)).astype(np.float32)
    kernel = rng.normal(0, 0.01, size + ((20, 31) if each_pixel else ())).astype(np.float32)
    kernel[size[0] // 2, size[1] // 2] += 1
    expected, found = data.copy(), data.copy()
    reference.convolve(expected, kernel, box)
    cpu.convolve(found, kernel, box)
    np.testing.assert_array_equal(found, expected)


def test_kernel_of_another_band_is_refused():
    with pytest.raises(ValueError, match="IPC kernel for"):
        cpu.convolve(np.zeros((1, 1, 8, 8), np.float32), np.zeros((3, 3, 9, 8), np.float32), Box(0, 8, 0, 8))
