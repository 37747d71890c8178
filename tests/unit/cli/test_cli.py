"""The command line, as a user calls it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import asdf
import pytest

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.run.record import runs_of

ROOT = "jw01234001001_02101_00001_nrcb1"
_RUN = "from webbcal.cli.main import main; sys.exit(main())"


def run(*words: str) -> int:
    return main([str(w) for w in words])


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0 and run() == 2 and run("nonsense") == 2
    assert run("run", "--help") == 0 and run("run", "jump", "--help") == 0
    out = capsys.readouterr().out
    assert "--rejection_threshold = float(default=4.0, min=0)" in out
    assert run("run", "calwebb_detector1") == 2
    assert "no input given" in capsys.readouterr().err


def test_run_prints_one_line(crds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "calwebb_detector1", crds.uncal[0], "--output_dir=out") == 0
    captured = capsys.readouterr()
    (line,) = captured.out.strip().splitlines()
    assert re.fullmatch(
        rf"{ROOT}_rate.fits, {ROOT}_rateints.fits: \d+ steps applied, .*peak memory \d+ MB", line
    )
    assert captured.err.strip() == "step refpix skipped: no valid reference pixels"


@pytest.mark.parametrize(
    "name", ["jwst.pipeline.Detector1Pipeline", "Detector1Pipeline", "calwebb_detector1"]
)
def test_parameters_of_steps(crds: Any, name: str) -> None:
    words = ["--steps.jump.rejection_threshold=6", "--steps.linearity.save_results", "true"]
    assert run("run", name, crds.uncal[0], *words) == 0
    assert Path(f"{ROOT}_linearity.fits").exists()
    with datamodels.open(f"{ROOT}_rate.fits") as model:
        (record,) = runs_of(model)
    jump = next(s for s in record["steps"] if s["step"] == "jump")
    assert jump["parameters"]["rejection_threshold"] == {"value": 6.0, "origin": "user"}


def test_saved_parameters_run_again(crds: Any) -> None:
    words = ["--steps.jump.rejection_threshold=7", "--save-parameters=pars.asdf", "--output_file=first"]
    assert run("run", "calwebb_detector1", crds.uncal[0], *words) == 0
    with asdf.open("pars.asdf") as file:
        assert file["class"] == "jwst.pipeline.Detector1Pipeline"
        (jump,) = [s for s in file["steps"] if s["name"] == "jump"]
        assert jump["parameters"]["rejection_threshold"] == 7.0
    assert run("run", "pars.asdf", crds.uncal[0], "--output_file=second") == 0
    with datamodels.open("second_rate.fits") as model:
        (record,) = runs_of(model)
        jump = next(s for s in record["steps"] if s["step"] == "jump")
    assert jump["parameters"]["rejection_threshold"] == {"value": 7.0, "origin": "file pars.asdf"}
    assert Path("first_rate.fits").exists() and Path("first_rateints.fits").exists()


def test_plan_runs_nothing(crds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--steps.jump.rejection_threshold=6", "--output_dir=out"]
    assert run("plan", "calwebb_detector1", crds.uncal[0], *words) == 0
    out = capsys.readouterr().out
    assert "rejection_threshold = 6.0  [user]" in out
    assert "skip  ipc: No IPC reference file found (N/A)" in out
    assert "LINEARITY reference: linearity reference jwst_nircam_linearity_0001.fits  [crds]" in out
    assert f"out/{ROOT}_rate.fits" in out
    assert "memory: about" in out
    assert not Path("out").exists()


def test_info(crds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run("run", "calwebb_detector1", crds.uncal[0], "--steps.jump.rejection_threshold=6")
    capsys.readouterr()
    assert run("info", f"{ROOT}_rate.fits", crds.uncal[0]) == 0
    out = capsys.readouterr().out
    assert "ImageModel" in out and "Level1bModel" in out
    assert "uint16    2 × 6 × 64 × 64" in out
    assert "rejection_threshold = 6.0 [user]" in out
    assert "skipped: No IPC reference file found (N/A)" in out


def test_simulate(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--detector=NRCB1", "--subarray=SUB64P", "--filter=F200W", "--readpatt=RAPID", "--ngroups=4"]
    assert run("simulate", "sim", *words, "--exposures=2", "--subarray_only=true") == 0
    out = capsys.readouterr().out
    assert "export CRDS_PATH=" in out
    assert len(list(Path("sim").glob("*_uncal.fits"))) == 2
    assert run("simulate", "sim", "--detecter=NRCB1") == 2
    assert "did you mean 'detector'" in capsys.readouterr().err
    assert run("simulate", "sim", "--ngroups=many") == 2


def test_simulate_guide_stars(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulate", "sim", "--guide_star=fgs_fineguide", "--seed=3") == 0
    assert "export CRDS_PATH=" in capsys.readouterr().out
    assert [p.name for p in Path("sim").glob("*.fits")] == [
        "jw01234001001_gs-fineguide_2023056000000_uncal.fits"
    ]
    assert run("simulate", "sim", "--guide_star=FGS_GUIDE") == 2
    assert "known: FGS_ID-IMAGE" in capsys.readouterr().err
    assert run("simulate", "sim", "--guide_star=FGS_TRACK", "--ngroups=3") == 2
    assert "has no option 'ngroups'" in capsys.readouterr().err


def test_log_file_and_verbose(crds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "dq_init", crds.uncal[0], "--log-file=run.log", "--log-stream=null", "-v") == 0
    assert "step dq_init with mask reference" in Path("run.log").read_text()
    assert capsys.readouterr().err == ""
    Path("log.cfg").write_text("[*]\nhandler = file:other.log\nlevel = INFO\n")
    assert run("run", "dq_init", crds.uncal[0], "--logcfg=log.cfg") == 0
    assert "step dq_init" in Path("other.log").read_text()


def test_as_a_process(crds: Any) -> None:
    command = [sys.executable, "-m", "webbcal", "run", "saturation", str(crds.uncal[0])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.startswith(f"{ROOT}_saturationstep.fits: 1 steps applied")
    assert done.stderr == ""


@pytest.mark.parametrize("words", [["--max-memory", "30MB"], ["--max-memory=30MB"], ["--max_memory=30MB"]])
def test_limits_on_the_command_line(crds, capsys, words):
    uncal = str(crds.uncal[0])
    assert main(["run", "calwebb_detector1", uncal, "--threads=1", *words]) == 1
    assert "max_memory is 30 MB" in capsys.readouterr().err
    assert not list(Path().glob("*.fits"))
    assert main(["plan", "calwebb_detector1", uncal, "--threads=1", *words]) == 1  # the run would be refused
    out, err = capsys.readouterr()
    assert "of 30 MB allowed, 1 threads" in out and "threads = " not in out and "max_memory is 30 MB" in err


@pytest.mark.parametrize("word", ["--threads=none_at_all", "--max-memory=lots", "--threads=0"])
def test_limits_that_are_none(crds, capsys, word):
    assert main(["run", "calwebb_detector1", str(crds.uncal[0]), word]) == 2
    assert word[2:].partition("=")[0].replace("-", "_") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "library"), [("simulate", "pysiaf"), ("demo", "pysiaf"), ("demo", "matplotlib")]
)
def test_without_the_extra_for_the_simulator(command, library, tmp_path):
    script = f"import sys; sys.modules[{library!r}] = None\n" + _RUN
    words = ["sim"] if command == "simulate" else ["--output_dir=demo", "--subarray=SUB64P"]
    line = [sys.executable, "-c", script, command, *words]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"webbcal {command}: needs {library}, which is not installed: "
        "python -m pip install 'webbcal[simulate]'\n"
    )


def test_a_parameter_file_in_place_of_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.cfg").write_text('name = "jump"\nclass = "jwst.jump.JumpStep"\nrejection_threshold = 7.0\n')
    Path("bare.cfg").write_text("rejection_threshold = 7.0\n")
    assert main(["run", "mine.cfg", "--help"]) == 0
    assert "--rejection_threshold" in capsys.readouterr().out
    assert main(["run", "missing.cfg", "x_uncal.fits"]) == 2
    assert "parameter file missing.cfg cannot be read: No such file" in capsys.readouterr().err
    assert main(["run", "bare.cfg", "x_uncal.fits"]) == 2
    assert "bare.cfg does not say of which step it is" in capsys.readouterr().err
