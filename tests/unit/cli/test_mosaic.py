"""webbcal mosaic: from exposures of any stage to the mosaic, and input that makes none."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from webbcal import datamodels, simulate
from webbcal.cli.main import main
from webbcal.programme.mosaic import make_mosaic
from webbcal.report.mosaic_truth import compare
from webbcal.run.record import runs_of


@dataclass(frozen=True)
class Field:
    """Four dithered exposures, their truth, and the stars that they are aligned to."""

    files: list[Path]
    truth: tuple[Path, ...]
    stars: Path
    environment: dict[str, str]

    @property
    def to_stars(self) -> str:
        """The option that aligns to the stars."""
        return f"--image3.tweakreg.abs_refcat={self.stars}"


def write_field(folder: Path, instrument: str, subarray: str) -> Field:
    configs = simulate.field(instrument, subarray)
    if instrument == "miri":
        world: Any = simulate.rate_universe(folder, configs, subarray_only=True)
        files = world.rate
    else:
        options = simulate.ReferenceOptions(subarray_only=True, grouped_dark=True)
        world = simulate.universe(folder, configs, options)
        files = world.uncal
    simulate.star_catalog(configs).write(folder / "stars.ecsv")
    return Field(list(files), world.truth, folder / "stars.ecsv", world.environment)


@pytest.fixture(scope="module")
def nircam(tmp_path_factory: pytest.TempPathFactory) -> Field:
    return write_field(tmp_path_factory.mktemp("nircam"), "nircam", "SUB160")


@pytest.fixture
def crds(nircam: Field, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    for name, value in nircam.environment.items():
        monkeypatch.setenv(name, value)
    yield nircam


@pytest.fixture(scope="module")
def made(nircam: Field, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the products of a run on the raw exposures."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in nircam.environment.items():
            patch.setenv(name, value)
        out = tmp_path_factory.mktemp("made")
        words = [*map(str, nircam.files), "--product-name=field", f"--output_dir={out}", nircam.to_stars]
        assert main(["mosaic", *words, "--detector1.jump.rejection_threshold=5"]) == 0
        yield out


def names(folder: Path, pattern: str = "*") -> set[str]:
    return {p.name for p in folder.glob(pattern)}


def test_raw_to_mosaic_leaves_the_products_of_all_stages(nircam: Field, made: Path) -> None:
    roots = [p.name.removesuffix("_uncal.fits") for p in nircam.files]
    of_exposures = {f"{r}_{s}.fits" for r in roots for s in ("rate", "rateints", "cal", "a3001_crf")}
    of_mosaic = {"field_asn.json", "field_i2d.fits", "field_cat.ecsv", "field_segm.fits"}
    of_programme = {"manifest.json", "logs", ".webbcal", *(f"{r}_image2_asn.json" for r in roots)}
    assert names(made) == of_exposures | of_mosaic | of_programme
    members = json.loads((made / "field_asn.json").read_text())["products"][0]["members"]
    assert [m["expname"] for m in members] == [f"{r}_cal.fits" for r in roots]


def test_the_mosaic_is_right(nircam: Field, made: Path) -> None:
    with datamodels.open(made / "field_i2d.fits") as mosaic:
        assert mosaic.meta.cal_step.tweakreg == mosaic.meta.cal_step.source_catalog == "COMPLETE"
        assert mosaic.meta.asn.table_name == "field_asn.json"
    stars = compare(QTable.read(made / "field_cat.ecsv"), nircam.truth)
    assert len(stars.east) > 8
    assert abs(np.median(stars.east)) < 5 and abs(np.median(stars.north)) < 5  # pointing was off by 100 mas
    assert abs(np.median(stars.excess)) < 0.03


def test_parameters_reach_their_stage(nircam: Field, made: Path) -> None:
    with datamodels.open(made / nircam.files[0].name.replace("_uncal", "_cal")) as cal:
        stage1, stage2 = runs_of(cal)
    jump = next(s for s in stage1["steps"] if s["step"] == "jump")
    assert jump["parameters"]["rejection_threshold"] == {"value": 5.0, "origin": "user"}
    resample = next(s for s in stage2["steps"] if s["step"] == "resample")
    assert resample["status"] == "SKIPPED"


def test_exposures_of_all_stages_give_the_same_mosaic(crds: Field, made: Path, tmp_path: Path) -> None:
    first, second, *raw = crds.files
    start = [made / first.name.replace("_uncal", "_cal"), made / second.name.replace("_uncal", "_rate")]
    stages: dict[str, Any] = {"detector1": {"jump": {"rejection_threshold": 5}}}
    stages["image3"] = {"tweakreg": {"abs_refcat": str(crds.stars)}, "source_catalog": {"skip": True}}
    told: list[str] = []
    result = make_mosaic([*start, *raw], "mixed", tmp_path / "out", stages, tell=told.append)
    assert result.mosaic == tmp_path / "out/mixed_i2d.fits"
    assert result.calibrated[0] == start[0] and result.calibrated[1].parent == tmp_path / "out"
    assert [line.split()[-1] for line in told[:-1]] == [
        "calwebb_image2", *("calwebb_detector1", "calwebb_image2") * 2
    ]  # fmt: skip
    with datamodels.open(result.mosaic) as mixed, datamodels.open(made / "field_i2d.fits") as whole:
        np.testing.assert_array_equal(mixed.data, whole.data)


def test_a_mosaic_goes_on_where_it_was(crds: Field, made: Path, tmp_path: Path, capsys: Any) -> None:
    out = Path(shutil.copytree(made, tmp_path / "out"))
    words = [*map(str, crds.files), "--product-name=field", f"--output-dir={out}", crds.to_stars]
    assert main(["mosaic", *words, "--detector1.jump.rejection_threshold=5"]) == 0
    said = capsys.readouterr()
    assert "9 of 9 jobs were done before" in said.err and "field_i2d.fits" in said.out
    assert "tweakreg: " in said.out and "steps applied" in said.out  # as when it was made
    (out / "field_cat.ecsv").unlink()
    assert main(["mosaic", *words, "--detector1.jump.rejection_threshold=5"]) == 0
    assert "8 of 9 jobs" in capsys.readouterr().err and (out / "field_cat.ecsv").is_file()


def test_a_plan_of_a_mosaic(crds: Field, capsys: Any) -> None:
    assert main(["mosaic", *map(str, crds.files), "--product-name=field", "--output-dir=out", "--plan"]) == 0
    said = capsys.readouterr().out
    assert "calwebb_detector1: 4 run" in said and "run   field.image3" in said and not Path("out").exists()


def test_miri_from_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    field = write_field(tmp_path, "miri", "SUB128")
    for name, value in field.environment.items():
        monkeypatch.setenv(name, value)
    words = [
        *map(str, field.files),
        "--product-name",
        "miri",
        "--output_dir=out",
        "--image2.resample.skip=false",
    ]
    assert main(["mosaic", *words]) == 0
    *_, line = capsys.readouterr().out.splitlines()
    assert "miri_i2d.fits" in line and "4 exposures" in line
    assert len(names(Path("out"), "*mirimage_i2d.fits")) == 4  # the quick-look of each was asked for


@pytest.fixture
def fails(crds: Field, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command, check that it fails before anything is made, and return the message."""

    def run(files: list[Path], *words: str, name: str = "field") -> str:
        code = main(["mosaic", *map(str, files), f"--product-name={name}", "--output_dir=out", *words])
        assert code in (1, 2)
        assert not names(Path("out"))
        return capsys.readouterr().err

    return run


