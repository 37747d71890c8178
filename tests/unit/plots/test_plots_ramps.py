"""Ramps, jumps and linearity: the numbers that are drawn are those of the product."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from plot_cases import GROUP_TIME, JUMP_GROUP, JUMP_SIZE, JUMPED, RATE, image, ramp, rate

from webbcal import plots
from webbcal.core.errors import InputError, ParameterError
from webbcal.plots.jump_search import pixels_with_jumps
from webbcal.plots.samples import samples_of


def lines(axes):
    """Return the lines of axes by what the legend calls them."""
    return {line.get_label(): line for line in axes.get_lines()}


def test_the_samples_of_a_pixel_with_its_flags(tmp_path):
    model = ramp()
    model.save(tmp_path / "jw1_nrcb1_ramp.fits")
    for source in (model, tmp_path / "jw1_nrcb1_ramp.fits"):
        axes = plots.plot_ramp(source, 0, 0, integration=-1)
        drawn = axes.get_lines()[0]
        np.testing.assert_array_equal(drawn.get_ydata(), model.data[1, :, 0, 0])
        np.testing.assert_array_equal(lines(axes)["saturated"].get_xdata(), [5, 6, 7])
        assert axes.get_ylabel() == "Signal (DN)" and "integration 1" in axes.get_title("left")


def test_time_is_in_seconds():
    axes = plots.plot_ramp(ramp(), 2, 2, time=True)
    np.testing.assert_allclose(axes.get_lines()[0].get_xdata(), GROUP_TIME * np.arange(8))
    assert axes.get_xlabel().endswith("(s)")


def test_several_pixels_and_several_products():
    model = ramp()
    axes = plots.plot_ramps(model, [(0, 0), JUMPED], integration=1)
    assert [n for n in lines(axes) if n.startswith("Pixel")] == [
        "Pixel (0, 0), integration 1",
        "Pixel (7, 3), integration 1",
    ]
    axes = plots.plot_ramps([model, model], (2, 2), labels=("before", "after"))
    assert {"before", "after"} <= set(lines(axes)) and "Pixel (2, 2)" in axes.get_title("left")
    with pytest.raises(ParameterError, match="there are 1 for 2 ramps"):
        plots.plot_ramps([model, model], (2, 2), labels=("before",))


@pytest.mark.parametrize("product", [None, rate(), rate(integrations=2)])
def test_the_line_of_a_rate_goes_through_each_stretch_between_jumps(product):
    axes = plots.plot_jump(ramp(), *JUMPED, product, integration=1)
    before, after = (line for line in axes.get_lines() if line.get_linestyle() == "--")
    group = np.arange(8)
    truth = 100 + RATE * GROUP_TIME * group
    np.testing.assert_array_equal(before.get_xdata(), group[:JUMP_GROUP])
    np.testing.assert_allclose(before.get_ydata(), truth[:JUMP_GROUP], rtol=1e-6)
    np.testing.assert_allclose(after.get_ydata(), truth[JUMP_GROUP:] + JUMP_SIZE, rtol=1e-6)
    name = "median difference" if product is None else "rate"
    assert before.get_label() == f"{name}: 5 DN/s"
    np.testing.assert_array_equal(lines(axes)["jump"].get_xdata(), [JUMP_GROUP])


def test_saturated_groups_are_in_no_stretch():
    assert [list(part) for part in samples_of(ramp(), 0, 0, 1).stretches()] == [[0, 1, 2, 3, 4]]


def test_the_largest_jumps_are_found_apart_from_each_other():
    model = ramp(shape=(40, 40))
    for x, y, size in ((20, 20, 900.0), (21, 20, 800.0), (35, 30, 700.0), (1, 1, 5000.0)):
        model.data[1, 2:, y, x] += size
        model.groupdq[1, 2, y, x] |= 4
    # (1, 1) is not to be used, (21, 20) is a neighbour.
    assert pixels_with_jumps(model, 1, 9) == [(20, 20), (35, 30), JUMPED]
    drawn = plots.plot_jumps(model, integration=1, rate=rate((40, 40)))
    assert [axes.get_title("left") for axes in drawn.ravel()[:3]] == ["(20, 20)", "(35, 30)", "(7, 3)"]
    assert drawn.shape == (2, 2) and not drawn[1, 1].axison
    with pytest.raises(InputError, match="no group is flagged"):
        plots.plot_jumps(model, integration=0)


def test_the_ratio_of_differences_tells_what_is_not_linear():
    model = ramp(shape=(64, 64), integrations=1)
    rates = np.linspace(20, 60, 64 * 64).reshape(64, 64)
    true = rates * GROUP_TIME * np.arange(1, 9)[:, None, None]
    model.data[0] = true - 3e-5 * true**2
    model.groupdq[:] = 0
    axes = plots.plot_linearity(model)
    signal, ratio = lines(axes)["mean of pixels"].get_data()
    full = np.interp(signal, model.data[0, -1].ravel(), true[-1].ravel())
    expected = (1 - 3e-5 * full * 15 / 8) / (1 - 3e-5 * full * 3 / 8)
    np.testing.assert_allclose(ratio, expected, rtol=2e-3)
    assert axes.get_xlabel() == "Signal in the last group (DN)"


def test_panels_that_are_given_must_be_enough():
    axes = [Figure().add_subplot()]
    with pytest.raises(ParameterError, match="4 axes are needed"):
        plots.plot_jumps(ramp(), [(0, 0)] * 4, axes=axes)
    assert plots.plot_jumps(ramp(), [(0, 0)], axes=axes).shape == (1, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.plot_ramp(image(), 1, 1), "are no ramp"),
        (lambda: plots.plot_ramp(ramp(), 12, 0), "columns are 0 to 11, rows 0 to 9"),
        (lambda: plots.plot_ramp(ramp(), 0, 0, integration=2), "no integration 2"),
        (lambda: plots.plot_jump(ramp(), 0, 0, rate(shape=(3, 3)), integration=0), None),
        (lambda: plots.plot_jump(ramp(), 4, 4, rate(shape=(3, 3))), "rows 0 to 2"),
        (
            lambda: plots.plot_jump(ramp(), 4, 4, rate(integrations=1), integration=1),
            "no rate of integration",
        ),
        (lambda: plots.plot_linearity(ramp(), last=(8, 9)), "no group 8: it has 8"),
        (lambda: plots.plot_linearity(ramp(), last=(1, 1)), "needs two groups"),
    ],
)
def test_what_cannot_be_plotted_is_told(call, words):
    if words is None:
        call()
        return
    with pytest.raises(InputError, match=words):
        call()


def test_a_time_that_is_not_known_is_asked_for():
    model = ramp()
    model.meta.exposure.group_time = None
    plots.plot_jump(model, *JUMPED, integration=1)
    with pytest.raises(InputError, match="TGROUP"):
        plots.plot_ramp(model, 1, 1, time=True)
