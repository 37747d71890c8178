"""The compiled search for regions, painting of ellipses and means over rings must equal their references."""

import numpy as np
import pytest

from webbcal.kernels.ellipses import cpu as ellipses
from webbcal.kernels.ellipses import ellipse_of, placed
from webbcal.kernels.ellipses import reference as ellipses_reference
from webbcal.kernels.regions import cpu as regions
from webbcal.kernels.regions import filled_area
from webbcal.kernels.regions import reference as regions_reference
from webbcal.kernels.rings import cpu as rings
from webbcal.kernels.rings import reference as rings_reference


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40, 31), (64, 64), (50, 128), (7, 200)])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.6, 1.0])
def test_regions(shape, share):
    rng = np.random.default_rng(1)
    flags = (rng.random(shape) < share).astype(np.uint8) * 4 | rng.integers(0, 4, shape).astype(np.uint8)
    found, expected = regions.find_regions(flags, 4), regions_reference.find_regions(flags, 4)
    np.testing.assert_array_equal(found.runs, expected.runs)
    np.testing.assert_array_equal(found.first, expected.first)
    assert found.area.sum() == np.count_nonzero(flags & 4)


def test_more_runs_than_there_was_room_for():
    flags = np.zeros((80, 64), np.uint8)
    flags[:, ::2] = 1
    found = regions.find_regions(flags, 1)
    assert len(found.runs) == 80 * 32 and len(found) == 32
    assert (found.area == 80).all()


def test_table_of_regions():
    flags = np.zeros((12, 20), np.uint8)
    flags[2:5, 3:8], flags[3, 4:7] = 1, 0  # with a hole
    flags[9, 15], flags[10, 16] = 1, 1  # by a corner
    found = regions.find_regions(flags, 1)
    np.testing.assert_array_equal(found.area, [12, 2])
    np.testing.assert_array_equal(np.transpose(found.bounds), [[2, 5, 3, 8], [9, 11, 15, 17]])
    np.testing.assert_array_equal(np.transpose(found.centroid), [[3, 5], [9.5, 15.5]])
    assert filled_area(found.mask(0)) == 15 and filled_area(found.mask(1)) == 2
    assert len(found.selected(np.array([False, True]))) == 1


def test_ellipse_of_a_bar():
    minor, major, degrees = ellipse_of(np.ones((3, 9), bool))
    assert minor == pytest.approx(4 * np.sqrt(8 / 12) - 1) and major == pytest.approx(
        4 * np.sqrt(80 / 12) - 1
    )
    assert abs(degrees) == pytest.approx(90)


@pytest.mark.parametrize("stop, keep", [(0, 255), (2, 255), (0, 0)])
def test_ellipses(stop, keep):
    rng = np.random.default_rng(2)
    n, shape = 60, (40, 53)
    minor = rng.uniform(-2.5, 12, n)
    found = placed(
        rng.uniform(0, 39, n),
        rng.uniform(0, 52, n),
        minor,
        minor + rng.uniform(0, 8, n),
        rng.uniform(-90, 90, n),
        shape,
    )
    when = np.sort(rng.integers(0, 6, (n, 3)), axis=1).astype(np.int32)
    given = rng.integers(0, 4, (3, 4, 21, 30)).astype(np.uint8)
    ours, expected = given.copy(), given.copy()
    corner = (1, 1, 10, 20)
    ellipses.paint(ours, corner, found, when, 4, stop, keep)
    ellipses_reference.paint(expected, corner, found, when, 4, stop, keep)
    np.testing.assert_array_equal(ours, expected)
    assert np.count_nonzero(ours != given) > 100


def test_a_circle_is_round():
    flags = np.zeros((1, 1, 21, 21), np.uint8)
    one = placed(*(np.array([v]) for v in (10.2, 9.8, 12.0, 12.4, 33.0)), (21, 21))
    ellipses.paint(flags, (0, 0, 0, 0), one, np.array([[0, 0, 1]], np.int32), 4)
    y, x = np.mgrid[:21, :21]
    distance = np.hypot(y - 10, x - 10)
    assert (flags[0, 0][distance < 5.9] == 4).all() and not flags[0, 0][distance > 6.1].any()


@pytest.mark.parametrize("inner, outer", [(0.0, 0.0), (1.0, 3.6), (2.0, 2.0)])
def test_means_over_rings(inner, outer):
    rng = np.random.default_rng(3)
    image = rng.normal(0.3, 1, (30, 41))
    image[rng.random(image.shape) < 0.2] = np.nan
    image[:9, :9], image[20, 20] = np.nan, np.inf
    offsets = rings_reference.ring(inner, outer)
    found = rings.exceeds(image, offsets, 0.2)
    np.testing.assert_array_equal(found, rings_reference.exceeds(image, offsets, 0.2))
    assert 200 < found.sum() < 800


def test_a_ring_looks_around_its_middle():
    image = np.zeros((9, 9))
    image[4, 4] = 10.0
    offsets = rings_reference.ring(1.0, 1.5)
    assert len(offsets) == 8
    found = rings.exceeds(image, offsets, 1.2)
    assert found.sum() == 8 and found[4, 4] == 0 and found[3, 3] == 1
    image[3, 4] = np.nan  # a neighbour that is not there makes the mean of the others larger
    assert rings.exceeds(image, offsets, 10 / 7.5).sum() == 4
