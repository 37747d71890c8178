"""webbcal batch on simulated exposures: products, what is kept and what is not, failures, the manifest."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from programme_cases import ROOT, Listener, exposures, run, same, settings

from webbcal.cli.main import main
from webbcal.programme.outlook import look_ahead
from webbcal.programme.planning import plan_jobs
from webbcal.programme.settings import merged

FIRST, SECOND = ROOT.format(number=1), ROOT.format(number=2)
SKIPPED = ("tweakreg", "skymatch", "outlier_detection", "source_catalog")
WORDS = ["--executor=serial", "--threads=1", "--image2.resample.skip=true"]
WORDS += [f"--image3.{step}.skip=true" for step in SKIPPED]


@pytest.fixture(scope="module")
def first_run(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a programme of two exposures that was run once."""
    folder = tmp_path_factory.mktemp("programme")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (world.environment | {"XDG_CACHE_HOME": str(folder / "cache")}).items():
            patch.setenv(name, value)
        raw = exposures(world.uncal[0], folder / "raw")
        assert run(settings(raw, folder / "out")).is_whole
    return folder


@pytest.fixture
def programme(first_run: Path, crds: Any, tmp_path: Path) -> Path:
    """That programme, in another place: products are known by their content."""
    shutil.copytree(first_run / "out", tmp_path / "out")
    return first_run / "raw"


def names(states: dict[str, str], state: str) -> list[str]:
    return sorted(name.partition(".")[2] for name, found in states.items() if found == state)


def again(raw: Path, **words: object) -> Listener:
    """Run it again; return what was told."""
    listener = Listener()
    run(settings(raw, Path("out"), **words), listener)
    return listener


def test_all_products_are_there(first_run: Path) -> None:
    made = {path.name for path in (first_run / "out").glob("*.fits")}
    assert {f"{root}_{end}.fits" for root in (FIRST, SECOND) for end in ("rate", "rateints", "cal")} <= made
    (mosaic,) = (first_run / "out").glob("jw01234-*_i2d.fits")
    with fits.open(mosaic) as file:
        assert file[0].header["NDRIZ"] == 2 and file[0].header["ASNTABLE"] == mosaic.name.replace(
            "i2d.fits", "image3_asn.json"
        )
    assert not list((first_run / "out").glob(".*.tmp"))


def test_what_is_there_is_kept(programme: Path) -> None:
    assert set(again(programme).states.values()) == {"kept"}


def test_a_changed_parameter_redoes_what_depends_on_it_and_nothing_else(programme: Path) -> None:
    told = settings(programme, Path("out"), parameters={"image2": {"photom": {"skip": True}}})
    assert told.parameters["calwebb_image2"]["photom"]
    quick = settings(programme, Path("out")).parameters
    parameters = merged(
        {k.removeprefix("calwebb_"): v for k, v in quick.items()}, {"image3": {"in_memory": False}}
    )
    listener = again(programme, parameters=parameters)
    assert names(listener.states, "done") == ["image3"]
    assert list(listener.reasons.values()) == ["in_memory was not set, is false"]


def test_a_mode_has_parameters_of_its_own(programme: Path) -> None:
    listener = again(programme, modes={"MIR_IMAGE": {"detector1": {"jump": {"rejection_threshold": 5}}}})
    assert set(listener.states.values()) == {"kept"}
    modes = {"NRC_IMAGE": {"detector1": {"jump": {"rejection_threshold": 5}}}}
    planned = look_ahead(*_planned(programme, modes=modes))
    assert all(one.runs for one in planned)
    reasons = {one.job.pipeline: one.reason for one in planned}
    assert reasons["calwebb_detector1"] == "jump.rejection_threshold was not set, is 5"
    assert reasons["calwebb_image2"].endswith(".detector1 runs")


def _planned(raw: Path, **words: object):  # type: ignore[no-untyped-def]
    told = settings(raw, Path("out"), **words)
    return plan_jobs(told), told


@pytest.mark.parametrize("how", ["removed", "damaged"])
def test_a_product_that_is_lost_is_made_again(programme: Path, how: str) -> None:
    path = Path("out") / f"{FIRST}_cal.fits"
    path.rename("before.fits")
    if how == "damaged":
        path.write_bytes(Path("before.fits").read_bytes()[:-2880])
    listener = again(programme)
    assert names(listener.states, "done") == ["image2"]  # the mosaic was made from the same
    assert same(path, Path("before.fits"))


def test_a_reference_that_changes_under_its_name_is_noticed(
    programme: Path, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(world.environment["CRDS_PATH"], tmp_path / "crds")
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "crds"))
    assert set(again(programme).states.values()) == {"kept"}
    (area,) = (tmp_path / "crds").rglob("*_area_*.fits")
    with fits.open(area, mode="update") as file:
        file["SCI"].data *= 1.0001
    listener = again(programme)
    assert names(listener.states, "done") == ["image2", "image2", "image3"]
    assert f"reference area {area.name} has other content than before" in listener.reasons.values()


