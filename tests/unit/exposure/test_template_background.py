"""Backgrounds that are references: the scale, what is rejected, and what is said when it fails."""

import json

import numpy as np
import pytest
from dispersed_cases import WFSS
from wfss_fields import Field, background, write_fields

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.errors import InputError, ParameterError, SkipStep
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.exposure.background.wfss_background import Rejection, expected_error, outside, scale_of
from webbcal.kernels.images.soss_background import subtract_template

MIRI = Field(WFSS[6], sources=6)
PLAIN = Rejection(1.0, 5, 0.0, 1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Write a field of sources; return the folder and CRDS's environment."""
    folder = tmp_path_factory.mktemp("fields")
    return folder, write_fields(folder, (MIRI,))


@pytest.fixture
def exposure(world, monkeypatch):
    """Return the exposure."""
    for key, value in world[1].items():
        monkeypatch.setenv(key, value)
    with datamodels.open(world[0] / MIRI.exposure) as model:
        yield model.copy()


def frame(scale=2.5, noise=0.01, shape=(60, 80)):
    """Return an exposure of scaled background with errors, and the background."""
    model = background(shape).astype(np.float32)
    rng = np.random.default_rng(1)
    data = (scale * model + rng.normal(0, noise, shape)).astype(np.float32)
    return data, np.full(shape, noise, np.float32), model


def test_the_scale_is_that_of_least_squares():
    data, err, model = frame()
    data[5, :40] += 100  # sources
    free = outside([Box(-3, 10, 0, 40)], data.shape)
    assert free.sum() == data.size - 10 * 40
    assert scale_of(data, err, model, free, PLAIN) == pytest.approx(2.5, abs=1e-3)
    few = Rejection(0.0, 0, 0.0, 1)
    where = free & (err != 0)
    expected = (data * model / err**2)[where].sum(dtype=float) / (model**2 / err**2)[where].sum(dtype=float)
    assert scale_of(data, err, model, free, few) == pytest.approx(expected, rel=1e-9)


def test_outliers_are_rejected_round_by_round():
    data, err, model = frame()
    everywhere = np.ones(data.shape, bool)
    data[::30, ::20] += 5.0
    off = [abs(scale_of(data, err, model, everywhere, Rejection(1.0, n, 0.0, 1)) - 2.5) for n in (0, 1, 5)]
    assert off[0] > 5 * off[1] and off[2] < 1e-3
    early = scale_of(data, err, model, everywhere, Rejection(1.0, 5, 0.99, 2))
    assert early == scale_of(data, err, model, everywhere, Rejection(1.0, 1, 0.0, 2))


def test_pixels_without_error_or_value_do_not_count():
    data, err, model = frame()
    everywhere = np.ones(data.shape, bool)
    expected = scale_of(data, err, model, everywhere, PLAIN)
    data[0], err[0] = 1e9, 0
    data[1], err[1] = np.nan, np.nan
    found = scale_of(data, err, model, everywhere, PLAIN)
    assert found == pytest.approx(expected, rel=1e-3)
    assert np.isnan(scale_of(data, err, model, ~everywhere, PLAIN))


def test_step_keeps_mask_and_scale(exposure):
    before = exposure.data.copy()
    result = BackgroundStep().run(exposure)
    assert result.meta.cal_step.bkg_subtract == "COMPLETE"
    assert result.mask.dtype == np.uint32 and 0.3 < result.mask.mean() < 1
    scale = result.meta.background.scaling_factor
    removed = before - result.data
    good = np.isfinite(removed)
    np.testing.assert_allclose(removed[good], (scale * background(before.shape))[good], rtol=1e-5)
    assert (result.dq & 4 != 0).any()  # flags of the reference


def test_masks_of_the_user(exposure, tmp_path):
    mask = np.zeros(exposure.shape, np.uint32)
    mask[:50] = 1
    model = datamodels.ImageModel(exposure.shape)
    model.mask = mask
    model.save(tmp_path / "mask.fits")
    result = BackgroundStep(wfss_mask=str(tmp_path / "mask.fits")).run(exposure)
    np.testing.assert_array_equal(result.mask, mask)
    model.mask = mask[:40]
    model.save(tmp_path / "small.fits")
    for name, what in (("small.fits", "shape"), ("none.fits", "no array")):
        if what == "no array":
            datamodels.ImageModel(exposure.shape).save(tmp_path / name)
        with pytest.raises(ParameterError, match=what):
            BackgroundStep(wfss_mask=str(tmp_path / name)).run(exposure)


def test_too_little_background_is_a_failure(exposure):
    exposure.dq[:] = 1
    before = exposure.data.copy()
    result = BackgroundStep().run(exposure)
    assert result.meta.cal_step.bkg_subtract == "FAILED" and result.meta.background.scaling_factor == 0
    np.testing.assert_array_equal(result.data, before)


def test_without_catalogue_all_pixels_are_background(exposure, caplog):
    exposure.meta.source_catalog = None
    assert BackgroundStep().run(exposure).mask.all()
    assert "names no source catalogue" in caplog.text


def soss_templates():
    """Return two templates with their step at different columns."""
    x = np.arange(2048)
    both = []
    for step in (700, 715):
        row = np.where(x < step, 1.0, 1.6) * (1 + 1e-4 * x) + (step - 700) * 0.01 * np.sin(x / 50)
        both.append(np.broadcast_to(row, (256, 2048)))
    return np.array(both, np.float32)


@pytest.mark.parametrize("rows, first", [(256, 0), (96, 10)])
def test_soss_sides_are_scaled_apart(rows, first):
    templates = soss_templates()
    sky = templates[1][first : first + rows] * np.where(np.arange(2048) >= 715, 3.0, 2.0)
    rng = np.random.default_rng(2)
    data = (sky + rng.normal(0, 0.02, (2, rows, 2048))).astype(np.float32)
    data[:, 30:60] += 500  # the trace
    dq = np.zeros(data.shape, np.uint32)
    data[0, 0, 5] = np.nan
    fit = subtract_template(data, dq, templates, 35.0, (25.0, 50.0))
    assert fit.number == 1
    left = data[:, 62:, 100:680]
    assert abs(np.nanmedian(left)) < 0.05 and abs(fit.left - 2.0) < 0.05 and abs(fit.right - 3.0) < 0.1


def test_soss_templates_of_another_subarray_are_refused():
    data = np.ones((1, 64, 2048), np.float32)
    with pytest.raises(SkipStep, match="64"):
        subtract_template(data, np.zeros(data.shape, np.uint32), soss_templates(), 35.0, (25.0, 50.0))
    full = np.ones((1, 256, 2048), np.float32)
    with pytest.raises(SkipStep, match="can be used"):
        subtract_template(full, np.ones(full.shape, np.uint32), soss_templates(), 35.0, (25.0, 50.0))


def test_associations_tell_the_catalogue(world, exposure):
    exposure.meta.source_catalog = None
    exposure.save(world[0] / "unnamed_rate.fits")
    roles = {"science": "unnamed_rate.fits", "sourcecat": f"{MIRI.root}_cat.ecsv"}
    members = [{"expname": name, "exptype": role} for role, name in roles.items()]
    tree = {"asn_type": "spec2", "asn_id": "a3001", "asn_pool": "none", "program": "1", "target": "t001",
            "asn_rule": "Asn_Lv2WFSS", "products": [{"name": "x", "members": members}]}  # fmt: skip
    (world[0] / "x_asn.json").write_text(json.dumps(tree))
    result = BackgroundStep().run(str(world[0] / "x_asn.json"))
    assert result.meta.source_catalog == f"{MIRI.root}_cat.ecsv"
    assert 0.3 < result.mask.mean() < 1


def test_backgrounds_beside_a_template_are_said_to_do_nothing(exposure, caplog):
    BackgroundStep().run(exposure, ["nowhere_rate.fits", "neither_rate.fits"])
    assert "2 background exposures have no effect" in caplog.text


def photons(electrons=400, noise=12, shape=(300, 300)):
    """Return background in electrons: data, variances as pixels state them, and the true shape."""
    rng = np.random.default_rng(4)
    model = background(shape).astype(np.float32)
    counted = rng.poisson(electrons * model).astype(np.float32)
    data = counted + rng.normal(0, noise, shape).astype(np.float32)
    return data, counted, np.full(shape, noise**2, np.float32), model


def test_weights_from_the_data_make_the_scale_too_small():
    """By an electron, times the share that photons have in the variance; even weights do not."""
    data, poisson, rnoise, model = photons()
    everywhere = np.ones(data.shape, bool)
    stated = scale_of(data, np.sqrt(poisson + rnoise), model, everywhere, Rejection(0.0, 0, 0.0, 1))
    even = scale_of(
        data, expected_error(poisson, rnoise, model, everywhere), model, everywhere, Rejection(0.0, 0, 0.0, 1)
    )
    sigma = float(np.sqrt((poisson + rnoise).mean() / data.size) / model.mean())
    assert even == pytest.approx(400, abs=3 * sigma)
    share = float((poisson / (poisson + rnoise)).mean())
    assert float(stated - 400) * model.mean() == pytest.approx(-share, abs=0.3)


def test_even_weights_in_the_step(exposure):
    data, counted, rnoise, _ = photons(shape=exposure.shape)
    gain = 2000.0  # electrons for a DN/s
    exposure.data, exposure.dq = data / gain, np.zeros(data.shape, np.uint32)
    exposure.var_poisson, exposure.var_rnoise = counted / gain**2, rnoise / gain**2
    exposure.err = np.sqrt(counted + rnoise) / gain
    scales = {
        even: BackgroundStep(wfss_even_weights=even).run(exposure.copy()).meta.background.scaling_factor
        for even in (False, True)
    }
    assert scales[True] == pytest.approx(0.2, rel=4e-4)
    assert scales[False] < scales[True] - 1.5e-4
    del exposure.var_poisson
    with pytest.raises(InputError, match="VAR_POISSON"):
        BackgroundStep(wfss_even_weights=True).run(exposure)
