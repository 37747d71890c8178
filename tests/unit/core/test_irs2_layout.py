"""Where pixels lie in raw IRS2 frames, by hand."""

import numpy as np
import pytest

from webbcal.core.box import Box
from webbcal.core.irs2 import Interleaving

NRS1, NRS2 = Interleaving(turned=False), Interleaving(turned=True)


def test_sizes():
    assert (NRS1.rows, NRS1.section, NRS1.period, NRS1.row_clocks) == (3200, 640, 22, 712)
    assert NRS1.science.sum() == NRS2.science.sum() == 2048
    assert NRS1.frame_time == pytest.approx(14.5889, abs=1e-4)


def test_eight_science_pixels_then_four_reference_pixels():
    assert not NRS1.science[:640].any()  # the reference output
    np.testing.assert_array_equal(NRS1.science[640:680], [1] * 8 + [0] * 4 + [1] * 16 + [0] * 4 + [1] * 8)
    assert NRS1.science[-8:].all() and not NRS1.science[-12:-8].any()
    np.testing.assert_array_equal(NRS2.science, NRS1.science[::-1])


def test_clocks_step_out_and_back():
    # Output 1 is read along the fast axis, output 2 against it.
    np.testing.assert_array_equal(NRS1.clock_of[640:656], [*range(8), 9, 10, 11, 12, 14, 15, 16, 17])
    np.testing.assert_array_equal(NRS1.clock_of[1280:1920], NRS1.clock_of[640:1280][::-1])
    assert NRS1.clock_of.max() == 703  # eight clocks of overhead follow
    np.testing.assert_array_equal(NRS2.clock_of, NRS1.clock_of[::-1])
    np.testing.assert_array_equal(NRS2.section_of[[0, 640, -1]], [4, 3, 0])


def test_boxes_of_science_pixels():
    assert NRS1.stripped(Box(0, 640, 3, 9)) == Box(0, 0, 3, 9)
    assert NRS1.stripped(Box(640, 660, 0, 1)) == Box(0, 16, 0, 1)
    assert NRS1.stripped(Box(0, 3200, 0, 2048)) == Box(0, 2048, 0, 2048)
    np.testing.assert_array_equal(NRS1.science_rows(Box(646, 654, 0, 1)), [0, 1, 6, 7])


@pytest.mark.parametrize(("pixels", "rows"), [(0, 0), (1, 5), (2, 6), (16, 20), (17, 25)])
def test_reach_holds_the_neighbours(pixels, rows):
    assert NRS1.reach(pixels) == rows
    for row in np.flatnonzero(NRS1.science)[[0, 7, 8, 100, 2047]]:
        wanted = min(pixels, NRS1.science[row + 1 :].sum())
        assert NRS1.science[row + 1 : row + 1 + rows].sum() >= wanted
