"""Ramp fits small enough to work out by hand."""

import numpy as np
import pytest

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.kernels import ramp_fit

DNU, SATURATED, JUMP, PERSISTENCE, CHARGELOSS = (
    dqflags.group[name] for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET", "PERSISTENCE", "CHARGELOSS")
)
BACKENDS = pytest.mark.parametrize("backend", ["cpu", "reference"])
GROUP, FRAME = 20.0, 10.0


def fit(backend, ramps, flags=None, gain=2.0, readnoise=10.0, pixeldq=0, dark=None, zero=None, **settings):
    """Fit one pixel; `ramps` is (ngroups,) or (nints, ngroups)."""
    data = np.array(ramps, np.float32, ndmin=2)[:, :, None, None]
    groupdq = np.zeros(data.shape, np.uint8)
    if flags is not None:
        groupdq[:, :, 0, 0] = flags
    one = [np.full((1, 1), value, np.float32) for value in (gain, readnoise)]
    dark = None if dark is None else np.full((1, 1), dark, np.float32)
    zero = None if zero is None else np.array(zero, np.float32, ndmin=1)[:, None, None]
    settings = ramp_fit.RampFitSettings(GROUP, FRAME, **settings)
    result = kernels.get("ramp_fit", backend).fit_ramps(
        data, groupdq, np.full((1, 1), pixeldq, np.uint32), *one, dark, zero, settings
    )
    return result


def pixel(images, integration=None):
    """The numbers of the only pixel."""
    return {
        name: (array[0, 0] if integration is None else array[integration, 0, 0]).item()
        for name, array in images._asdict().items()
    }


@BACKENDS
def test_a_straight_ramp(backend):
    ramp = 100.0 + 40.0 * np.arange(5)
    got = pixel(fit(backend, ramp, dark=0.5).rate)
    assert got["slope"] == pytest.approx(2.0)
    assert got["dq"] == 0
    # (rate + dark) / (gain × time between first and last group)
    assert got["var_poisson"] == pytest.approx(2.5 / (2.0 * 4 * GROUP))
    # 12 σ² / ((n³ - n) t²), σ the noise of a group: that of a difference over √2
    assert got["var_rnoise"] == pytest.approx(12 * 50.0 / (120 * GROUP**2))
    assert got["err"] == pytest.approx(np.sqrt(got["var_poisson"] + got["var_rnoise"]))


@BACKENDS
def test_averaged_frames_reduce_the_noise(backend):
    ramp = 40.0 * np.arange(5)
    one, four = (pixel(fit(backend, ramp, nframes=n).rate)["var_rnoise"] for n in (1, 4))
    assert four == pytest.approx(one / 4)


@BACKENDS
@pytest.mark.parametrize("step, slope", [(2.0, 2 / 20), (2e5, 1e5 * 2 / 20)])
def test_weights_follow_the_signal(backend, step, slope):
    # faint: all samples count alike; bright: power 10 leaves nearly the ends only
    ramp = np.array([0, 0, 0, 0, step]) + 1000.0
    got = pixel(fit(backend, ramp).rate)["slope"] * GROUP
    x = np.arange(5) - 2.0
    w = np.abs(x / 2) ** (0 if step < 10 else 10)
    assert got == pytest.approx((w * x * ramp).sum() / (w * x * x).sum(), rel=1e-5)


@BACKENDS
def test_segments_at_a_jump(backend):
    ramp = [0, 40, 80, 1120, 1160, 1200, 1240]
    flags = [0, 0, 0, JUMP, 0, 0, 0]
    result = fit(backend, ramp, flags, save_opt=True)
    got = pixel(result.rate)
    assert got["slope"] == pytest.approx(2.0)
    assert got["dq"] == dqflags.pixel["JUMP_DET"]
    segments = result.segments
    np.testing.assert_allclose(segments.slope[0, :, 0, 0], [2, 2], rtol=1e-6)
    np.testing.assert_allclose(segments.yint[0, :, 0, 0], [0, 1000], atol=1e-3)
    np.testing.assert_allclose(
        segments.var_rnoise[0, :, 0, 0], [12 * 50 / 400 / n for n in (24, 60)], rtol=1e-6
    )
    np.testing.assert_allclose(segments.weights, 1 / segments.var_rnoise, rtol=1e-6)
    np.testing.assert_allclose(segments.crmag[0, :, 0, 0], [1040])
    assert got["var_rnoise"] == pytest.approx(12 * 50 / 400 / 84)