def changed(path: Path, **keywords: Any) -> Path:
    """Return a copy of a file with other keywords."""
    copy = Path(shutil.copy(path, f"other_{path.name}"))
    with fits.open(copy, mode="update") as hdus:
        hdus[0].header.update(keywords)
        if "ASDF" in hdus:
            del hdus["ASDF"]
    return copy


def test_exposures_that_do_not_go_together(nircam: Field, fails: Callable[..., str]) -> None:
    one, two = nircam.files[:2]
    assert "different filters" in (error := fails([one, changed(two, FILTER="F356W")]))
    assert f"F444W + CLEAR: {one.name}" in error and f"F356W + CLEAR: other_{two.name}" in error
    assert "different instruments" in fails([one, changed(two, INSTRUME="NIRISS")])
    assert "twice" in fails([one, two, one])


def test_the_same_exposure_in_two_stages(nircam: Field, made: Path, fails: Callable[..., str]) -> None:
    cal = made / nircam.files[0].name.replace("_uncal", "_cal")
    error = fails([*nircam.files, cal])
    assert "twice" in error and cal.name in error


def test_what_is_no_image(nircam: Field, made: Path, fails: Callable[..., str]) -> None:
    one, two = nircam.files[:2]
    assert "NRC_GRISM" in fails([one, changed(two, EXP_TYPE="NRC_GRISM")])
    assert "resampled already" in fails([one, made / "field_i2d.fits"])
    assert "CubeModel" in fails([one, made / two.name.replace("_uncal", "_rateints")])
    assert "missing_uncal.fits" in fails([one, Path("missing_uncal.fits")])
    Path("text_uncal.fits").write_text("no FITS file\n" * 300)
    assert "text_uncal.fits" in fails([one, Path("text_uncal.fits")])


