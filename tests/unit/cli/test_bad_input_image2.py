"""Rates that cannot be calibrated: a clear error and no products, or a warning and a product."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from field_files import association, edit

from webbcal import datamodels, simulate
from webbcal.cli.main import main

CONFIG = simulate.ExposureConfig(
    detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="RAPID", ngroups=5
)
SKIP = "--steps.resample.skip=true"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    configs = [CONFIG, replace(CONFIG, exposure=2, seed=2)]
    return simulate.rate_universe(tmp_path_factory.mktemp("rates"), configs, subarray_only=True)


@pytest.fixture
def rates(world, monkeypatch):
    """Copies of the exposures that a test may damage, in the folder ``in``."""
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    Path("in").mkdir()
    return [Path(shutil.copy(path, "in")) for path in world.rate]


def left():
    """Return the names of the files in the folder of products, temporary ones included."""
    return sorted(p.name for p in Path("out").rglob("*")) if Path("out").is_dir() else []


@pytest.fixture
def fails(capsys):
    """Run stage 2, check that it fails without leaving a file, and return the message."""

    def run(path, *words):
        code = main(["run", "calwebb_image2", str(path), "--output_dir=out", *words])
        error = capsys.readouterr().err
        assert code in (1, 2) and "Traceback" not in error
        assert left() == []
        return error

    return run


def reference(world, kind):
    return next((world.folder / "crds" / "references").rglob(f"*_{kind}_*"))


def with_background(rates):
    members = [(rates[0], "science"), (rates[1], "background")]
    entries = [{"expname": path.name, "exptype": kind} for path, kind in members]
    return association(Path("in/x_asn.json"), entries, asn_type="image2")


def test_earlier_and_later_products(rates, fails):
    datamodels.Level1bModel(np.zeros((1, 3, 8, 8), np.uint16)).save("in/x_uncal.fits")
    error = fails("in/x_uncal.fits")
    assert "x_uncal.fits" in error and "calwebb_detector1" in error
    edit(rates[0], lambda m: setattr(m.meta.cal_step, "flat_field", "COMPLETE"))
    assert "flat_field was applied to it already" in fails(rates[0])
    assert main(["run", "calwebb_image2", str(rates[0]), SKIP, "--steps.flat_field.skip=true"]) == 0


def test_damaged_files(rates, fails):
    os.truncate(rates[0], rates[0].stat().st_size // 2)
    assert "truncated" in fails(rates[0])
    rates[0].write_text("no FITS file" * 1000)
    assert rates[0].name in fails(rates[0])
    assert "nowhere_rate.fits" in fails("nowhere_rate.fits")
    with fits.open(rates[1]) as hdus:
        hdus["DQ"].data = hdus["DQ"].data[:10]
        hdus.writeto(rates[1], overwrite=True)
    error = fails(rates[1])
    assert rates[1].name in error and "dq of the input has shape (10, 64)" in error


def test_missing_keywords(rates, fails):
    def drop(model):
        model.meta.wcsinfo.ra_ref = model.meta.wcsinfo.roll_ref = None

    edit(rates[0], drop)
    error = fails(rates[0])
    assert "RA_REF, ROLL_REF" in error and "webbcal pointing" in error
    edit(rates[1], lambda m: setattr(m.meta.subarray, "xstart", None))
    assert "SUBSTRT1" in fails(rates[1])


@pytest.mark.parametrize("kind", ["nan", "flagged"])
def test_no_usable_pixel(rates, capsys, kind):
    def spoil(model):
        if kind == "nan":
            model.data[:] = np.nan
        else:
            model.dq |= np.uint32(1)

    edit(rates[0], spoil)
    assert main(["run", "calwebb_image2", str(rates[0]), "--output_dir=out"]) == 0
    assert f"{rates[0].name}: no pixel can be used" in capsys.readouterr().err
    assert [name.split("_")[-1] for name in left()] == ["cal.fits", "i2d.fits"]


@pytest.mark.parametrize(("step", "kind"), [("flat_field", "flat"), ("assign_wcs", "distortion")])
def test_references_that_cannot_be_read(world, rates, fails, step, kind):
    path = Path(shutil.copy(reference(world, kind), "in"))
    word = f"--steps.{step}.override_{kind}={path}"
    os.truncate(path, path.stat().st_size // 2)
    error = fails(rates[0], SKIP, word)
    assert kind in error and path.name in error and f"override_{kind}" in error
    path.unlink()
    assert path.name in fails(rates[0], SKIP, word)
    other = reference(world, "photom" if kind == "flat" else "flat")
    assert "REFTYPE" in fails(rates[0], SKIP, f"--steps.{step}.override_{kind}={other}")


def test_a_flat_of_another_shape(world, rates, fails):
    with datamodels.FlatModel(str(reference(world, "flat"))) as model:
        small = datamodels.FlatModel(data=model.data[:32, :32].copy(), dq=model.dq[:32, :32].copy())
        small.update(model)
    small.save("in/small_flat.fits")
    error = fails(rates[0], SKIP, "--steps.flat_field.override_flat=in/small_flat.fits")
    assert "small_flat.fits covers columns" in error and rates[0].name in error
    small.dq = small.dq[:5].copy()
    small.save("in/small_flat.fits")
    error = fails(rates[0], SKIP, "--steps.flat_field.override_flat=in/small_flat.fits")
    assert "its dq array has shape (5, 32)" in error


def test_backgrounds_that_do_not_fit(rates, fails):
    path = with_background(rates)
    edit(rates[1], lambda m: setattr(m.meta.instrument, "filter", "F115W"))
    error = fails(path, SKIP)
    assert f"background exposure {rates[1].name} was taken with filter F115W" in error
    with fits.open(rates[1]) as hdus:
        for name in ("SCI", "ERR", "DQ", "VAR_POISSON", "VAR_RNOISE"):
            hdus[name].data = hdus[name].data[:32, :32]
        hdus[0].header["FILTER"] = CONFIG.filter
        hdus.writeto(rates[1], overwrite=True)
    error = fails(path, SKIP)
    assert f"{rates[1].name}: the header says SUBSIZE1 = 64" in error


def test_associations(rates, fails):
    path = association(Path("in/x_asn.json"), [rates[0].name, "gone_rate.fits"], asn_type="image3")
    assert "level 3" in fails(association(path, [r.name for r in rates], asn_type="image3"))
    assert "gone_rate.fits" in fails(association(path, ["gone_rate.fits"], asn_type="image2"))
    twice = {"name": "a", "members": [{"expname": rates[0].name, "exptype": "science"}]}
    error = fails(association(path, [], asn_type="image2", products=[twice, twice]))
    assert "the name 'a' is taken" in error
    path.write_text(json.dumps({"products": "none"}))
    assert "must be a list" in fails(path)


def test_full_disk(rates):
    # A limit on the size of files makes writes fail as a full disk does, after part was written.
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000));"
        "from webbcal.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "run", "calwebb_image2", str(rates[0]), "--output_dir=out", SKIP]
    environment = dict(os.environ) | {"NUMBA_DISABLE_CACHING": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    assert "_cal.fits" in done.stderr and "Traceback" not in done.stderr and left() == []


def test_interrupted_while_it_is_saved(rates):
    script = (
        "import sys, time; from webbcal.datamodels import product_writer as w\n"
        "original = w.ProductWriter.commit\n"
        "def commit(self, *args, **kwargs):\n"
        "    print('working', flush=True); time.sleep(10); return original(self, *args, **kwargs)\n"
        "w.ProductWriter.commit = commit\n"
        "from webbcal.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "run", "calwebb_image2", str(rates[0]), "--output_dir=out", SKIP]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() and left()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted" in error and left() == []


def test_the_plan_tells_what_the_run_does(rates, capsys):
    words = ["calwebb_image2", str(with_background(rates)), "--output_dir=out", "--save_bsub=true"]
    assert main(["plan", *words, SKIP]) == 0
    plan = capsys.readouterr().out
    assert (
        "apply bkg_subtract" in plan and "FLAT reference: flat reference" in plan and "memory: about" in plan
    )
    assert "skip  resample: skip = True (user)" in plan and not Path("out/field_cal.fits").exists()
    assert main(["run", *words, SKIP]) == 0
    planned = re.findall(r"^  out/(\S+)$", plan, re.M)
    assert sorted(planned) == left() == ["field_bsub.fits", "field_cal.fits"]
