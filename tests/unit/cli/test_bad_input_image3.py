"""Exposures that cannot be combined, or not all: a clear error and no products, or a warning and a mosaic."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from field_files import association, edit, write_field
from sky_scenes import SIZE

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.run.record import runs_of

QUICK = [f"--steps.{step}.skip=true" for step in ("outlier_detection", "source_catalog")]


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    return write_field(tmp_path_factory.mktemp("field"))


@pytest.fixture
def cals(field, monkeypatch):
    """Copies of the exposures that a test may damage, in the folder ``in``."""
    for name, value in field[1].items():
        monkeypatch.setenv(name, value)
    Path("in").mkdir()
    return [Path(shutil.copy(path, "in")) for path in field[0]]


def left():
    """Return the names of the files in the folder of products, temporary ones included."""
    return sorted(p.name for p in Path("out").rglob("*")) if Path("out").is_dir() else []


@pytest.fixture
def fails(capsys):
    """Run stage 3, check that it fails without leaving a file, and return the message."""

    def run(path, *words):
        code = main(["run", "calwebb_image3", str(path), "--output_dir=out", *words])
        error = capsys.readouterr().err
        assert code in (1, 2) and "Traceback" not in error
        assert left() == []
        return error

    return run


@pytest.fixture
def combines(capsys):
    """Run stage 3 on an association, and return the mosaic and what was said."""

    def run(paths, *words):
        path = association(Path("in/x_asn.json"), [p.name for p in paths])
        code = main(["run", "calwebb_image3", str(path), "--output_dir=out", *words])
        said = capsys.readouterr()
        assert code == 0, said.err
        return datamodels.open("out/field_i2d.fits"), said.err + said.out

    return run


def asn(paths, **keys):
    return association(Path("in/x_asn.json"), [str(getattr(p, "name", p)) for p in paths], **keys)


def flag_all(model):
    model.dq |= np.uint32(1)


def remove_stars(model):
    model.data = np.random.default_rng(1).normal(0.3, 0.01, (SIZE, SIZE)).astype(np.float32)


def move(degrees):
    """Return a change that puts an exposure somewhere else on the sky."""

    def change(model):
        from sky_scenes import ROLL, wcs_at

        from webbcal.wcs.footprint import update_s_region

        model.meta.wcs = wcs_at(3600 * degrees, 0.0, ROLL)
        update_s_region(model)

    return change


# ---------------------------------------------------------------- what does not go together


def test_instruments_are_not_mixed(cals, fails):
    edit(cals[1], lambda m: setattr(m.meta.instrument, "name", "NIRISS"))
    error = fails(asn(cals))
    assert "several instruments" in error and f"NIRISS: {cals[1].name}" in error and "NIRCAM" in error


def test_units_are_not_mixed(cals, fails):
    edit(cals[2], lambda m: setattr(m.meta, "bunit_data", "DN/s"))
    error = fails(asn(cals))
    assert "several units" in error and f"DN/s: {cals[2].name}" in error


def test_filters_are_mixed_with_a_warning_and_without_a_catalogue(cals, combines):
    edit(cals[1], lambda m: setattr(m.meta.instrument, "filter", "F356W"))
    mosaic, said = combines(cals, QUICK[0])
    assert said.count("several filters are combined") == 1 and f"F356W: {cals[1].name}" in said
    assert mosaic.meta.instrument.filter == "MULTIPLE" and np.isfinite(mosaic.data).any()
    assert mosaic.meta.cal_step.source_catalog == "SKIPPED"
    reason = runs_of(mosaic)[-1]["steps"][-1]["reason"]
    assert "FILTER = MULTIPLE" in reason and reason in said


def test_an_exposure_beside_the_others_is_mosaicked_and_named(cals, combines):
    edit(cals[2], move(0.01))
    mosaic, said = combines(cals, *QUICK)
    assert f"{cals[2].name}: skymatch skipped: overlaps with no other exposure" in said
    assert f"tweakreg: {cals[2].name}: FAILED" in said
    assert mosaic.shape[1] > 1.5 * SIZE or mosaic.shape[0] > 1.5 * SIZE
    assert mosaic.meta.resample.pointings == 3


def test_exposures_of_different_fields_make_no_gigantic_mosaic(cals, fails):
    edit(cals[2], move(3.0))
    error = fails(asn(cals))
    assert "GB are free" in error and "leave out exposures far apart" in error


# ---------------------------------------------------------------- exposures that cannot be used


@pytest.mark.parametrize(("change", "reason"), [(flag_all, "empty source"), (remove_stars, "empty source")])
def test_a_useless_exposure_leaves_the_others_as_they_are_without_it(cals, combines, change, reason):
    combines([cals[0], cals[2]], *QUICK[1:])
    alone = {p.name: p.read_bytes() for p in Path("out").glob("*_crf.fits")}
    wcs = {n: datamodels.open(f"out/{n}").meta.wcs(10.0, 20.0) for n in alone}
    shutil.rmtree("out")
    edit(cals[1], change)
    mosaic, said = combines(cals, *QUICK[1:])
    assert f"tweakreg: {cals[1].name}: FAILED: {reason}" in said
    assert said.count("mas rms of") == 1 and f"tweakreg: {cals[0].name}: the others are aligned to it" in said
    for name, there in wcs.items():
        with datamodels.open(f"out/{name}") as crf:
            assert crf.meta.cal_step.tweakreg == "COMPLETE"
            np.testing.assert_allclose(crf.meta.wcs(10.0, 20.0), there, rtol=0, atol=1e-12)
    with datamodels.open(f"out/{cals[1].name.replace('_cal', '_a3001_crf')}") as crf:
        assert crf.meta.cal_step.tweakreg == "FAILED"
        outcome = next(s for s in runs_of(crf)[-1]["steps"] if s["step"] == "tweakreg")
        assert outcome["status"] == "FAILED" and reason in outcome["reason"]
    assert np.isfinite(mosaic.data[SIZE // 2, SIZE // 2])


def test_too_few_stars_for_all(cals, combines):
    mosaic, said = combines(cals, "--steps.tweakreg.minobj=5000", *QUICK)
    assert said.count("FAILED: not enough matches") == 2 and "1 failed" not in said
    assert np.isfinite(mosaic.data).any() and mosaic.meta.cal_step.tweakreg in ("COMPLETE", "FAILED")


def test_no_stars_at_all(cals, combines):
    for path in cals:
        edit(path, remove_stars)
    mosaic, said = combines(cals, "--steps.outlier_detection.skip=true")
    assert said.count("FAILED: fewer than two exposures have sources") == 3 and "1 failed" in said
    assert "no sources found in field_i2d.fits" in said and mosaic.meta.cal_step.tweakreg == "FAILED"
    assert left() == ["field_i2d.fits"]


@pytest.mark.parametrize("change", [flag_all, lambda m: m.data.fill(np.nan)], ids=["flagged", "nan"])
def test_nothing_but_useless_pixels(cals, combines, change):
    for path in cals:
        edit(path, change)
    mosaic, said = combines(cals)
    assert "field_i2d.fits: has no data" in said and np.isnan(mosaic.data).all() and not mosaic.wht.any()
    assert len([name for name in left() if name.endswith("_crf.fits")]) == 3


# ---------------------------------------------------------------- what is no calibrated image


@pytest.mark.parametrize("number", [0, 1])
def test_missing_wcs(cals, fails, number):
    edit(cals[number], lambda m: setattr(m.meta, "wcs", None))
    error = fails(asn(cals))
    assert f"{cals[number]}: has no WCS" in error and "calwebb_image2" in error
    assert f"{cals[number]}: has no WCS" in fails(cals[number])


def test_earlier_products(cals, fails):
    edit(cals[0], lambda m: setattr(m.meta.cal_step, "resample", "COMPLETE"))
    assert "resampled already" in fails(asn(cals))
    ramp = datamodels.Level1bModel(np.zeros((1, 3, 8, 8), np.uint16))
    ramp.save("in/x_uncal.fits")
    error = fails("in/x_uncal.fits")
    assert "x_uncal.fits: is a Level1bModel" in error and "calwebb_image2" in error
    rate = datamodels.ImageModel(np.zeros((8, 8), np.float32))
    rate.save("in/x_rate.fits")
    assert "in/x_rate.fits: has no WCS" in fails("in/x_rate.fits")


def test_arrays_that_do_not_agree(cals, fails):
    with fits.open(cals[1]) as hdus:
        hdus["DQ"].data = hdus["DQ"].data[:50]
        hdus.writeto(cals[1], overwrite=True)
    assert f"{cals[1]}: its dq array has shape (50, {SIZE})" in fails(asn(cals))
    with fits.open(cals[1]) as hdus:
        del hdus["SCI"]
        hdus.writeto(cals[1], overwrite=True)
    assert f"{cals[1]}: has no science array" in fails(asn(cals))


def test_damaged_files(cals, fails):
    os.truncate(cals[1], cals[1].stat().st_size // 2)
    error = fails(asn(cals))
    assert cals[1].name in error and "truncated" in error
    cals[1].write_text("no FITS file" * 1000)
    assert cals[1].name in fails(asn(cals))
    with fits.open(cals[2]) as hdus:
        hdus["ASDF"].data["ASDF_METADATA"][0][200:400] = 7
        hdus.writeto(cals[2], overwrite=True)
    error = fails(asn(cals[::2]))
    assert cals[2].name in error and "ASDF extension" in error


# ---------------------------------------------------------------- associations


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"products": [', "not JSON"),
        ("", "not JSON"),
        ("[1, 2]", "not an association"),
        ('{"asn_type": "image3"}', "has no 'products'"),
        ('{"products": []}', "at least one entry"),
        ('{"products": [{"name": "a", "members": []}]}', "at least one entry"),
        ('{"products": [{"members": [{"expname": "x_asn.json", "exptype": "science"}]}]}', "lists itself"),
        ('{"products": [{"members": [{"expname": "x_cal.fits"}]}]}', "has no 'exptype'"),
    ],
)
def test_files_that_are_no_associations(cals, fails, text, message):
    Path("in/x_asn.json").write_text(text)
    error = fails("in/x_asn.json")
    assert "in/x_asn.json" in error and message in error


def test_members_that_are_wrong(cals, fails):
    assert "gone_cal.fits" in fails(asn([*cals, "gone_cal.fits"]))
    assert f"{cals[0].name} is there twice" in fails(asn([*cals, cals[0]]))
    entry = {"expname": cals[0].name, "exptype": "sciense"}
    assert "did you mean 'science'" in fails(association(Path("in/x_asn.json"), [entry]))
    entry["exptype"] = "background"
    assert "no member is science" in fails(association(Path("in/x_asn.json"), [entry]))
    assert "nowhere_asn.json" in fails("in/nowhere_asn.json")


def test_an_association_of_another_level_or_kind(cals, fails, capsys):
    products = [{"name": p.stem, "members": [{"expname": p.name, "exptype": "science"}]} for p in cals]
    path = asn(cals, asn_type="image2", products=products)
    error = fails(path)
    assert "level 2" in error and "calwebb_image3 takes level 3" in error
    path = asn(cals, asn_type="spec3")
    words = [f"--steps.{s}.skip=true" for s in ("tweakreg", "skymatch")]
    assert main(["run", "calwebb_image3", str(path), "--output_dir=out", *words, *QUICK]) == 0
    assert "x_asn.json is for spec3" in capsys.readouterr().err


# ---------------------------------------------------------------- writing


def test_unwritable_output_folder(cals, fails):
    path = asn(cals)
    Path("file").touch()
    assert main(["run", "calwebb_image3", str(path), "--output_dir=file/below"]) == 1
    assert main(["run", "calwebb_image3", str(path), "--output_dir=/proc/nothing"]) == 1


SCRIPT = "from webbcal.cli.main import main; import sys; sys.exit(main(sys.argv[1:]))"


def start(path, before, *words):
    """Start the command in a process of its own, after some code."""
    command = [sys.executable, "-c", before + SCRIPT, "run", "calwebb_image3", str(path), "--output_dir=out"]
    environment = dict(os.environ) | {"NUMBA_DISABLE_CACHING": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, *words], env=environment, **pipes)


def test_full_disk(cals):
    # A limit on the size of files makes writes fail as a full disk does, after part was written.
    limit = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000));"
    )
    plain = ["--steps.tweakreg.skip=true", "--steps.skymatch.skip=true", QUICK[1]]
    process = start(asn(cals), limit, *plain, QUICK[0])
    _, error = process.communicate(timeout=300)
    assert process.returncode == 1, error
    assert "field_i2d.fits" in error and "Traceback" not in error and left() == []
    process = start(asn(cals), limit, *plain)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 1 and left() == []
    assert "scratch space in out cannot be written" in error and "output_dir" in error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_exposures_are_saved(cals, number):
    slow = (
        "import time; from webbcal.datamodels import product_writer as w; original = w.ProductWriter.commit\n"
        "def commit(self, *args, **kwargs):\n"
        "    print('working', flush=True); time.sleep(5); return original(self, *args, **kwargs)\n"
        "w.ProductWriter.commit = commit\n"
    )
    process = start(asn(cals), slow, "--steps.tweakreg.skip=true", "--steps.skymatch.skip=true")
    assert process.stdout is not None and process.stdout.readline()
    assert any(name.startswith(".") or name.endswith(".tmp") for name in left())
    time.sleep(0.1)
    process.send_signal(number)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted" in error
    assert not [name for name in left() if not name.endswith("_crf.fits")]
    for name in left():  # what is there is whole
        datamodels.open(f"out/{name}").data.sum()


def test_a_mosaic_survives_a_failed_run(cals, capsys):
    path = asn(cals)
    assert main(["run", "calwebb_image3", str(path), *QUICK]) == 0
    before = Path("field_i2d.fits").read_bytes()
    os.truncate(cals[1], 5000)
    assert main(["run", "calwebb_image3", str(path), *QUICK]) == 1
    assert Path("field_i2d.fits").read_bytes() == before
    assert json.loads(path.read_text())["products"][0]["name"] == "field"


def test_the_plan_tells_what_the_run_does(cals, capsys):
    path = asn(cals)
    edit(cals[1], lambda m: setattr(m.meta.wcsinfo, "v2_ref", None))
    words = ["calwebb_image3", str(path), "--output_dir=out"]
    assert main(["plan", *words]) == 0
    plan = capsys.readouterr().out
    assert f"not to {cals[1].name}: lacks V2_REF" in plan and "APCORR reference" in plan and left() == []
    assert main(["run", *words]) == 0
    assert f"tweakreg: {cals[1].name}: FAILED: lacks V2_REF" in capsys.readouterr().out
    assert sorted(re.findall(r"^  out/(\S+)$", plan, re.M)) == left()


def test_exposures_given_one_by_one_are_a_list(cals, capsys):
    """None of them may be left out without a word, as all but the first once were."""
    words = [str(path) for path in cals]
    assert main(["run", "calwebb_image3", *words, "--output_dir=out", *QUICK]) == 0
    (path,) = Path("out").glob("*_i2d.fits")
    assert datamodels.open(path).meta.resample.pointings == len(cals)
    assert main(["plan", "calwebb_image3", *words, *QUICK]) == 0
    assert f"and {len(cals) - 1} more" in capsys.readouterr().out


def test_a_step_for_one_exposure_refuses_several(cals, capsys):
    assert main(["run", "photom", *map(str, cals), "--output_dir=out"]) != 0
    assert f"takes one input, but {len(cals)} are given" in capsys.readouterr().err
    assert left() == []
