"""Pixel maps by interpolation against the exact ones."""

import logging

import numpy as np
import pytest
from wcs_cases import Case, image

from webbcal.core.box import Box
from webbcal.simulate.references_image import distortion_model
from webbcal.wcs.grid import PixelMap, through_the_sky
from webbcal.wcs.imaging import imaging_wcs
from webbcal.wcs.tree_wcs import TreeWCS


class Held:
    """A reference in memory."""

    name = "the test's reference"

    def __init__(self, **content):
        self.model = type("Model", (), {"instance": content})()


def wcs_of(detector="NRCALONG", turn=0.0, **pointing):
    model = image(Case(detector, filter="N/A" if "GUIDER" in detector else "F444W", **pointing))
    model.meta.wcsinfo.roll_ref += turn
    return TreeWCS(imaging_wcs(model, Held(model=distortion_model(detector))))


@pytest.fixture(scope="module")
def pair():
    return wcs_of(), wcs_of(ra=53.17, dec=-27.784, turn=7.0)


@pytest.mark.parametrize("accuracy", [1e-3, 1e-4, 1e-6])
def test_a_dither_is_as_accurate_as_stated(pair, accuracy):
    shape = (2048, 2048)
    pixel_map = PixelMap(*pair, shape, accuracy)
    assert pixel_map.points > 0 and pixel_map.error <= accuracy
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-0.5, 2047.5, (2, 3000))
    expected = through_the_sky(*pair)(x, y)
    assert np.abs(np.subtract(pixel_map.at(x, y), expected)).max() < accuracy


def test_the_outer_edges_of_the_image(pair):
    pixel_map = PixelMap(*pair, (2048, 2048), 1e-5)
    edge = np.linspace(-0.5, 2047.5, 101)
    low = np.full(101, -0.5)
    for x, y in ((edge, low), (low, edge), (edge, low + 2048), (low + 2048, edge)):
        assert np.abs(np.subtract(pixel_map.at(x, y), through_the_sky(*pair)(x, y))).max() < 1e-5


def test_a_box_is_part_of_the_whole(pair):
    pixel_map = PixelMap(*pair, (300, 200))
    whole, box = pixel_map(), Box(100, 140, 7, 190)
    for all_of_it, part in zip(whole, pixel_map(box), strict=True):
        assert all_of_it.shape == (300, 200) and part.shape == box.shape and part.dtype == np.float64
        np.testing.assert_allclose(part, all_of_it[box.slices], rtol=0, atol=1e-9)
    y, x = np.mgrid[box.slices]
    np.testing.assert_allclose(pixel_map.at(x, y), pixel_map(box), rtol=0, atol=1e-9)


def test_between_detectors_and_over_the_pole():
    """Strongly different frames: a guider onto NIRISS, with the celestial pole in the field."""
    there = wcs_of("NIS", dec=89.999, ra=10.0)
    here = wcs_of("GUIDER1", dec=89.9995, ra=200.0)
    pixel_map = PixelMap(here, there, (2048, 2048), 1e-4)
    assert pixel_map.points
    x, y = np.random.default_rng(2).uniform(0, 2047, (2, 2000))
    assert np.abs(np.subtract(pixel_map.at(x, y), through_the_sky(here, there)(x, y))).max() < 1e-4


def test_the_map_to_itself_is_the_identity(pair):
    to_x, to_y = PixelMap(pair[0], pair[0], (64, 2048), 1e-5)()
    y, x = np.mgrid[:64, :2048]
    # The inverse of the distortion is a fit, good to 1e-6 pixel.
    np.testing.assert_allclose(to_x, x, rtol=0, atol=1e-5)
    np.testing.assert_allclose(to_y, y, rtol=0, atol=1e-5)


class Kink:
    """Coordinates that no polynomial follows."""

    def __call__(self, x, y, with_bounding_box):
        return np.abs(np.asarray(x) - 11.3), np.asarray(y)

    invert = __call__


def test_what_is_not_smooth_is_computed_exactly(caplog):
    with caplog.at_level(logging.WARNING):
        pixel_map = PixelMap(Kink(), Kink(), (20, 40), 1e-6)
    assert "not smooth" in caplog.text and pixel_map.points == 0
    x, y = pixel_map(Box(2, 5, 8, 16))
    np.testing.assert_array_equal(x[0], np.abs(np.abs(np.arange(8, 16) - 11.3) - 11.3))
    np.testing.assert_array_equal(y[:, 0], np.arange(2, 5))
    np.testing.assert_array_equal(pixel_map.at([3.0], [1.0]), ([np.abs(8.3 - 11.3)], [1.0]))
