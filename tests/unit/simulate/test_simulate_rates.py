"""Simulated rates: their statistics, their truth, and the references that calibrate them."""

from dataclasses import replace

import numpy as np
import pytest

from webbcal import datamodels, simulate
from webbcal.core.dqflags import pixel as DQ
from webbcal.simulate.geometry import find_aperture
from webbcal.simulate.optics import find_filter
from webbcal.simulate.personality import personality
from webbcal.simulate.references_calibrate import conversion_factor, flat_truth, throughput_left

EMPTY = simulate.Sky(stars=0.0, galaxies=0.0, background=3.0)
CONFIG = simulate.ExposureConfig(
    detector="NRCB1", subarray="SUB160", filter="F200W", readpatt="BRIGHT2", ngroups=8, sky=EMPTY
)
MIRI = simulate.ExposureConfig(
    detector="MIRIMAGE", subarray="SUB128", filter="F770W", readpatt="FASTR1", ngroups=30, sky=EMPTY
)


@pytest.mark.parametrize("config", [CONFIG, MIRI])
def test_rates_scatter_about_the_truth_as_their_errors_say(config):
    made = simulate.expose_rates(config)
    model, truth = made.model, made.truth
    good = (model.dq == 0) & (truth.rate > 0)
    pulls = ((model.data - truth.rate_dn) / model.err)[good]
    assert good.mean() > 0.9
    assert abs(pulls.mean()) < 4.5 / np.sqrt(pulls.size)
    assert pulls.std() == pytest.approx(1.0, abs=0.02)
    assert model.meta.bunit_data == "DN/s" and model.meta.filename.endswith("_rate.fits")


def test_bad_pixels_have_no_rate():
    made = simulate.expose_rates(replace(CONFIG, sky=replace(EMPTY, stars=3000.0, bright=9.0, faint=13.0)))
    bad = made.model.dq & DQ["DO_NOT_USE"] != 0
    np.testing.assert_array_equal(np.isnan(made.model.data), bad)
    assert (made.model.dq & DQ["SATURATED"] != 0).any() and (made.truth.first_saturated == 0).any()


def test_integrations_average_to_the_same_truth():
    config = replace(CONFIG, nints=3)
    cube = simulate.expose_rates(config, simulate.RateOptions(integrations=True)).model
    mean = simulate.expose_rates(config).model
    assert cube.data.shape == (3, 160, 160) and len(cube.int_times) == 3
    assert cube.meta.filename.endswith("_rateints.fits")
    np.testing.assert_allclose(np.mean(cube.data, axis=0), mean.data, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cube.var_rnoise[0], 3 * mean.var_rnoise, rtol=1e-5)


def test_particles_that_were_left_are_in_the_truth():
    made = simulate.expose_rates(replace(CONFIG, seed=4), simulate.RateOptions(rays=30.0))
    hits = made.truth.hits
    assert len(hits) > 100
    strong = hits[hits["electrons"] > 3000]
    excess = (made.model.data - made.truth.rate_dn)[strong["y"], strong["x"]]
    assert np.nanmin(excess / made.model.err[strong["y"], strong["x"]]) > 10


def test_a_pointing_error_moves_the_sky_but_not_the_header():
    config = replace(CONFIG, sky=replace(EMPTY, stars=2000.0))
    straight = simulate.expose_rates(config)
    off = simulate.expose_rates(config, simulate.RateOptions(pointing_error=(0.2, -0.1)))
    assert off.model.meta.wcsinfo.ra_ref == straight.model.meta.wcsinfo.ra_ref
    both = np.intersect1d(off.truth.sources["id"], straight.truth.sources["id"])
    a, b = (m.truth.sources[np.isin(m.truth.sources["id"], both)] for m in (off, straight))
    moved = np.hypot(a["x"] - b["x"], a["y"] - b["y"])
    np.testing.assert_allclose(moved, np.hypot(0.2, 0.1) / 0.0312, rtol=0.03)


@pytest.mark.parametrize("config", [CONFIG, MIRI])
def test_the_references_turn_a_uniform_sky_into_its_surface_brightness(config):
    made = simulate.expose_rates(config)
    aperture = config.aperture
    person = personality(config.detector, aperture.box)
    flat = flat_truth(aperture, person)
    factor = conversion_factor(aperture, config.band, person.normal_gain)
    factor /= throughput_left(config.instrument, config.band, config.start_mjd)
    lit = flat > 0
    np.testing.assert_allclose(made.truth.rate_dn[lit] / flat[lit] * factor, 3.0, rtol=1e-4)


def test_a_universe_of_rates(tmp_path):
    world = simulate.rate_universe(tmp_path, [CONFIG, MIRI], subarray_only=True)
    assert [p.name[-15:] for p in world.rate] == ["nrcb1_rate.fits", "image_rate.fits"]
    folder = tmp_path / "crds/references/jwst"
    for instrument in ("nircam", "miri"):
        kinds = sorted(p.name.split("_")[2] for p in (folder / instrument).iterdir())
        assert kinds.count("pars-outlierdetectionstep") == {"nircam": 2, "miri": 1}[instrument]
        kinds = [kind for kind in kinds if not kind.startswith("pars-")]
        assert kinds == ["abvegaoffset", "apcorr", "area", "distortion", "filteroffset", "flat", "photom"]
    with datamodels.open(folder / "miri/jwst_miri_photom_0001.fits") as photom:
        assert type(photom).__name__ == "MirImgPhotomModel"
        assert len(photom.phot_table) == len(photom.timecoeff_exponential) == 45
    with datamodels.open(folder / "nircam/jwst_nircam_flat_0001.fits") as flat:
        assert flat.data.shape == (160, 160)
    with datamodels.open(folder / "nircam/jwst_nircam_area_0001.fits") as area:
        assert area.data.shape == (2048, 2048)
        assert area.data.mean() == pytest.approx(1.0, abs=0.03)


def test_pixel_areas_are_those_of_the_corners():
    aperture = find_aperture("NRCALONG")
    from webbcal.simulate.geometry import siaf

    full = siaf("NIRCAM")["NRCA5_FULL"]
    for x, y in ((3, 2000), (1024, 1000), (2047, 0)):
        cx, cy = x + 1 + np.array([-0.5, 0.5, 0.5, -0.5]), y + 1 + np.array([-0.5, -0.5, 0.5, 0.5])
        v2, v3 = full.sci_to_tel(cx, cy)
        v2 = v2 * np.cos(np.radians(v3.mean() / 3600))
        area = 0.5 * abs(np.dot(v2, np.roll(v3, 1)) - np.dot(v3, np.roll(v2, 1)))
        assert aperture.pixel_areas[y, x] == pytest.approx(area, rel=2e-5)


def test_miri():
    aperture = find_aperture("MIRIMAGE")
    assert aperture.shape == (1024, 1032) and aperture.frame_time == 2.77504
    assert aperture.reference_pixels.sum() == 8 * 1024
    assert find_aperture("MIRIMAGE", "SUB256").box.slices == (slice(50, 306), slice(412, 668))
    band = find_filter("MIRI", "F2550W")
    assert throughput_left("MIRI", band, 60300.0) < throughput_left("MIRI", band, 59800.0) < 1.0