@BACKENDS
def test_two_groups(backend):
    got = pixel(fit(backend, [10.0, 50.0]).rate)
    assert got["slope"] == pytest.approx(2.0)
    assert got["var_rnoise"] == pytest.approx(12 * 50 / (6 * GROUP**2))


@BACKENDS
def test_one_group_is_divided_by_its_mean_time(backend):
    # nframes = 3: frames at 1, 2, 3 × 10 s
    got = pixel(fit(backend, [60.0], nframes=3).rate)
    assert got["slope"] == pytest.approx(60 / 20)


@BACKENDS
def test_a_single_good_group(backend):
    ramp, flags = [30.0, 9e4, 9e4], [0, SATURATED, SATURATED]
    got = pixel(fit(backend, ramp, flags).rate)
    assert np.isnan(got["slope"]) and got["err"] == 0
    assert got["dq"] == dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["SATURATED"]
    got = pixel(fit(backend, ramp, flags, suppress_one_group=False).rate)
    assert got["slope"] == pytest.approx(30 / 10)
    assert got["dq"] == dqflags.pixel["SATURATED"]


@BACKENDS
def test_zeroframe_saves_a_saturated_ramp(backend):
    ramp, flags = [9e4] * 3, [SATURATED] * 3
    for settings in ({}, {"suppress_one_group": False, "zero": 0.0}):
        got = fit(backend, ramp, flags, **({"zero": 500.0} | settings))
        assert np.isnan(pixel(got.rate)["slope"]) and got.all_saturated
    got = pixel(fit(backend, ramp, flags, zero=500.0, suppress_one_group=False).rate)
    assert got["slope"] == pytest.approx(500 / FRAME)
    assert got["dq"] == dqflags.pixel["SATURATED"]


@BACKENDS
def test_integrations_are_averaged_by_read_noise(backend):
    ramps = [[0, 20, 40, 60, 80], [0, 60, 120, 0, 0]]
    flags = [[0] * 5, [0, 0, 0, SATURATED, SATURATED]]
    result = fit(backend, ramps, flags)
    first, second = pixel(result.rateints, 0), pixel(result.rateints, 1)
    assert (first["slope"], second["slope"]) == pytest.approx((1.0, 3.0))
    assert (first["dq"], second["dq"]) == (0, dqflags.pixel["SATURATED"])
    got = pixel(result.rate)
    assert got["slope"] == pytest.approx((1.0 * 120 + 3.0 * 24) / 144)
    assert got["var_rnoise"] == pytest.approx(1 / (1 / first["var_rnoise"] + 1 / second["var_rnoise"]))
    assert got["dq"] == dqflags.pixel["SATURATED"]


@BACKENDS
def test_one_lost_integration(backend):
    ramps = [[0, 20, 40, 60], [9e4] * 4]
    result = fit(backend, ramps, [[0] * 4, [SATURATED] * 4])
    assert pixel(result.rate)["slope"] == pytest.approx(1.0)
    assert np.isnan(pixel(result.rateints, 1)["slope"])
    assert pixel(result.rateints, 1)["dq"] == dqflags.pixel["SATURATED"] | dqflags.pixel["DO_NOT_USE"]


@BACKENDS
def test_charge_migration_keeps_the_read_noise_of_the_whole_ramp(backend):
    ramp = 40.0 * np.arange(6)
    flags = [0, 0, 0] + [CHARGELOSS | DNU] * 3
    whole, cut = pixel(fit(backend, ramp).rate), pixel(fit(backend, ramp, flags).rate)
    assert cut["var_rnoise"] == pytest.approx(whole["var_rnoise"])
    assert cut["var_poisson"] == pytest.approx(whole["var_poisson"] * 5 / 2)
    assert cut["err"] > whole["err"]


