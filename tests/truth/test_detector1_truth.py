"""Stage 1 recovers the simulator's truth; docs/truth.md has larger runs and explains the numbers."""

import numpy as np
import pytest
from ideal import ideal_ramps
from stage1 import (
    QUIET,
    SATURATED,
    brightest,
    calibrate,
    cds_noise,
    common_offset,
    hits,
    jump_share,
    lamp,
    pulls,
    unflagged,
)

from webbcal import simulate

FAINT = 0.3  # e-/s, below the sky of any filter


@pytest.mark.parametrize(
    ("readpatt", "ngroups"), [("RAPID", 10), ("BRIGHT2", 8), ("SHALLOW4", 10), ("DEEP8", 5)]
)
def test_slopes_are_unbiased_and_their_scatter_is_understood(readpatt, ngroups, tmp_path):
    config = simulate.ExposureConfig(
        subarray="SUB640", readpatt=readpatt, ngroups=ngroups, electronics=QUIET, cosmic_rays=False
    )
    run = calibrate(tmp_path, config, lamp(config, FAINT, brightest(config, 0.9)))
    measured = pulls(run, bins=8)
    assert np.all(measured.count > 40_000)
    np.testing.assert_allclose(measured.mean, 0.0, atol=0.02)
    ideal = [ideal_ramps(config.readout, r, cds_noise(config), dark=0.03) for r in measured.rate]
    np.testing.assert_allclose(measured.width, [i.typical_width for i in ideal], atol=0.02)
    np.testing.assert_allclose(measured.stated_mean, [i.mean for i in ideal], atol=0.025)
    expected = np.mean([i.false_jumps for i in ideal])
    assert 0.4 * expected < jump_share(run) < 1.6 * expected + 2e-4


def test_a_full_frame_with_drifts_and_cosmic_rays(tmp_path):
    """From the sky to twice the full well; one test, as the exposure takes most of the time."""
    config = simulate.ExposureConfig(readpatt="SHALLOW4", ngroups=8)
    light = lamp(config, FAINT, brightest(config, 2.0), block=8)
    run = calibrate(tmp_path, config, light)
    check_slopes(run)
    check_saturating_ramps(run)
    check_cosmic_rays(run)


def check_slopes(run):
    """They are unbiased, but for less than 0.03 sigma that reference pixels add to all pixels alike."""
    offset = common_offset(run)
    select = unflagged(run) & (run.truth.rate < brightest(run.config, 0.85))
    measured = pulls(run, 10, select, offset)
    assert np.all(measured.count > 200_000)
    np.testing.assert_allclose(measured.mean, 0.0, atol=0.02)
    np.testing.assert_allclose(measured.width, 1.0, atol=0.1)
    faint = run.truth.rate < 1.0
    assert abs(offset) < 0.03 * np.median(run.rate.err[select & faint])


def check_saturating_ramps(run):
    """Whether a ramp just saturates depends on its noise: only both kinds together can be without bias."""
    dq = np.asarray(run.rate.dq)
    select = ((dq | SATURATED) == SATURATED) & np.isfinite(run.rate.data)
    select &= run.truth.rate > brightest(run.config, 0.5)
    assert np.mean((dq[select] & SATURATED) != 0) > 0.3
    measured = pulls(run, 6, select, common_offset(run))
    assert np.all(measured.count > 50_000)
    np.testing.assert_allclose(measured.mean, 0.0, atol=0.04)


def check_cosmic_rays(run):
    """Those above 10 sigma are found."""
    found = hits(run)
    assert np.count_nonzero(found.size > 10) > 20_000
    assert found.completeness(above=10.0) > 0.99
    # and the test would notice if hits were not where the truth says
    assert found.found[found.size < 1.0].mean() < 0.3
