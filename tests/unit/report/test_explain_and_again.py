"""webbcal explain: how a product was made, and the command that makes the same pixels again."""

import os
import shlex
from pathlib import Path

import pytest
from stage2_cases import rate

from webbcal import datamodels
from webbcal.cli.main import main
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.pipeline.image2 import Image2Pipeline
from webbcal.report.account import account_of
from webbcal.report.again import recipe_of
from webbcal.report.comparison.products import compare_products
from webbcal.run.record import runs_of

ROOT = "jw01234001001_02101_00001_nrcb1"


def repeated(capsys, monkeypatch, *words):
    """Run the commands that `webbcal explain` prints; return how many there are."""
    capsys.readouterr()
    assert main(["explain", "--commands", *words]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    for line in lines:
        parts = shlex.split(line)
        while "=" in parts[0] and not parts[0].startswith("-"):
            monkeypatch.setenv(*parts.pop(0).split("=", 1))
        assert parts.pop(0) == "webbcal"
        assert main(parts) == 0
    return len(lines)


def same(first, second):
    """Assert that two products were made alike and have the same values, bit for bit."""
    compared = compare_products(Path(first), Path(second))
    assert compared.arrays and not any(compared.arrays), compared.arrays
    assert not any(compared.processing.values()), compared.processing
    assert not compared.keywords, compared.keywords


def test_the_command_makes_the_same_pixels(crds, capsys, monkeypatch):
    words = ["--steps.jump.rejection_threshold=5.5", "--steps.linearity.skip=true", "--threads=1"]
    assert main(["run", "calwebb_detector1", str(crds.uncal[0]), "--output_dir=first", *words]) == 0
    rate_file = f"first/{ROOT}_rate.fits"
    assert repeated(capsys, monkeypatch, rate_file, "--output_dir=second") == 1
    for suffix in ("rate", "rateints"):
        same(f"first/{ROOT}_{suffix}.fits", f"second/{ROOT}_{suffix}.fits")
    assert main(["explain", rate_file]) == 0
    out = capsys.readouterr().out
    assert "rejection_threshold = 5.5 [user]" in out and "skip = True (user)" in out
    assert f"calwebb_detector1 of {crds.uncal[0]}" in out and "sha256" in out
    assert "CRDS_CONTEXT=" in out and "--steps.jump.rejection_threshold=5.5" in out


def test_runs_in_memory_are_repeated_too(crds, capsys, monkeypatch):
    rates = Detector1Pipeline(steps={"jump": {"rejection_threshold": 6}}).run(str(crds.uncal[0]))
    pipeline = Image2Pipeline(save_results=True, output_dir="first", steps={"resample": {"skip": True}})
    pipeline.run(rates)
    cal = f"first/{ROOT}_cal.fits"
    assert repeated(capsys, monkeypatch, cal) == 2
    compared = compare_products(Path(cal), Path(f"again/{ROOT}_cal.fits"))
    assert compared.arrays and not any(compared.arrays)
    assert not compared.processing["parameters"] and not compared.processing["references"]
    # Now the rate that it was made of is on disk.
    assert len(recipe_of(account_of(Path(f"again/{ROOT}_cal.fits")), "third").commands) == 1
    assert len(recipe_of(account_of(Path(f"again/{ROOT}_cal.fits")), "third", from_start=True).commands) == 2


def test_a_step_alone_with_a_reference_of_ones_own(crds, capsys, monkeypatch):
    assert main(["run", "dq_init", str(crds.uncal[0]), "--output_dir=first"]) == 0
    name = f"{ROOT}_dqinitstep.fits"
    with datamodels.open(f"first/{name}") as model:
        (run,) = runs_of(model)
    assert run["call"]["target"] == "dq_init" and run["call"]["inputs"] == [{"file": str(crds.uncal[0])}]
    assert run["seconds"] > 0 and run["steps"][0]["peak_memory"] > 1e7 and "numpy" in run["libraries"]
    mask = next(Path(os.environ["CRDS_PATH"]).rglob("*mask*.fits"))
    own = ["run", "dq_init", str(crds.uncal[0]), f"--override_mask={mask}", "--output_dir=own"]
    assert main(own) == 0
    assert repeated(capsys, monkeypatch, f"own/{name}") == 1
    same(f"own/{name}", f"again/{name}")


def test_what_a_command_cannot_give(tmp_path, capsys):
    model = rate()
    call = {
        "target": "flat_field",
        "inputs": [{"model": "gone_rate.fits"}],
        "parameters": {
            "override_flat": {"value": "override://FlatModel", "origin": "user"},
            "post_hooks": {"value": ["<function f at 0x7f>"], "origin": "user"},
            "steps.x.output_dir": {"value": "/elsewhere", "origin": "user"},
            "suffix": {"value": "a b", "origin": "user"},
        },
    }
    model.meta.run_record = [{"software": "webbcal", "version": "0.0", "call": call, "steps": []}]
    model.save(tmp_path / "x_flat.fits")
    recipe = recipe_of(account_of(tmp_path / "x_flat.fits"), "again")
    (command,) = recipe.commands
    assert str(command) == (
        "webbcal run flat_field gone_rate.fits --output_dir=again '--suffix=a b' --disable-crds-steppars"
    )
    notes = "\n".join(recipe.notes)
    for word in ("gone_rate.fits is not here", "override_flat", "post_hooks", "made by webbcal 0.0"):
        assert word in notes
    assert main(["explain", str(tmp_path / "x_flat.fits")]) == 0
    assert "note: " in capsys.readouterr().out


def test_an_association_is_made_by_no_run(tmp_path):
    calls = [
        {"target": "calwebb_detector1", "inputs": [{"file": "a_uncal.fits"}], "parameters": {}},
        {"target": "calwebb_image2", "inputs": [{"file": "a_asn.json"}], "parameters": {}},
    ]
    model = rate()
    model.meta.run_record = [{"software": "webbcal", "call": call, "steps": []} for call in calls]
    model.save(tmp_path / "a_cal.fits")
    recipe = recipe_of(account_of(tmp_path / "a_cal.fits"), "again", from_start=True)
    assert [command.words[3] for command in recipe.commands] == ["a_uncal.fits", "a_asn.json"]
    assert "its input a_asn.json is not here: put it beside the product" in " ".join(recipe.notes)
    (tmp_path / "a_asn.json").write_text("{}")
    recipe = recipe_of(account_of(tmp_path / "a_cal.fits"), "again", from_start=True)
    assert Path(recipe.commands[1].words[3]).samefile(tmp_path / "a_asn.json")
    assert "a_asn.json" not in " ".join(recipe.notes)


def test_a_file_without_a_record(tmp_path, capsys):
    model = rate()
    model.meta.cal_step.jump, model.meta.cal_step.ipc = "COMPLETE", "SKIPPED"
    model.meta.ref_file.gain.name = "crds://jwst_nircam_gain_0056.fits"
    model.meta.calibration_software_version = "1.20.2"
    model.save(tmp_path / "x_rate.fits")
    assert main(["explain", str(tmp_path / "x_rate.fits")]) == 0
    out = capsys.readouterr().out
    assert "no run record" in out and "applied jump" in out and "skipped ipc" in out
    assert "GAIN reference jwst_nircam_gain_0056.fits" in out and "jwst 1.20.2" in out
    assert main(["explain", "--commands", str(tmp_path / "x_rate.fits")]) == 1
    bare = rate()
    bare.save(tmp_path / "y_rate.fits")
    assert main(["explain", str(tmp_path / "y_rate.fits")]) == 0
    assert "nothing is said" in capsys.readouterr().out


@pytest.mark.parametrize("record", ["text", [5], [{"steps": 3, "call": 7}], [{"call": {"target": ["x"]}}]])
def test_records_that_others_wrote(tmp_path, record):
    model = rate()
    model.meta.run_record = record
    model.save(tmp_path / "x_rate.fits")
    account = account_of(tmp_path / "x_rate.fits")
    assert isinstance(recipe_of(account, "again").notes, tuple)


def test_odd_words_of_explain(capsys):
    assert main(["explain"]) == 2 and main(["explain", "--help"]) == 0
    assert main(["explain", "x.fits", "--from=1"]) == 2 and main(["explain", "missing.fits"]) == 1
    assert "missing.fits" in capsys.readouterr().err


def test_hooks_and_models_are_named(crds, tmp_path):
    uncal = datamodels.open(crds.uncal[0])
    pipeline = Detector1Pipeline(save_results=True, output_dir=str(tmp_path))
    mask = datamodels.MaskModel(next(Path(os.environ["CRDS_PATH"]).rglob("*mask*.fits")))
    pipeline.dq_init.override_mask = mask
    pipeline.jump.post_hooks += [_seen, lambda model: model]
    pipeline.run(uncal)
    account = account_of(tmp_path / f"{ROOT}_rate.fits")
    assert account.runs[0].call.inputs == ({"model": f"{ROOT}_uncal.fits", "class": "Level1bModel"},)
    values = {p.name: p.value for p in account.runs[0].call.parameters}
    assert values["steps.dq_init.override_mask"] == "override://MaskModel"
    importable, other = values["steps.jump.post_hooks"]
    assert importable == f"{__name__}._seen" and other.startswith("<function ")


def _seen(model):
    return model
