"""The pipeline of stage 2: inputs, names of products, records, hooks, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
from stage2_cases import CONFIG, rate

from webbcal import datamodels, simulate
from webbcal.core.errors import InputError, ParameterError
from webbcal.exposure.background.bkg_subtract import BackgroundStep
from webbcal.pipeline.image2 import Image2Pipeline
from webbcal.run.record import runs_of
from webbcal.run.registry import step_class

ROOT = CONFIG.rootname
OTHERS = [replace(CONFIG, exposure=n, seed=n, nints=2) for n in (2, 3)]
QUICK = {"steps": {"resample": {"skip": True}}}


@pytest.fixture(scope="module")
def rates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rates")
    options = [simulate.RateOptions(), simulate.RateOptions(integrations=True), simulate.RateOptions()]
    return simulate.rate_universe(folder, [CONFIG, *OTHERS], options, subarray_only=True)


@pytest.fixture
def world(rates, monkeypatch):
    for name, value in rates.environment.items():
        monkeypatch.setenv(name, value)
    return rates


def products(folder):
    """Return the names of the products in a folder."""
    return sorted(p.name for p in folder.glob("*.fits"))


def association(folder, products):
    """Write an association of {name: [(file, kind)]} and return its path."""
    entries = [
        {"name": name, "members": [{"expname": e, "exptype": k} for e, k in members]}
        for name, members in products.items()
    ]
    keys = {"asn_type": "image2", "asn_id": "a3001", "asn_pool": "pool.csv", "asn_rule": "x", "program": "1"}
    path = folder / "test_asn.json"
    path.write_text(json.dumps({**keys, "products": entries}))
    return path


def test_one_exposure(world, tmp_path):
    pipeline = Image2Pipeline(save_results=True, output_dir=str(tmp_path), **QUICK)
    run = pipeline.start(str(world.rate[0]))
    (result,) = run.result
    assert run.saved == [str(tmp_path / f"{ROOT}_cal.fits")]
    assert products(tmp_path) == [f"{ROOT}_cal.fits"]
    assert type(result).__name__ == "ImageModel" and result.meta.filename == f"{ROOT}_cal.fits"
    with datamodels.open(tmp_path / f"{ROOT}_cal.fits") as saved:
        np.testing.assert_array_equal(saved.data, result.data)
        done = saved.meta.cal_step
        assert (done.bkg_subtract, done.assign_wcs, done.flat_field, done.photom, done.resample) == (
            "SKIPPED", "COMPLETE", "COMPLETE", "COMPLETE", "SKIPPED",
        )  # fmt: skip
        assert saved.meta.bunit_data == "MJy/sr" and saved.has("area") and saved.has("var_flat")
        ra, dec = saved.meta.wcs(31.5, 31.5)
        assert (ra, dec) == pytest.approx((CONFIG.ra, CONFIG.dec), abs=1e-3)
        (run,) = runs_of(saved)  # the steps of a pipeline make one entry
        names = [s["step"] for s in run["steps"]]
        assert names == ["bkg_subtract", "assign_wcs", "flat_field", "photom", "resample"]
        assert run["crds_context"] == "jwst_0001.pmap"


def test_nothing_is_written_unless_asked_for(world, tmp_path):
    results = Image2Pipeline.call(str(world.rate[0]), **QUICK)
    assert len(results) == 1 and not products(tmp_path)
    assert results[0].meta.filename == f"{ROOT}_cal.fits"


def test_integrations(world, tmp_path):
    (result,) = Image2Pipeline.call(world.rate[1], save_results=True, output_dir=str(tmp_path))
    assert type(result).__name__ == "CubeModel" and len(result.int_times) == 2
    assert products(tmp_path) == [f"{OTHERS[0].rootname}_calints.fits"]


def test_a_model_is_not_changed(world):
    with datamodels.open(world.rate[0]) as model:
        before = model.data.copy()
        (result,) = Image2Pipeline.call(model, **QUICK)
        np.testing.assert_array_equal(model.data, before)
        assert model.meta.cal_step.photom is None and model.meta.bunit_data == "DN/s"
        assert result.meta.filename == f"{ROOT}_cal.fits" and result.meta.cal_step.photom == "COMPLETE"


def test_a_list_of_exposures(world, tmp_path):
    results = Image2Pipeline.call(
        [str(world.rate[0]), str(world.rate[1])], save_results=True, output_dir=str(tmp_path), **QUICK
    )
    names = [f"{ROOT}_cal.fits", f"{OTHERS[0].rootname}_calints.fits"]
    assert [r.meta.filename for r in results] == names == products(tmp_path)
    # products that are saved are handed back as files that are read when touched
    assert type(results[0].source("data")).__name__ == "FitsArray"
    for result in results:
        assert len(runs_of(result)) == 1 and np.isfinite(result.data).any()


def test_an_association_with_backgrounds(world, tmp_path):
    names = [p.name for p in world.rate]
    path = association(world.folder, {"mine": [(names[0], "science"), (names[2], "background")]})
    (result,) = Image2Pipeline.call(
        path, save_results=True, save_bsub=True, output_dir=str(tmp_path), **QUICK
    )
    assert products(tmp_path) == ["mine_bsub.fits", "mine_cal.fits"]
    assert result.meta.asn.table_name == "test_asn.json" and result.meta.asn.pool_name == "pool.csv"
    assert result.meta.cal_step.bkg_subtract == "COMPLETE"
    with datamodels.open(tmp_path / "mine_bsub.fits") as bsub:
        with datamodels.open(world.rate[0]) as a, datamodels.open(world.rate[2]) as b:
            np.testing.assert_allclose(bsub.data, a.data - np.nan_to_num(b.data), rtol=1e-5, atol=1e-6)
        assert bsub.meta.cal_step.flat_field is None and bsub.meta.bunit_data == "DN/s"


def test_save_bsub_without_backgrounds_saves_none(world, tmp_path):
    Image2Pipeline.call(world.rate[0], save_results=True, save_bsub=True, output_dir=str(tmp_path), **QUICK)
    assert products(tmp_path) == [f"{ROOT}_cal.fits"]
    steps = {"bkg_subtract": {"save_results": True}, "resample": {"skip": True}}
    Image2Pipeline.call(world.rate[0], output_dir=str(tmp_path), steps=steps)
    assert products(tmp_path) == [f"{ROOT}_cal.fits"]


def test_steps_may_save(world, tmp_path):
    steps = {"flat_field": {"save_results": True}, "assign_wcs": {"save_results": True}, **QUICK["steps"]}
    Image2Pipeline.call(world.rate[0], output_dir=str(tmp_path), steps=steps)
    assert products(tmp_path) == [
        f"{ROOT}_assign_wcs.fits",
        f"{ROOT}_flat_field.fits",
    ]


def test_output_file(world, tmp_path):
    Image2Pipeline.call(world.rate[0], output_file="new.fits", output_dir=str(tmp_path), **QUICK)
    assert products(tmp_path) == ["new_cal.fits"]


def test_output_file_is_ignored_for_several(world, tmp_path, caplog):
    inputs = [str(world.rate[0]), str(world.rate[2])]
    Image2Pipeline.call(inputs, output_file="new.fits", output_dir=str(tmp_path), **QUICK)
    assert f"{ROOT}_cal.fits" in products(tmp_path)
    assert "output_file" in caplog.text


def test_the_same_pipeline_runs_twice(world, tmp_path):
    pipeline = Image2Pipeline(**QUICK)
    names = [pipeline.run(str(path))[0].meta.filename for path in (world.rate[0], world.rate[2])]
    assert names == [f"{ROOT}_cal.fits", f"{OTHERS[1].rootname}_cal.fits"]


def test_hooks(world, tmp_path):
    def brighten(model):
        model.data += 1000.0
        return model

    seen = []
    (plain,) = Image2Pipeline.call(world.rate[0], **QUICK)
    steps = {
        "flat_field": {"pre_hooks": [brighten]},
        "photom": {"post_hooks": [seen.append]},
        **QUICK["steps"],
    }
    (hooked,) = Image2Pipeline.call(world.rate[0], steps=steps)
    assert np.nanmedian(hooked.data) > 500 * np.nanmedian(plain.data) and len(seen) == 1

    def rename(results):
        results[0].meta.target.catalog_name = "HOOKED"

    Image2Pipeline.call(
        world.rate[0], post_hooks=[rename], save_results=True, output_dir=str(tmp_path), **QUICK
    )
    with datamodels.open(tmp_path / f"{ROOT}_cal.fits") as saved:
        assert saved.meta.target.catalog_name == "HOOKED"


def test_skipped_steps_are_recorded(world):
    steps = {"flat_field": {"skip": True}, "photom": {"skip": True}, **QUICK["steps"]}
    (result,) = Image2Pipeline.call(world.rate[0], steps=steps)
    assert result.meta.cal_step.photom == "SKIPPED" and result.meta.bunit_data == "DN/s"
    reasons = {s["step"]: s["reason"] for s in runs_of(result)[0]["steps"]}
    assert reasons["photom"] == "skip = True (user)"


def test_reference_overrides_and_parameters(world, tmp_path):
    override = sorted((world.folder / "crds/references/jwst/nircam").glob("*flat*"))[0]
    steps = {"flat_field": {"override_flat": str(override)}, **QUICK["steps"]}
    (result,) = Image2Pipeline.call(world.rate[0], steps=steps)
    assert result.meta.ref_file.flat.name == str(override)
    with pytest.raises(ParameterError, match="sigma"):
        Image2Pipeline.call(world.rate[0], steps={"bkg_subtract": {"sigmma": 2.0}})


def test_names():
    for name in ("calwebb_image2", "Image2Pipeline", "jwst.pipeline.Image2Pipeline"):
        assert step_class(name) is Image2Pipeline
    assert list(Image2Pipeline.step_defs) == [
        "bkg_subtract",
        "assign_wcs",
        "flat_field",
        "photom",
        "resample",
    ]
    assert "save_bsub = boolean(default=False)" in Image2Pipeline.spec


def test_what_it_refuses(world, tmp_path):
    path = association(tmp_path, {"mine": [("gone_rate.fits", "science")]})
    with pytest.raises(InputError, match=r"gone_rate\.fits"):
        Image2Pipeline.call(path)
    path = association(tmp_path, {"mine": [(str(world.rate[0]), "background")]})
    with pytest.raises(InputError, match="no science member"):
        Image2Pipeline.call(path)
    ramp = datamodels.RampModel(np.zeros((1, 3, 8, 8), np.float32))
    ramp.meta.filename = "x_ramp.fits"
    with pytest.raises(InputError, match="calwebb_detector1"):
        Image2Pipeline(**QUICK).run(ramp)
    with pytest.raises(InputError):
        Image2Pipeline.call([])


def test_a_failure_leaves_what_was_made_before(world, tmp_path):
    broken = rate(**{"filename": "broken_rate.fits"})
    broken.meta.wcsinfo.ra_ref = None
    broken.save(tmp_path / "broken_rate.fits")
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"RA_REF|ra_ref"):
        Image2Pipeline.call(
            [str(world.rate[0]), str(tmp_path / "broken_rate.fits")],
            save_results=True,
            output_dir=str(out),
            **QUICK,
        )
    assert products(out) == [f"{ROOT}_cal.fits"]


def test_names_are_looked_for_in_the_input_folder(world, tmp_path):
    names = [path.name for path in world.rate]
    lone = Image2Pipeline.call(names[0], input_dir=str(world.folder), **QUICK)
    listed = Image2Pipeline.call(names[:2], input_dir=str(world.folder), **QUICK)
    assert [m.meta.filename for m in lone] == [f"{ROOT}_cal.fits"] and len(listed) == 2
    step = BackgroundStep(input_dir=str(world.folder), bkg_list=[names[2]])
    assert step.run(names[0]).meta.cal_step.bkg_subtract == "COMPLETE"