@BACKENDS
@pytest.mark.parametrize("gain", [np.nan, 0.0, -1.0])
def test_no_gain(backend, gain):
    got = pixel(fit(backend, [0, 40, 80, 120], gain=gain).rate)
    assert np.isnan(got["slope"])
    assert got["dq"] == dqflags.pixel["NO_GAIN_VALUE"] | dqflags.pixel["DO_NOT_USE"]
    assert got["err"] == got["var_poisson"] == got["var_rnoise"] == 0


@BACKENDS
def test_persistence_is_no_reason_to_drop_a_group(backend):
    got = pixel(fit(backend, [0, 40, 80, 120], [0, PERSISTENCE, 0, 0]).rate)
    assert got["slope"] == pytest.approx(2.0)
    assert got["dq"] == dqflags.pixel["PERSISTENCE"]
    assert got["var_rnoise"] == pytest.approx(12 * 50 / (60 * GROUP**2))


@BACKENDS
def test_pixels_not_to_be_used(backend):
    got = pixel(fit(backend, [0, 40, 80, 120], pixeldq=dqflags.pixel["DO_NOT_USE"]).rate)
    assert np.isnan(got["slope"]) and got["dq"] == dqflags.pixel["DO_NOT_USE"]


def test_group_range():
    assert ramp_fit.group_range(None, None, 5) == ramp_fit.GroupRange(0, 4)
    assert ramp_fit.group_range(1, 3, 5) == ramp_fit.GroupRange(1, 3)
    dq = np.zeros((1, 5, 1, 1), np.uint8)
    ramp_fit.group_range(1, 3, 5).apply(dq)
    np.testing.assert_array_equal(dq[0, :, 0, 0], [DNU, 0, 0, 0, DNU])
    for first, last, warnings in ((-1, None, 1), (None, 9, 1), (3, 3, 1), (7, 9, 2)):
        got = ramp_fit.group_range(first, last, 5)
        assert (got.first, got.last, len(got.warnings)) == (0, 4, warnings)
    assert ramp_fit.group_range(None, None, 1) == ramp_fit.GroupRange(0, 0)


def test_wrong_arrays_are_refused():
    data, dq = np.zeros((1, 4, 2, 2), np.float32), np.zeros((1, 4, 2, 2), np.uint8)
    image, flags = np.ones((2, 2), np.float32), np.zeros((2, 2), np.uint32)
    with pytest.raises(ValueError, match="zeroframe must be"):
        kernels.get("ramp_fit").fit_ramps(
            data, dq, flags, image, image, None, image, ramp_fit.RampFitSettings(1, 1)
        )
    with pytest.raises(ValueError, match="data must be"):
        kernels.get("ramp_fit").fit_ramps(
            data[..., ::2], dq[..., ::2], flags, image, image, None, None, ramp_fit.RampFitSettings(1, 1)
        )


@pytest.mark.parametrize("none", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_what_is_not_finite_is_no_sample(backend, none):
    data = np.broadcast_to(5.0 + 10.0 * np.arange(6), (3, 1, 4, 6)).swapaxes(1, 3).astype(np.float32).copy()
    data[:, :, 1] = none  # nothing at all
    data[0, :, 2] = none  # an integration without samples
    data[1, 2, 3] = none  # one sample
    shape, image = data.shape, data.shape[2:]
    ones, settings = np.ones(image, np.float32), ramp_fit.RampFitSettings(1, 1)
    flags, pixels = np.zeros(shape, np.uint8), np.zeros(image, np.uint32)
    fit = kernels.get("ramp_fit", backend).fit_ramps(data, flags, pixels, ones, ones, None, None, settings)
    np.testing.assert_allclose(fit.rate.slope[:, 0], [10, np.nan, 10, 10], rtol=1e-6)
    np.testing.assert_array_equal(fit.rate.dq[:, 0], [0, 1, 0, 0])
    np.testing.assert_array_equal(fit.rateints.dq[:, :, 0], [[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0]])
    assert np.isnan(fit.rateints.slope[0, 2, 0]) and fit.rateints.slope[1, 3, 0] == 10
