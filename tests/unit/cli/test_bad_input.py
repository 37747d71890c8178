"""Bad input gets a clear error, a non-zero exit, and no partial product."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.pipeline.detector1 import Detector1Pipeline


@pytest.fixture
def uncal(crds: Any) -> Path:
    """A copy of the exposure that a test may damage."""
    Path("in").mkdir()
    return Path(shutil.copy(crds.uncal[0], "in"))


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run stage 1, check that it fails without leaving a file, and return the message."""

    def run(path: Path, *words: str, out: str = "out") -> str:
        code = main(["run", "calwebb_detector1", str(path), f"--output_dir={out}", *words])
        error = capsys.readouterr().err
        assert code in (1, 2)
        assert "Traceback" not in error
        assert not list(Path(out).iterdir()) if Path(out).is_dir() else True
        return error

    return run


def edit(path: Path, change: Callable[[fits.HDUList], None]) -> None:
    with fits.open(path, mode="update") as hdus:
        change(hdus)


def test_truncated_file(uncal: Path, fails: Callable[..., str]) -> None:
    os.truncate(uncal, uncal.stat().st_size // 2)
    error = fails(uncal)
    assert uncal.name in error and "truncated" in error


def test_text_file_named_fits(fails: Callable[..., str], crds: Any) -> None:
    Path("note_uncal.fits").write_text("this is no FITS file\n" * 200)
    assert "note_uncal.fits" in fails(Path("note_uncal.fits"))


def test_missing_and_empty_file(fails: Callable[..., str], crds: Any) -> None:
    assert "nowhere_uncal.fits" in fails(Path("nowhere_uncal.fits"))
    Path("empty_uncal.fits").touch()
    assert "empty" in fails(Path("empty_uncal.fits"))


def test_missing_keywords(uncal: Path, fails: Callable[..., str]) -> None:
    def drop(hdus: fits.HDUList) -> None:
        del hdus[0].header["NFRAMES"]
        del hdus[0].header["TGROUP"]
        del hdus["ASDF"]

    edit(uncal, drop)
    error = fails(uncal)
    assert "NFRAMES" in error and "TGROUP" in error and uncal.name in error


def test_header_and_data_disagree(uncal: Path, fails: Callable[..., str]) -> None:
    edit(uncal, lambda hdus: hdus[0].header.set("SUBSIZE1", 2048))
    assert "SUBSIZE1 = 2048" in fails(uncal)
    edit(uncal, lambda hdus: hdus[0].header.update(SUBSIZE1=64, NGROUPS=9))
    assert "NGROUPS = 9 but the SCI array has 6 groups" in fails(uncal)


def test_wrong_shape(uncal: Path, fails: Callable[..., str]) -> None:
    def flatten(hdus: fits.HDUList) -> None:
        hdus["SCI"].data = hdus["SCI"].data[0, 0]

    edit(uncal, flatten)
    assert uncal.name in fails(uncal)


def reference(crds: Any, kind: str) -> Path:
    return next(Path(crds.environment["CRDS_PATH"]).rglob(f"*_{kind}_*.fits"))


def test_reference_of_another_detector(uncal: Path, crds: Any, fails: Callable[..., str]) -> None:
    other = Path(shutil.copy(reference(crds, "gain"), "other_gain.fits"))
    edit(other, lambda hdus: hdus[0].header.set("DETECTOR", "NRCA1"))
    error = fails(uncal, "--steps.jump.override_gain=other_gain.fits")
    assert "NRCA1" in error and "NRCB1" in error and "other_gain.fits" in error


def test_reference_of_another_kind(uncal: Path, crds: Any, fails: Callable[..., str]) -> None:
    error = fails(uncal, f"--steps.superbias.override_superbias={reference(crds, 'mask')}")
    assert "superbias" in error.lower() and "mask" in error.lower()


def test_missing_reference(uncal: Path, fails: Callable[..., str]) -> None:
    assert "none.fits" in fails(uncal, "--steps.jump.override_gain=none.fits")


def test_no_crds(uncal: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRDS_PATH")
    assert "CRDS_PATH" in fails(uncal)
    monkeypatch.setenv("CRDS_PATH", "/nonexistent/cache")
    assert "CRDS" in fails(uncal)


def test_unknown_context(uncal: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_9999.pmap")
    assert "jwst_9999.pmap" in fails(uncal)


@pytest.mark.parametrize("kind", ["gain", "readnoise"])
def test_nan_and_zero_in_gain_and_read_noise(crds: Any, kind: str) -> None:
    with datamodels.open(reference(crds, kind)) as model:
        bad = model.copy()
    bad.data[10, 10:14] = [np.nan, 0.0, -1.0, np.inf]
    pipeline = Detector1Pipeline()
    for step in (pipeline.jump, pipeline.ramp_fit):
        setattr(step, f"override_{kind}", bad)
    rate = pipeline.run(crds.uncal[0])
    plain = Detector1Pipeline().run(crds.uncal[0])
    away = np.ones((64, 64), bool)
    away[9:12, 9:15] = False
    np.testing.assert_array_equal(rate.data[away], plain.data[away])
    np.testing.assert_array_equal(rate.dq[away], plain.dq[away])
    if kind == "gain":
        flag = datamodels.dqflags.pixel["NO_GAIN_VALUE"] | datamodels.dqflags.pixel["DO_NOT_USE"]
        assert (rate.dq[10, 10:13] & flag == flag).all()


def test_unwritable_output_folder(uncal: Path, fails: Callable[..., str]) -> None:
    Path("file").touch()
    assert "file" in fails(uncal, out="file/below")
    assert "/proc" in fails(uncal, out="/proc/nothing")


def test_full_disk(uncal: Path, crds: Any) -> None:
    # A limit on the size of files makes writes fail as a full disk does, after part was written.
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000));"
        "from webbcal.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] in (resource.RLIM_INFINITY, -1)
    command = [sys.executable, "-c", script, "run", "calwebb_detector1", str(uncal), "--output_dir=out"]
    environment = dict(os.environ) | {"NUMBA_DISABLE_CACHING": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    assert "_rate" in done.stderr and "Traceback" not in done.stderr
    assert not list(Path("out").iterdir())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_interrupted_run(uncal: Path, crds: Any, number: int, code: int) -> None:
    script = (
        "import sys, time; from webbcal.run.engine import operation; original = operation.Operation.apply\n"
        "def slow(self, *args, **more):\n"
        "    print('working', flush=True); time.sleep(0.2); return original(self, *args, **more)\n"
        "operation.Operation.apply = slow\n"
        "from webbcal.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "run", "calwebb_detector1", str(uncal), "--output_dir=out"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 30
    while not (Path("out").is_dir() and any(Path("out").iterdir())) and time.monotonic() < deadline:
        time.sleep(0.02)  # until the temporary file is there
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code and "interrupted" in error
    assert not list(Path("out").iterdir())


def test_existing_product_survives_a_failed_run(uncal: Path, crds: Any, fails: Callable[..., str]) -> None:
    assert main(["run", "calwebb_detector1", str(uncal)]) == 0
    rate = Path(uncal.name.replace("uncal", "rate"))
    before = rate.read_bytes()
    edit(uncal, lambda hdus: hdus[0].header.set("NGROUPS", 9))
    assert main(["run", "calwebb_detector1", str(uncal)]) == 1
    assert rate.read_bytes() == before
