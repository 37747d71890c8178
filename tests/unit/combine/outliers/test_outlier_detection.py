"""Cosmic rays are found, stars are left alone, and memory is not needed for it."""

import json
import warnings

import numpy as np
import pytest
from combine_cases import dithered

from webbcal import datamodels
from webbcal.combine.outliers.median import ImageStack, weight_threshold
from webbcal.combine.outliers.outlier_detection import OutlierDetectionStep
from webbcal.core.box import Box
from webbcal.core.errors import InputError, ParameterError, PlanError

OUTLIER = 16


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return dithered(tmp_path_factory.mktemp("dithers"))


@pytest.fixture(scope="module")
def association(case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("asn")
    for model in case[0]:
        model.copy().save(folder / model.meta.filename)
    members = [{"expname": m.meta.filename, "exptype": "science"} for m in case[0]]
    asn = {"asn_id": "a3001", "asn_pool": "p", "products": [{"name": "mosaic", "members": members}]}
    (folder / "image3_asn.json").write_text(json.dumps(asn))
    return folder / "image3_asn.json"


def test_cosmic_rays_are_found_and_nothing_else(case):
    models, masks = case
    run = OutlierDetectionStep().start(models)
    for model, mask, before, plan in zip(run.result, masks, models, run.done, strict=True):
        found = model.dq & OUTLIER > 0
        assert (found & mask).sum() >= 0.98 * mask.sum() > 20
        assert (found & ~mask).sum() <= 10
        assert (model.dq[found] & 1 == 1).all() and np.isnan(model.data[found]).all()
        assert np.isnan(model.var_flat[found]).all()
        assert not (before.dq & OUTLIER).any()
        assert plan.results == {"outliers": int(found.sum())}
        assert model.meta.cal_step.outlier_detection == "COMPLETE"


def test_on_files(case, association, tmp_path):
    inside = OutlierDetectionStep().run(case[0])
    step = OutlierDetectionStep(
        save_results=True, suffix="crf", save_intermediate_results=True, output_dir=str(tmp_path / "out")
    )
    results = step.run(association)
    root = "jw01234002001_02101_0000{}_nrcalong_a3001_{}.fits"
    names = {root.format(k, s) for k in (1, 2, 3, 4) for s in ("crf", "blot", "outlier_i2d")}
    assert {p.name for p in (tmp_path / "out").iterdir()} == names | {root.format(1, "median")}
    for model, expected in zip(results, inside, strict=True):
        np.testing.assert_array_equal(model.dq, expected.dq)
        assert model.meta.asn.table_name == "image3_asn.json"
    median = datamodels.open(tmp_path / "out" / root.format(1, "median"))
    blot = datamodels.open(tmp_path / "out" / root.format(2, "blot"))
    assert median.shape != blot.shape == (160, 160)
    assert np.nanmedian(np.abs(blot.data - results[1].data)) < 0.1


def test_images_that_are_put_aside(case, tmp_path):
    results = OutlierDetectionStep(in_memory=False).run(case[0])
    hidden = list(tmp_path.glob(".image.*.tmp"))
    assert len(hidden) == len(results)
    assert all(not isinstance(m.contents.tree["data"], np.ndarray) for m in results)
    expected = OutlierDetectionStep().run(case[0])
    np.testing.assert_array_equal(results[3].dq, expected[3].dq)
    del results
    assert not list(tmp_path.glob(".image.*.tmp"))


def test_without_resampling(case):
    rng = np.random.default_rng(0)
    models = []
    for _ in range(5):
        model = case[0][0].copy()
        model.data = (2 + rng.normal(0, 0.05, model.shape)).astype(np.float32)
        model.err = np.full(model.shape, 0.05, np.float32)
        model.dq[:] = 0
        models.append(model)
    models[1].data[7, 9], models[4].data[100, 3] = 20, -20
    found = OutlierDetectionStep(resample_data=False, snr="7 4").run(models)
    hit = [np.argwhere(m.dq & OUTLIER > 0).tolist() for m in found]
    assert hit == [[], [[7, 9]], [], [], [[100, 3]]]
    smaller = datamodels.ImageModel(models[2].data[:50], err=models[2].err[:50], dq=models[2].dq[:50])
    smaller.update(models[2])
    smaller.meta.filename = models[2].meta.filename
    models[2] = smaller
    with pytest.raises(InputError, match="one shape"):
        OutlierDetectionStep(resample_data=False).run(models)


def test_one_exposure_is_skipped(case):
    run = OutlierDetectionStep().start(case[0][:1])
    (model,) = run.result
    assert model.meta.cal_step.outlier_detection == "SKIPPED" and not (model.dq & OUTLIER).any()
    assert "only one" in run.done[0].reason


def test_impossible_parameters_and_types(case):
    for name, value in (("snr", "5"), ("scale", "a b"), ("snr", "-1 2"), ("good_bits", "~NOT_A_FLAG")):
        with pytest.raises(ParameterError, match=name):
            OutlierDetectionStep(**{name: value}).run(case[0])
    models = [m.copy() for m in case[0][:2]]
    models[1].meta.exposure.type = "NRS_IFU"
    with pytest.raises(PlanError, match="NRS_IFU"):
        OutlierDetectionStep().run(models)


def test_stack_in_a_file(tmp_path, monkeypatch):
    from webbcal.combine.outliers import median

    monkeypatch.setattr(median, "_BAND_VALUES", 60)
    rng = np.random.default_rng(1)
    boxes = [Box(0, 20, 0, 12), Box(5, 17, 3, 9), Box(10, 20, 0, 5), Box(0, 0, 0, 0)]
    cube = np.full((len(boxes), 20, 12), np.nan, np.float32)
    with ImageStack((20, 12), tmp_path) as stack:
        for plane, box in zip(cube, boxes, strict=True):
            plane[box.slices] = rng.normal(0, 1, box.shape)
            plane[rng.random(plane.shape) < 0.2] = np.nan
            stack.append(box, plane[box.slices])
        result = stack.median(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        np.testing.assert_array_equal(result, np.nanmedian(cube, axis=0))
    assert not list(tmp_path.iterdir())


def test_weight_threshold_is_that_of_sigma_clipping():
    from astropy.stats import sigma_clip

    rng = np.random.default_rng(3)
    weights = rng.normal(10, 1, (50, 61)).astype(np.float32)
    weights[rng.random(weights.shape) < 0.1] *= 3
    weights[:10] = 0
    weights[20] = np.nan
    kept = sigma_clip(weights[np.isfinite(weights) & (weights != 0)], sigma=3, maxiters=5, masked=False)
    assert weight_threshold(weights, 0.7) == pytest.approx(0.7 * np.mean(kept, dtype=float), rel=1e-6)
    assert np.isnan(weight_threshold(np.zeros((3, 3), np.float32), 0.7))