def test_references_of_the_user_are_known_by_their_content(programme: Path, world: Any) -> None:
    """One step gets its own, by a parameter file; another gets none."""
    (gain,) = Path(world.environment["CRDS_PATH"]).rglob("*_gain_*.fits")
    shutil.copy(gain, "mine.fits")
    Path("jump.asdf").write_text(
        "#ASDF 1.0.0\n#ASDF_STANDARD 1.5.0\n%YAML 1.1\n--- {class: jwst.jump.JumpStep, name: jump, "
        "parameters: {override_gain: mine.fits}}\n...\n"
    )
    parameters = {
        "detector1": {"jump": {"config_file": "jump.asdf"}},
        "image2": {"resample": {"skip": True}, "flat_field": {"override_flat": "N/A"}},
        "image3": {step: {"skip": True} for step in SKIPPED},
    }
    assert set(again(programme, parameters=parameters).states.values()) == {"done"}
    assert set(again(programme, parameters=parameters).states.values()) == {"kept"}
    told = json.loads(Path("out/manifest.json").read_text())["products"][f"{FIRST}_rate.fits"]["references"]
    assert [told[name]["file"] for name in ("gain", f"gain ({gain.name})")] == [
        str(Path("mine.fits").absolute()),
        str(gain),
    ]
    with fits.open("mine.fits", mode="update") as file:
        file["SCI"].data *= 1.001
    reasons = again(programme, parameters=parameters).reasons
    assert (
        reasons[f"{FIRST}.detector1"]
        == f"reference gain {Path('mine.fits').absolute()} has other content than before"
    )


def test_force_makes_all_again(programme: Path) -> None:
    assert set(again(programme, force=True).states.values()) == {"done"}


def test_a_bad_exposure_fails_alone(world: Any, crds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    raw = exposures(world.uncal[0], Path("raw"))
    damaged = raw / f"{SECOND}_uncal.fits"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-40_000])
    words = [str(raw), "--output-dir=out", *WORDS]
    assert main(["batch", *words]) == 1
    said = capsys.readouterr()
    assert "2 done, 1 failed, 2 left out" in said.out and f"{SECOND}.detector1 failed: " in said.err
    assert "_uncal.fits" in (Path("out/logs") / f"{SECOND}.detector1.log").read_text()
    assert main(["batch", *words, "--allow-missing"]) == 1
    (mosaic,) = Path("out").glob("jw01234-*_i2d.fits")
    assert fits.getheader(mosaic)["NDRIZ"] == 1
    assert main(["status", "out"]) == 1
    assert f"failed: {SECOND}.detector1" in capsys.readouterr().out
    # Mended, it is made, and so is what was made without it.
    damaged.write_bytes(whole)
    assert main(["batch", *words]) == 0
    assert fits.getheader(mosaic)["NDRIZ"] == 2


def test_a_plan_tells_what_would_be_done_and_writes_nothing(
    world: Any, crds: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = exposures(world.uncal[0], Path("raw"))
    assert main(["batch", str(raw), "--output-dir=out", "--plan", *WORDS]) == 0
    said = capsys.readouterr().out
    assert f"run   {FIRST}.detector1  (" in said and " MB, about " in said and "it is new" in said
    assert "calwebb_detector1: 2 run" in said and "executor serial: about" in said
    assert not Path("out").exists()


def test_the_manifest_tells_how_to_make_each_product_again(programme: Path) -> None:
    manifest = json.loads(Path("out/manifest.json").read_text())
    made = manifest["products"][f"{FIRST}_cal.fits"]
    assert made["inputs"] == {f"{FIRST}_rate.fits": {"made": made["inputs"][f"{FIRST}_rate.fits"]["made"]}}
    assert len(made["references"]["flat"]["sha256"]) == 64 and made["context"] == "jwst_0001.pmap"
    assert made["parameters"]["steps.resample.skip"]["value"] is True and made["peak_memory"] > 0
    setting, _, *words = shlex.split(made["again"])
    assert setting == "CRDS_CONTEXT=jwst_0001.pmap"
    place = next(word for word in words if word.startswith("--output_dir="))
    words[words.index(place)] = "--output_dir=again"
    assert main(words) == 0
    assert same(Path("again") / f"{FIRST}_cal.fits", Path("out") / f"{FIRST}_cal.fits")


def test_references_are_fetched_ahead(programme: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prefetch", str(programme)]) == 0
    said = capsys.readouterr().out
    assert " MB, for 2 exposures are in the cache (" in said and "linearity" in said and "flat" in said
    assert "warning" not in said


def test_a_reference_that_is_not_what_it_was_is_told_of_ahead(
    programme: Path, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    shutil.copytree(world.environment["CRDS_PATH"], tmp_path / "crds")
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "crds"))
    main(["prefetch", str(programme)])
    (area,) = (tmp_path / "crds").rglob("*_area_*.fits")
    area.write_bytes(area.read_bytes()[:-1] + b"?")
    capsys.readouterr()
    assert main(["prefetch", str(programme)]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert len(told) == 1 and str(area) in told[0]


@pytest.fixture(params=["local", "dask"])
def executor(request: pytest.FixtureRequest, crds: Any) -> Iterator[dict[str, str]]:
    """The words of an executor of two processes, set up for the small universe."""
    if request.param == "local":
        yield {"kind": "local", "threads": "2", "max_memory": "6GB"}
        return
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield {"kind": "dask", "scheduler": cluster.scheduler_address}


def test_all_executors_make_the_same(first_run: Path, executor: dict[str, str], tmp_path: Path) -> None:
    assert run(settings(first_run / "raw", tmp_path / "out", executor=executor)).is_whole
    made, expected = (
        {path.name for path in folder.iterdir()} for folder in (tmp_path / "out", first_run / "out")
    )
    assert made == expected
    for path in (first_run / "out").glob("*.fits"):
        assert same(tmp_path / "out" / path.name, path), path.name
