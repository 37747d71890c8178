"""The simulator against what physics says, without any calibration code of webbcal.

Slopes come from a straight-line fit with numpy to samples corrected with the reference values; their mean
and scatter must be the analytic ones (scatter: read noise and correlated Poisson noise of averaged frames).
"""

import numpy as np
import pytest

from webbcal import simulate
from webbcal.simulate.nonlinearity import linearise
from webbcal.simulate.personality import personality

QUIET = simulate.Electronics(pedestal_drift=0.0, odd_even=0.0, one_over_f=0.0)


def ramp_slopes(background, readpatt, ngroups, seeds):
    """Return slopes minus truth (DN/s), their expected scatter, and the truth, over good pixels."""
    differences = []
    for seed in range(seeds):
        config = simulate.ExposureConfig(
            subarray="SUB160", readpatt=readpatt, ngroups=ngroups, seed=seed, electronics=QUIET,
            cosmic_rays=False, sky=simulate.Sky(stars=0.0, galaxies=0.0, background=background),
        )  # fmt: skip
        made = simulate.expose(config)
        p = personality(config.detector, config.aperture.box)
        good = (p.mask == 0) & (p.dark < 0.2) & (p.read_noise < 10)
        t = config.readout.mean_times
        weights = (t - t.mean()) / ((t - t.mean()) ** 2).sum()
        ramp = linearise(made.model.data[0] - p.superbias, p.linearity[:, None])
        slope = np.tensordot(weights, ramp, 1) - p.dark / p.gain
        differences.append((slope - made.truth.rate_dn)[good])
    rate = (made.truth.rate + p.dark)[good]  # e-/s
    sigma = slope_sigma(config.readout, weights, rate, p.read_noise[good], p.gain[good])
    return np.array(differences), sigma, made.truth.rate_dn[good]


def slope_sigma(readout, weights, rate, read_noise, gain):
    """Return the scatter (DN/s) of a fixed-weight slope: each frame's arrivals propagate exactly."""
    frames = [list(readout.frames_of_group(g)) for g in range(readout.ngroups)]
    last = frames[-1][-1]
    # Weight with which the arrivals of the interval before each frame enter the slope.
    enter = np.zeros(last + 1)
    for w, group in zip(weights, frames, strict=True):
        for f in group:
            enter[: f + 1] += w / readout.nframes
    poisson = rate * readout.tframe * (enter**2).sum() / gain**2
    read = (weights**2).sum() * (read_noise**2 / readout.nframes + 1 / 12 + 1 / 12 / readout.nframes)
    return np.sqrt(poisson + read)


@pytest.mark.parametrize("readpatt", ["RAPID", "BRIGHT2", "SHALLOW4"])
@pytest.mark.parametrize("background", [1.0, 100.0])
def test_slopes_are_unbiased_and_scatter_as_they_should(background, readpatt):
    difference, sigma, truth = ramp_slopes(background, readpatt, 8, seeds=3)
    pull = difference / sigma
    n = pull.size
    assert abs(pull.mean()) < 4.5 / np.sqrt(n)
    assert pull.std() == pytest.approx(1.0, abs=0.02)
    assert np.median(truth) > 0.3


def test_strong_signals_are_unbiased_to_a_few_parts_in_ten_thousand():
    difference, _, truth = ramp_slopes(3000.0, "RAPID", 6, seeds=4)
    relative = difference.mean() / truth.mean()
    error = difference.std() / np.sqrt(difference.size) / truth.mean()
    # read noise on the curved correction adds a constant, not a slope; nothing else may be left
    assert abs(relative) < max(4.5 * error, 3e-4)


def test_reference_pixels_follow_the_electronics():
    """Amplifier means of the top reference rows track the pedestal that light-sensitive rows show."""
    config = simulate.ExposureConfig(
        detector="NRCB1", subarray="SUB160", filter="F200W", readpatt="RAPID", ngroups=6, cosmic_rays=False,
        sky=simulate.Sky(stars=0.0, galaxies=0.0, background=0.0),
        electronics=simulate.Electronics(pedestal_drift=40.0, odd_even=0.0, one_over_f=0.0),
    )  # fmt: skip
    made = simulate.expose(config)
    p = personality(config.detector, config.aperture.box)
    signal = made.model.data[0].astype(float) - p.superbias
    active = (p.mask == 0) & (p.dark < 0.2)
    rows = np.array([(s[p.reference].mean(), s[active].mean()) for s in signal])
    assert np.ptp(rows[:, 0]) > 10
    np.testing.assert_allclose(np.diff(rows[:, 0]), np.diff(rows[:, 1]), atol=1.5)
