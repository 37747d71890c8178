import numpy as np
import pytest

from webbcal.core.box import Box
from webbcal.kernels import convolution
from webbcal.kernels.convolution import cpu, reference

both = pytest.mark.parametrize("module", [reference, cpu])
KERNEL = np.array([[1, 2, 3], [4, 50, 6], [7, 8, 9]], np.float32)


@both
def test_a_point_becomes_the_kernel(module):
    data = np.zeros((1, 1, 7, 7), np.float32)
    data[0, 0, 3, 3] = 1
    module.convolve(data, KERNEL, Box(0, 7, 0, 7))
    np.testing.assert_array_equal(data[0, 0, 2:5, 2:5], KERNEL)
    assert data.sum() == KERNEL.sum()


@both
def test_reference_pixels_neither_give_nor_receive(module):
    data = np.zeros((1, 1, 9, 9), np.float32)
    data[0, 0, 3, 3] = 100  # in the border of four
    data[0, 0, 4, 4] = 1
    module.convolve(data, KERNEL, Box(4, 9, 4, 9))
    assert data[0, 0, 3, 3] == 100
    np.testing.assert_array_equal(data[0, 0, 4:6, 4:6], KERNEL[1:, 1:])
    assert data.sum() == 100 + KERNEL[1:, 1:].sum()


@both
def test_a_kernel_for_each_pixel_acts_where_the_signal_arrives(module):
    data = np.zeros((1, 1, 5, 5), np.float32)
    data[0, 0, 2, 2] = 1
    kernel = np.zeros((3, 3, 5, 5), np.float32)
    kernel[1, 1] = 1
    kernel[1, 2, 2, 3] = 0.25  # what pixel (2, 3) receives from its left neighbour
    module.convolve(data, kernel, Box(0, 5, 0, 5))
    assert data[0, 0, 2, 3] == 0.25
    assert data.sum() == 1.25


def test_science_box_of_bands():
    sensitive = Box(4, 2044, 4, 2044)
    full = Box(0, 2048, 0, 2048)
    assert convolution.science_box(full, Box(0, 64, 0, 2048), sensitive) == Box(4, 64, 4, 2044)
    assert convolution.science_box(full, Box(1984, 2048, 0, 2048), sensitive) == Box(0, 60, 4, 2044)
    assert convolution.science_box(full, Box(0, 4, 0, 2048), sensitive).shape[0] == 0
    assert convolution.science_box(full, Box(2045, 2048, 0, 2048), sensitive).shape[0] == 0
    assert convolution.science_box(Box(100, 164, 0, 64), Box(0, 64, 0, 64), sensitive) == Box(0, 64, 4, 64)
    assert convolution.halo((3, 3)) == 1
