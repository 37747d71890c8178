"""The likelihood fit against the simulator's truth; docs/truth.md has larger runs."""

import numpy as np
from astropy.io import fits
from stage1 import DO_NOT_USE, JUMP, QUIET, SATURATED, brightest, calibrate, lamp, pulls, unflagged

from webbcal import simulate

#: The mean dark current of the simulated detector, DN/s: its photons make noise, too.
DARK = {"average_dark_current": 0.016}
LIKELY = {"ramp_fit": {"algorithm": "LIKELY", "save_opt": True}, "dark_current": DARK}
#: The fit's own search for jumps instead of the jump step's.
ALONE = LIKELY | {"jump": {"skip": True}}


def exposure(cosmic_rays):
    config = simulate.ExposureConfig(
        subarray="SUB320", detector="NRCBLONG", readpatt="SHALLOW4", ngroups=8, electronics=QUIET,
        cosmic_rays=cosmic_rays,
    )  # fmt: skip
    return config, lamp(config, 0.3, brightest(config, 0.3 if cosmic_rays else 0.85))


def test_stated_errors_and_chi_square_are_those_of_the_noise(tmp_path):
    config, light = exposure(cosmic_rays=False)
    run = calibrate(tmp_path, config, light, LIKELY)
    measured = pulls(run, bins=6)
    assert np.all(measured.count > 12_000)
    np.testing.assert_allclose(measured.mean, 0.0, atol=0.035)
    np.testing.assert_allclose(measured.width, 1.0, atol=0.02)
    np.testing.assert_allclose(measured.stated_width, 1.0, atol=0.03)
    chisq = fits.getdata(next(tmp_path.glob("*_likely_chisq.fits")))
    freedom = config.ngroups - 2
    for low, high in ((0, 1), (1, 10), (10, np.inf)):
        some = chisq[unflagged(run) & (light > low) & (light <= high)]
        assert abs(some.mean() / freedom - 1) < 0.03
        assert abs(some.std() / np.sqrt(2 * freedom) - 1) < 0.06


def test_ramps_with_jumps_are_fitted_more_precisely_than_by_least_squares(tmp_path):
    config, light = exposure(cosmic_rays=80.0)
    runs = [calibrate(tmp_path / str(n), config, light, steps) for n, steps in enumerate((None, ALONE))]
    hits = runs[0].truth.hits
    hits = hits[hits["electrons"] > 200]
    select = np.zeros(light.shape, bool)
    select[hits["y"], hits["x"]] = True
    for run in runs:
        dq = np.asarray(run.rate.dq)
        select &= (dq & (DO_NOT_USE | SATURATED | JUMP)) == JUMP
    assert np.count_nonzero(select) > 5_000
    error = np.asarray(runs[0].rate.err, float)[select]
    widths = []
    for run in runs:
        off = (np.asarray(run.rate.data, float) - run.truth.rate_dn)[select] / error
        assert abs(np.median(off)) < 0.03
        widths.append(np.diff(np.percentile(off, [16, 84]))[0] / 2)
    assert widths[1] < 0.99 * widths[0]
