"""calwebb_image3: products and their names from every kind of input, and input that cannot be combined."""

import gc
import json
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
from combine_cases import dithered

from webbcal import datamodels
from webbcal.associations import as_level3, asn_from_list
from webbcal.combine.members.opening import open_members
from webbcal.combine.mosaic import resample
from webbcal.combine.mosaic.resample import ResampleStep
from webbcal.combine.outliers import outlier_detection
from webbcal.combine.sky.skymatch import SkyMatchStep
from webbcal.core.errors import InputError, OutputError, ParameterError, PlanError
from webbcal.pipeline.image3 import Image3Pipeline
from webbcal.run.record import runs_of
from webbcal.run.registry import step_class
from webbcal.simulate import CrdsCache, write_catalog_references

STEPS = ["tweakreg", "skymatch", "outlier_detection", "resample", "source_catalog"]


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Four dithered exposures in files, and CRDS with what catalogues need."""
    folder = tmp_path_factory.mktemp("field")
    models, _ = dithered(folder, rays=10)
    cache = CrdsCache(folder / "catalog_crds")  # the rules of another are already in memory
    write_catalog_references(cache, ["NIRCAM"])
    paths = []
    for model in models:
        paths.append(str(folder / model.meta.filename))
        model.save(paths[-1])
    return folder, paths, cache


@pytest.fixture(autouse=True)
def _crds(field, monkeypatch):
    for name, value in field[2].environment.items():
        monkeypatch.setenv(name, value)


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.is_file())


def pipeline(tmp_path, **parameters):
    made = Image3Pipeline(**parameters)
    made.save_results, made.output_dir = True, str(tmp_path)
    made.tweakreg.skip = True  # the field has four stars
    made.source_catalog.npixels = 9
    return made


def test_an_association(field, tmp_path):
    folder, paths, _ = field
    asn = asn_from_list([p.rpartition("/")[2] for p in paths], product_name="field")
    (folder / "field_asn.json").write_text(asn.dump()[1])
    run = pipeline(tmp_path).start(str(folder / "field_asn.json"))
    mosaic = run.result
    asn_id = json.loads((folder / "field_asn.json").read_text())["asn_id"]
    exposures = [p.rpartition("/")[2].replace("_cal", f"_{asn_id}_crf") for p in paths]
    assert names(tmp_path) == sorted(["field_i2d.fits", "field_cat.ecsv", "field_segm.fits", *exposures])
    assert {p.rpartition("/")[2] for p in run.saved} == set(names(tmp_path))
    with datamodels.open(tmp_path / "field_i2d.fits") as saved:
        assert saved.meta.filename == mosaic.meta.filename == "field_i2d.fits"
        assert saved.meta.source_catalog == "field_cat.ecsv"
        assert saved.meta.segmentation_map == "field_segm.fits"
        assert saved.meta.asn.table_name == "field_asn.json"
        for step in STEPS[1:]:
            assert getattr(saved.meta.cal_step, step) == "COMPLETE", step
        assert saved.meta.cal_step.tweakreg == "SKIPPED"
        assert saved.meta.resample.pointings == 4
        np.testing.assert_array_equal(saved.data, mosaic.data)
        entries = [s["step"] for s in runs_of(saved)[-1]["steps"]]
        assert list(dict.fromkeys(entries)) == STEPS


@pytest.mark.parametrize("held", ["ModelContainer", "ModelLibrary"])
def test_a_container_of_models(field, tmp_path, held):
    folder, paths, _ = field
    asn = asn_from_list([p.rpartition("/")[2] for p in paths], product_name="held")
    asn.save(folder / "held_asn.json")
    made = pipeline(tmp_path)
    made.skymatch.skip = made.outlier_detection.skip = made.source_catalog.skip = True
    mosaic = made.run(getattr(datamodels, held)(folder / "held_asn.json"))
    assert names(tmp_path) == ["held_i2d.fits"] and mosaic.meta.asn.table_name == "held_asn.json"
    single = ResampleStep().run(getattr(datamodels, held)(paths))
    assert np.array_equal(single.data, mosaic.data, equal_nan=True)


def test_no_exposure_stays_in_memory(field, tmp_path, monkeypatch):
    arrays, left = [], []
    real_flag, real_make = outlier_detection.flag, resample.ResampleStep.make

    def flag(model, *args, **kwargs):
        number = real_flag(model, *args, **kwargs)
        arrays.extend(weakref.ref(getattr(model, name)) for name in ("data", "err", "dq"))
        return number

    def make(step, run, models, blend):
        gc.collect()
        left.extend(array for array in arrays if array() is not None)
        return real_make(step, run, models, blend)

    monkeypatch.setattr(outlier_detection, "flag", flag)
    monkeypatch.setattr(resample.ResampleStep, "make", make)
    pipeline(tmp_path).run(field[1])
    assert len(arrays) == 12
    assert not left


def test_a_list_and_models(field, tmp_path):
    _, paths, _ = field
    models = [datamodels.open(p) for p in paths[:2]]
    data = models[0].data.copy()
    first = pipeline(tmp_path / "list").run(paths[:2])
    second = pipeline(tmp_path / "models").run(models)
    np.testing.assert_array_equal(first.data, second.data)
    assert names(tmp_path / "list") == names(tmp_path / "models")
    root = "jw01234002001_02101_00001_nrcalong"
    assert f"{root}_i2d.fits" in names(tmp_path / "list") and f"{root}_crf.fits" in names(tmp_path / "list")
    np.testing.assert_array_equal(models[0].data, data)
    assert models[0].meta.cal_step.resample is None and (models[0].dq & 16 == 0).all()


def test_an_exposure_alone_is_resampled_and_catalogued(field, tmp_path):
    _, paths, _ = field
    image3 = pipeline(tmp_path)
    image3.tweakreg.skip = False
    run = image3.start(paths[0])
    mosaic = run.result
    plans = {plan.name: plan for plan in run.done}
    assert [name for name in STEPS if plans[name].applied][-2:] == ["resample", "source_catalog"]
    assert not plans["tweakreg"].applied and not plans["outlier_detection"].applied
    assert mosaic.meta.filename == "jw01234002001_02101_00001_nrcalong_i2d.fits"
    assert mosaic.meta.filename in names(tmp_path)


def test_nothing_is_written_unless_asked(field, tmp_path):
    mosaic = Image3Pipeline.call(field[1][:2], steps={"tweakreg": {"skip": True}})
    assert type(mosaic).__name__ == "ImageModel" and names(tmp_path) == []


def test_steps_that_are_left_out(field, tmp_path):
    run = pipeline(tmp_path, steps={"source_catalog": {"skip": True}, "outlier_detection": {"skip": True}})
    mosaic = run.run(field[1][:2])
    assert mosaic.meta.cal_step.source_catalog == mosaic.meta.cal_step.outlier_detection == "SKIPPED"
    assert names(tmp_path) == ["jw01234002001_02101_00001_nrcalong_i2d.fits"]
    run = pipeline(tmp_path / "exposures", steps={"resample": {"skip": True}})
    exposures = run.run(field[1][:2])
    assert len(exposures) == 2 and all(name.endswith("_crf.fits") for name in names(tmp_path / "exposures"))


def test_the_mosaic_outlives_its_catalogue(field, tmp_path):
    run = pipeline(tmp_path, steps={"source_catalog": {"aperture_ee1": 90}})
    with pytest.raises(ParameterError, match="aperture_ee1"):
        run.run(field[1][:2])
    assert "jw01234002001_02101_00001_nrcalong_i2d.fits" in names(tmp_path)


def test_moving_targets_are_followed(field, tmp_path):
    models = [datamodels.open(p) for p in field[1][:2]]
    for model in models:
        model.meta.target.type = "MOVING"
        model.meta.wcsinfo.mt_ra, model.meta.wcsinfo.mt_dec = (
            model.meta.wcsinfo.ra_ref,
            model.meta.wcsinfo.dec_ref,
        )
    mosaic = pipeline(tmp_path).run(models)
    done = mosaic.meta.cal_step
    assert (done.assign_mtwcs, done.tweakreg, done.resample) == ("COMPLETE", None, "COMPLETE")
    # Dithers are gone: the exposures lie on one another.
    assert max(mosaic.shape) < max(models[0].shape) + 20


def test_what_is_no_calibrated_image(field, tmp_path):
    _, paths, _ = field
    cube = datamodels.CubeModel(np.zeros((2, 8, 8), np.float32))
    cube.meta.filename = "x_calints.fits"
    with pytest.raises(InputError, match=r"x_calints\.fits: is a CubeModel"):
        Image3Pipeline.call([cube])
    mosaic = pipeline(tmp_path).run(paths[0])
    with pytest.raises(InputError, match="resampled already"):
        Image3Pipeline.call([mosaic])
    with pytest.raises(InputError, match="nowhere_cal"):
        Image3Pipeline.call(["nowhere_cal.fits"])


def test_it_has_its_names():
    assert step_class("calwebb_image3") is step_class("jwst.pipeline.Image3Pipeline") is Image3Pipeline
    assert list(Image3Pipeline.step_defs) == ["assign_mtwcs", *STEPS]


def test_limits_of_memory_and_threads(field, tmp_path):
    with pytest.raises(PlanError, match=r"max_memory is 100 MB"):
        pipeline(tmp_path, max_memory="100MB").run(field[1])
    assert names(tmp_path) == []

    # Two threads do not fit: it is done on one.
    # The libraries of the catalogue outweigh what threads take of so small images, so it is left out.
    def planned(**parameters):
        step = pipeline(tmp_path, **parameters)
        step.source_catalog.skip = True
        return step.plan(field[1])

    most, few = planned(), planned(threads=1).memory
    plan = planned(threads=2, max_memory=f"{few + 1000}")
    assert plan.threads == 1 and plan.memory <= few + 1000 and most.resources.limited is False


def test_members_are_not_all_open(field, tmp_path):
    links = []
    for k in range(60):
        links.append(str(tmp_path / f"e{k:02d}_cal.fits"))
        shutil.copy(field[1][k % 4], links[-1])
    before = len(list(Path("/proc/self/fd").iterdir()))
    models = open_members(as_level3(links).products[0], as_level3(links))
    assert len(models) == 60 and len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_same_exposure_under_two_names(field, tmp_path):
    _, paths, _ = field
    link = tmp_path / "link_cal.fits"
    link.symlink_to(paths[0])
    (tmp_path / "sub").mkdir()
    for other in (str(link), f"{tmp_path}/sub/../link_cal.fits"):
        for step in (ResampleStep, SkyMatchStep, Image3Pipeline):
            with pytest.raises(InputError, match="is there twice as science: it is the same file as"):
                step().run([paths[0], other])


def test_exposures_of_one_name_are_refused_if_they_are_saved(field, tmp_path):
    for k, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        shutil.copy(field[1][k], tmp_path / name / "x_cal.fits")
    given = [str(tmp_path / name / "x_cal.fits") for name in ("a", "b")]
    out = tmp_path / "out"
    with pytest.raises(OutputError, match=r"two products .*x_crf\.fits"):
        pipeline(out).run(given)
    assert names(out) == []
    skips = {name: {"skip": True} for name in STEPS if name != "outlier_detection"}
    assert len(Image3Pipeline(steps=skips, output_dir=str(tmp_path)).run(given)) == 2


def test_a_second_run_saves_nothing_that_was_not_asked_for(field, tmp_path):
    image3 = pipeline(tmp_path, in_memory=False)
    image3.run(field[1])
    for name in names(tmp_path):
        (tmp_path / name).unlink()
    image3.save_results = False
    image3.run(field[1])
    assert names(tmp_path) == []
    assert image3.outlier_detection.in_memory is True and image3.source_catalog.save_results is False