def test_raw_exposures_that_stage_1_cannot_take(nircam: Field, fails: Callable[..., str]) -> None:
    short = changed(nircam.files[1], NGROUPS=9)
    assert "NGROUPS = 9" in fails([nircam.files[0], short])


def test_no_crds(made: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRDS_PATH")
    assert "CRDS_PATH" in fails(sorted(made.glob("*_cal.fits")))  # before any work, as for rates and ramps
    assert "CRDS_PATH" in fails(sorted(made.glob("*_rate.fits")))


def test_names_and_parameters(
    nircam: Field, fails: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = nircam.files
    assert "without folder" in fails(files, name="a/b")
    assert "name of an exposure" in fails(files, name=files[0].name.removesuffix("_uncal.fits"))
    assert "did you mean" in fails(files, "--detector.jump.rejection_threshold=5")
    assert "rejection_treshold" in fails(files, "--detector1.jump.rejection_treshold=5")
    assert "image2.output_dir" in fails(files, "--image2.output_dir=there")
    assert "cannot be set" in fails(files, "--image3.save_results=false")
    assert main(["mosaic", str(files[0])]) == 2 and "--product-name" in capsys.readouterr().err
    assert main(["mosaic", "--help"]) == 0 and "webbcal mosaic" in capsys.readouterr().out


def test_limits_of_a_mosaic(crds: Field, tmp_path: Path, capsys: Any) -> None:
    """In processes of their own: what a process has grown to counts."""
    files, out = list(map(str, crds.files)), tmp_path / "out"

    def refused(inputs: list[str], memory: str) -> str:
        words = [f"--output_dir={out}", "--product-name=field", f"--max-memory={memory}", "--threads=1"]
        command = [sys.executable, "-m", "webbcal", "mosaic", *inputs, *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1, done.stderr
        return done.stderr

    assert "max_memory is 60 MB" in refused(files, "60MB")
    assert names(out) == set()
    said = refused(files[2:], "265MB")  # enough for stages 1 and 2
    assert "image3 failed: this run needs about" in said, said
    assert len(names(out, "*_rate.fits")) == 2 and not names(out, "*_i2d.fits")
    assert main(["mosaic", *files, "--product-name=field", "--image2.threads=2"]) == 2
    assert "image2.threads cannot be set" in capsys.readouterr().err
