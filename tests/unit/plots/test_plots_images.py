"""Images: what is black and white, where pixels are drawn, and what is refused."""

import io

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image
from plot_cases import image, ramp, slits

from webbcal import plots
from webbcal.core.errors import InputError, ParameterError, WebbcalError
from webbcal.plots.limits import limits
from webbcal.plots.stretch import STRETCHES, norm_of, ticks


def shown(axes):
    """Return the picture that was drawn on axes."""
    (found,) = axes.get_images()
    return found


def test_limits_are_those_of_the_sky_and_the_stars():
    axes = plots.show_image(image())
    low, high = shown(axes).norm.vmin, shown(axes).norm.vmax
    assert 1.6 < low < 1.8  # three times the noise below the sky
    assert 10 < high < 110  # a star, not the dead pixel
    half = shown(axes).norm(2.0), shown(axes).norm(high)
    assert 0.03 < half[0] < 0.4 and half[1] == 1.0
    assert axes.get_title("left") == "NRCB1 F200W  jw1_nrcb1_cal"
    assert axes.get_xlabel() == "Column (pixel)" and axes.figure.axes[1].get_ylabel() == "MJy/sr"


def test_a_path_a_model_and_an_array_are_drawn_alike(tmp_path):
    model = image()
    model.save(tmp_path / "jw1_nrcb1_cal.fits")
    first = shown(plots.show_image(tmp_path / "jw1_nrcb1_cal.fits")).get_array()
    for same in (model, model.data):
        np.testing.assert_array_equal(shown(plots.show_image(same)).get_array(), first)


@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_stretch_rises_between_its_limits(stretch):
    norm = norm_of(image().data, stretch, 1.0, 50.0)
    at = np.linspace(1.0, 50.0, 200)
    assert norm(1.0) == 0 and norm(50.0) == 1 and (np.diff(norm(at)) > 0).all()
    np.testing.assert_allclose(norm.inverse(norm(at)), at, rtol=1e-6)
    assert not np.ma.is_masked(norm(np.array([-10.0]))) and norm(-10.0) <= 0  # black, not missing
    round_ones = ticks(norm)
    assert len(round_ones) >= 3 and (round_ones >= 1).all() and (round_ones <= 50).all()


@pytest.mark.parametrize("values", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.arange(16.0)])
def test_images_without_noise_have_limits(values):
    low, high = limits(values)
    assert np.isfinite([low, high]).all() and low < high


def test_planes_of_a_ramp():
    model = ramp()
    model.data[1, 2] = 7.0
    drawn = shown(plots.show_image(model, integration=1, group=2))
    assert (drawn.get_array() == 7.0).all()
    assert "[1, 2]" in drawn.axes.get_title("left")
    assert "jw1_nrcb1_ramp" in plots.show_image(model).get_title("left")


def test_large_images_are_put_together_in_their_place():
    data = np.zeros((30, 7205), np.float32)
    data[12, 7200] = 9000.0
    data[:, :3] = np.nan
    axes = plots.show_image(data, 0, 1000)
    left, right, bottom, top = shown(axes).get_extent()
    values = shown(axes).get_array().filled(np.nan)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    size = (right - left) / values.shape[1]
    assert size == (top - bottom) / values.shape[0] == 4.0
    assert values.max() == 9000.0 / size**2 or values[row, column] > 0
    assert abs(left + (column + 0.5) * size - 7200) <= size / 2
    assert abs(bottom + (row + 0.5) * size - 12) <= size / 2
    assert axes.get_xlim() == (-0.5, 7204.5)


def test_the_axes_that_are_given_are_drawn_on():
    figure = Figure()
    axes = figure.add_subplot()
    before = len(pyplot.get_fignums())
    assert plots.show_image(image(), ax=axes, colorbar=False) is axes
    assert len(figure.axes) == 1 and len(pyplot.get_fignums()) == before


def test_two_images_share_their_limits():
    one, two = image(), image(seed=2)
    drawn = plots.side_by_side(one, two, difference=True, titles=("a", "b"))
    first, second, third = (shown(axes) for axes in drawn)
    assert (first.norm.vmin, first.norm.vmax) == (second.norm.vmin, second.norm.vmax)
    np.testing.assert_allclose(third.get_array(), two.data - one.data)
    assert third.norm.vmin == -third.norm.vmax
    assert [axes.get_title("left") for axes in drawn] == ["a", "b", "second − first"]


def test_a_picture_is_small():
    axes = plots.show_image(image())
    packed, full = plots.png(axes), plots.png(axes.figure, colours=None)
    assert packed[:8] == full[:8] == b"\x89PNG\r\n\x1a\n" and len(packed) < len(full)
    sizes = {Image.open(io.BytesIO(data)).size for data in (packed, full, plots.png([axes]))}
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: plots.show_image(ramp(), integration=5), InputError, "integration 5: it has 2"),
        (lambda: plots.show_image(image(), array="area"), InputError, "no array 'area'"),
        (lambda: plots.show_image(image(), stretch="x"), ParameterError, "asinh, linear, log, sqrt"),
        (lambda: plots.show_image(image(), 5, 3), ParameterError, "vmin = 5 is not below vmax = 3"),
        (lambda: plots.show_image(image(), sky=True), InputError, "run assign_wcs"),
        (lambda: plots.show_image(slits()), InputError, "3 slits"),
        (lambda: plots.show_image(np.zeros(5)), InputError, "is no image"),
        (lambda: plots.show_image("nothing.fits"), InputError, "nothing.fits"),
        (lambda: plots.side_by_side(image(), ramp(), difference=True), InputError, "no difference"),
    ],
)
def test_what_cannot_be_drawn_is_told(call, error, words):
    before = pyplot.get_fignums()
    with pytest.raises(error, match=words) as found:
        call()
    assert isinstance(found.value, WebbcalError) and pyplot.get_fignums() == before
