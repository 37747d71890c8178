"""Windows and traps by hand."""

import numpy as np
import pytest

from webbcal.kernels.persistence.traps import (
    IntegrationTimes,
    TrapFamilies,
    TrapPixels,
    capture,
    mean_growth,
    release,
)
from webbcal.kernels.persistence.windows import WindowSettings, flag_windows, unix_time

DO_NOT_USE, SATURATED, JUMP, PERSISTENCE = 1, 2, 4, 32


def flags(groupdq, data=None, ends=0.0, start=0.0, **settings):
    """Flag the ramp of one pixel, groups 10 s apart; return its flags and the end of its window."""
    dq = np.array(groupdq, np.uint8)[:, None, None]
    samples = np.zeros(dq.shape, np.float32) if data is None else np.array(data, np.float32)[:, None, None]
    state = np.full((1, 1), ends)
    flag_windows(samples, dq, state, start, WindowSettings(group_time=10.0, **settings))
    return dq[:, 0, 0].tolist(), state[0, 0]


def test_the_time_after_the_first_saturated_group_is_flagged():
    assert flags([0, 2, 2, 2, 2], seconds=20) == ([0, 34, 34, 34, 2], 0.0)
    assert flags([0, 2, 2, 2, 2], seconds=20, do_not_use=True)[0] == [0, 35, 35, 35, 2]
    assert flags([0, 0, 2, 2], seconds=100) == ([0, 0, 34, 34], 130.0)


def test_a_pixel_that_comes_out_of_saturation_opens_its_window_anew():
    assert flags([0, 2, 0, 0, 0], seconds=10) == ([0, 34, 32, 32, 32], 60.0)


def test_a_signal_may_open_a_window():
    dq, end = flags([0, 0, 0, 0], [10, 60, 50, 40], seconds=15, threshold=55.0)
    assert (dq, end) == ([0, 32, 32, 0], 0.0)


def test_windows_of_exposures_before_hold_and_those_of_later_ones_do_not():
    assert flags([0, 0, 0], ends=1025.0, start=1000.0, seconds=100) == ([32, 32, 0], 0.0)
    assert flags([0, 0], ends=5000.0, start=1000.0, seconds=100) == ([0, 0], 0.0)


def test_unix_time():
    assert unix_time(40587.5) == 43200.0


FAMILIES = TrapFamilies.of_columns([180.0, 90.0], [-0.004, 0.0], [65.0, 10.0], [-0.01, -0.001])
TIMES = IntegrationTimes(group=10.0, reset=10.0)


def pixels(density=1.0, limit=1000.0, density_dq=0, limit_dq=0):
    """Return the maps of one pixel."""
    return TrapPixels.of_references(
        np.full((1, 1), density, np.float32), np.full((1, 1), density_dq, np.uint32),
        np.full((1, 1), limit, np.float32), np.full((1, 1), limit_dq, np.uint32),
    )  # fmt: skip


def captured(ramp, dq=None, **maps):
    """Return the traps that an integration fills in one pixel, of both families."""
    data = np.array(ramp, np.float32)[:, None, None]
    groupdq = np.zeros(data.shape, np.uint8) if dq is None else np.array(dq, np.uint8)[:, None, None]
    return capture(data, groupdq, pixels(**maps), FAMILIES, TIMES)[:, 0, 0]


def test_traps_give_back_what_they_hold():
    data = np.zeros((3, 1, 1), np.float32)
    filled = np.array([100.0, 50.0])[:, None, None]
    given = release(data, filled, FAMILIES, 10.0)
    left = np.array([100 * np.exp(-0.3), 50 * np.exp(-0.03)])
    np.testing.assert_allclose(filled[:, 0, 0], left)
    np.testing.assert_allclose(given[-1, 0, 0], 150.0 - left.sum(), rtol=1e-6)
    np.testing.assert_array_equal(data, -given)
    assert (np.diff(given[:, 0, 0]) > 0).all()


def test_an_even_ramp_fills_traps():
    """As the integral of the rate: a time t after the reset, 2 s² t [p0 (1 - exp(-t/τ)) + p2] a second."""
    ramp = 100.0 * np.arange(1, 6)
    t = np.linspace(0.0, 60.0, 6001)
    slope = 10.0 / 1000.0
    rate = 2 * slope**2 * t * (180.0 * -np.expm1(-0.004 * t) + 65.0)
    expected = [np.trapezoid(rate, t), slope**2 * 60.0**2 * 10.0]
    np.testing.assert_allclose(captured(ramp), expected, rtol=1e-6)
    np.testing.assert_allclose(captured(ramp, density=0.5), 0.5 * np.array(expected), rtol=1e-6)
    assert not captured(ramp, density=np.nan).any() and not captured(ramp, density_dq=1).any()
    assert not captured(ramp, limit_dq=1).any() and not captured(ramp, limit=np.nan).any()


def test_a_pixel_that_was_saturated_throughout_fills_all_at_once_and_then_with_time():
    filled = captured([2000.0] * 4)
    np.testing.assert_allclose(filled, [65.0 + 180.0 * -np.expm1(-0.004 * 40.0), 10.0])


def test_a_particle_fills_traps_for_the_time_that_is_left():
    without, ramp = captured([100.0, 200.0, 300.0, 400.0]), [100.0, 200.0, 500.0, 600.0]
    more = captured(ramp, [0, 0, JUMP, 0]) - without
    left = 1.5 * 10.0
    np.testing.assert_allclose(more, [2 * 0.2 * (180.0 * -np.expm1(-0.004 * left) + 65.0), 2 * 0.2 * 10.0])


def test_growth_is_that_of_good_differences():
    data = np.array([[1.0, 3, 9, 11], [5, 7, 7, 7], [4, 4, 4, 4]], np.float32).T[:, None]
    groupdq = np.array([[0, 0, JUMP, 0], [0, 0, SATURATED, SATURATED], [2, 2, 2, 2]], np.uint8).T[:, None]
    np.testing.assert_allclose(mean_growth(data, groupdq)[0], [2.0, 2.0, 0.0])
    np.testing.assert_allclose(mean_growth(data[:1], groupdq[:1])[0], [1.0, 5.0, 4.0])


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_after_no_time_nothing_and_after_long_all_is_released(seconds):
    filled = np.ones((2, 1, 1))
    np.testing.assert_allclose(FAMILIES.released(filled, seconds), seconds > 0)
