"""IRS2 on the simulator's truth: correlated noise goes, and slopes are right within their errors."""

import numpy as np
from astropy.io import fits
from stage1 import brightest, calibrate, common_offset, lamp, pulls, unflagged

from webbcal import simulate
from webbcal.core.irs2 import Interleaving
from webbcal.simulate.irs2 import filters
from webbcal.simulate.personality import personality

#: Strong noise, of which the outputs share most: 1/f of 9 DN in a frame, where a read has 6.5 DN.
NOISY = simulate.Electronics(pedestal_drift=3.0, one_over_f=9.0, common=0.7)


def test_correlated_noise_goes_and_slopes_are_unbiased(tmp_path):
    config = simulate.ExposureConfig(
        detector="NRS2",
        readpatt="NRSIRS2RAPID",
        ngroups=6,
        filter="F290LP",
        electronics=NOISY,
        cosmic_rays=False,
    )
    run = calibrate(tmp_path, config, lamp(config, 0.3, brightest(config, 0.8), block=4))
    check_noise(run, next(tmp_path.glob("*_uncal.fits")))
    check_pulls(run)


def check_noise(run, uncal):
    """What is left of the correlated noise is what the filters promise; of what is slow, a fifth at most."""
    layout = Interleaving(turned=True)
    promised = filters(NOISY, layout)
    person = personality(run.config.detector)
    raw = fits.getdata(uncal)[0][:, layout.science].astype(float)
    corrected = np.asarray(run.ramp.data)[0].astype(float)
    faint = unflagged(run) & (run.truth.rate < 3.0) & ~person.reference & (person.read_noise < 10)
    collected = (run.truth.rate + person.dark) * run.config.readout.tgroup / person.gain
    white = 2 * person.read_noise**2 + collected / person.gain
    noise = []
    for data in (raw, corrected):
        change = np.where(faint, data[1:] - data[:-1] - collected, np.nan)
        pixels = np.nanmean(change**2) - np.mean(white[faint])
        outputs = change.reshape(len(change), 4, 512, 2048)  # an output reads one of its rows after the other
        number = faint.reshape(4, 512, 2048).sum(axis=1)
        floor = np.mean(white[faint]) * np.mean(1 / number[number > 50])
        rows = np.mean(np.nanmean(outputs, axis=2)[:, number > 50] ** 2) - floor
        noise.append((np.sqrt(max(pixels, 0) / 2), np.sqrt(max(rows, 0) / 2)))
    (before, slow_before), (left, slow_left) = noise
    print(
        f"correlated noise {before:.2f} → {left:.2f} DN, of rows {slow_before:.2f} → {slow_left:.2f} DN",
        promised.before,
        promised.left,
    )
    assert before / left > 1.9
    assert slow_before / slow_left > 5
    np.testing.assert_allclose(left, promised.left, rtol=0.15)


def check_pulls(run):
    """Slopes are unbiased and scatter as their errors say."""
    offset = common_offset(run)
    select = unflagged(run) & (run.truth.rate < brightest(run.config, 0.7))
    measured = pulls(run, 8, select, offset)
    assert np.all(measured.count > 100_000)
    np.testing.assert_allclose(measured.mean, 0.0, atol=0.02)
    np.testing.assert_allclose(measured.width, 1.0, atol=0.1)
