"""Stages 2 and 3 recover the simulator's truth; docs/truth.md has full frames and explains the numbers."""

import os
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from imaging import StarField, align, calibrate, combine, flag, match_sky, ramps, rates
from measures import (
    cores,
    expected_width,
    match,
    noise,
    outlier_hits,
    ramp_hits,
    sky_errors,
    wcs_errors,
)

from webbcal import simulate
from webbcal.run.record import runs_of

LONG = simulate.ExposureConfig(subarray="SUB640", sky=StarField(bright=20.5, faint=25.0, spacing=2.0))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four dithers of NIRCam's long-wave channel with a tenth of all particles, and their mosaic."""
    field = rates(tmp_path_factory.mktemp("mosaic"), LONG, rays=0.1)
    calibrate(field)
    return field, combine(field)


def test_positions_are_right_to_5_mas_and_unbiased(made):
    field, combined = made
    errors = wcs_errors(field, combined.exposures)
    assert np.hypot(errors[:, 0], errors[:, 1]).max() < 5.0
    (fit,) = [s["results"] for s in runs_of(combined.exposures[0])[-1]["steps"] if s["step"] == "tweakreg"]
    standard_error = 1e3 * fit["rms_arcsec"] / np.sqrt(2 * fit["used"])
    assert standard_error < 0.5
    assert np.abs(errors.mean(axis=(0, 2))).max() < 4 * standard_error
    stars = match(field, combined)
    bright = stars.whole & (stars.abmag < 24)
    assert bright.sum() > 60
    assert np.hypot(*stars.offset[:, bright]).max() < 5.0
    # Beyond what the alignment is off by, catalogue positions have no bias of their own.
    own = stars.offset[:, bright] - errors.mean(axis=(0, 2))[:, None]
    assert np.abs(own.mean(axis=1)).max() < 4 * own.std() / np.sqrt(bright.sum()) + standard_error


def test_fluxes_are_unbiased_within_their_errors(made):
    field, combined = made
    stars = match(field, combined)
    m, n = stars.whole, stars.whole.sum()
    assert n > 100
    relative = stars.flux[m] / stars.truth[m] - 1
    assert abs(np.median(relative)) < 4 * 1.25 * relative.std() / np.sqrt(n) < 0.01
    # Four dithers sample a star at four places: what an aperture finds of it differs from star to star.
    sampling = stars.sampled[m] / stars.truth[m] - 1
    assert sampling.std() < 0.015
    pulls = ((stars.flux - stars.sampled) / stars.error)[m & (stars.abmag > 22)]
    assert abs(pulls.mean()) < 4 / np.sqrt(len(pulls))
    # Neighbours share noise, which makes sums over small apertures scatter less than their errors say, and
    # the local sky adds some: for white noise and these radii it is 0.93.
    assert pulls.std() == pytest.approx(0.93, rel=4 / np.sqrt(2 * len(pulls)))


def test_cosmic_rays_are_rejected_and_stars_are_kept(made):
    field, combined = made
    hits = outlier_hits(field, combined.exposures)
    assert (hits.size > 10).sum() > 500
    assert hits.completeness(10.0) > 0.98
    stars = cores(field, combined.exposures)
    assert stars.pixels.sum() > 6000
    assert stars.share() < 1e-3


def test_sky_levels(made):
    field, combined = made
    error = np.mean([np.nanmedian(m.err) for m in combined.exposures])
    assert np.abs(sky_errors(combined.exposures)).max() < 0.25 * error
    median = match_sky(align(field), skystat="median")
    assert np.abs(sky_errors(median)).max() < 0.02 * error


def test_the_noise_of_the_mosaic_is_its_error_plane(made):
    field, combined = made
    measured = noise(field, combined)
    assert measured.count[0] > 100_000
    expected = expected_width(measured.blocks)
    uncertainty = 1.2 / np.sqrt(measured.count)
    np.testing.assert_allclose(measured.width[:4], expected[:4], rtol=0.03, atol=4 * uncertainty[3])


def test_undersampled_stars_need_a_larger_scale(tmp_path):
    """Where the optics are as narrow as a pixel, the default allowance for slopes is too small."""
    sky = replace(LONG.sky, spacing=1.25)
    config = replace(LONG, detector="NRCB1", filter="F090W", subarray="SUB320", sky=sky)
    field = rates(tmp_path, config, rays=0.3)
    calibrate(field)
    with mock.patch.dict(os.environ, field.environment):
        aligned = match_sky(align(field))
        default, wide = flag(aligned), flag(aligned, scale="3.0 2.0")
    assert cores(field, default).share() > 0.005
    assert cores(field, wide).share() < 0.001
    assert outlier_hits(field, wide).completeness(10.0) > 0.97


def test_from_ramps(tmp_path):
    """Noise that pixels of a row share (1/f) is in no error plane (docs/truth.md), so there is none here."""
    quiet = simulate.Electronics(pedestal_drift=0.0, odd_even=0.0, one_over_f=0.0)
    config = replace(LONG, subarray="SUB320", ngroups=6, cosmic_rays=4.0, electronics=quiet)
    field = ramps(tmp_path, config)
    calibrate(field)
    combined = combine(field)
    assert np.hypot(*wcs_errors(field, combined.exposures).swapaxes(0, 1)).max() < 5.0
    hits = ramp_hits(field, combined.exposures)
    assert (hits.size > 10).sum() > 1000 and hits.completeness(10.0) > 0.99
    assert cores(field, combined.exposures).share() < 1e-3
    stars = match(field, combined)
    relative = (stars.flux / stars.truth - 1)[stars.whole]
    assert abs(np.median(relative)) < 4 * 1.25 * relative.std() / np.sqrt(len(relative)) < 0.025
    measured = noise(field, combined)
    np.testing.assert_allclose(measured.width[:3], expected_width(measured.blocks[:3]), rtol=0.08)
