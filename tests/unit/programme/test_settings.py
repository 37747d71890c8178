"""What a programme is told: by a TOML file, by words, and by both."""

from pathlib import Path
from typing import Any

import pytest

from webbcal.cli.batch import settings_from
from webbcal.core.errors import ParameterError
from webbcal.programme.settings import Settings, merged, read_settings, settings_of
from webbcal.run.configuration import parse_arguments

TOML = """
inputs = ["raw", "more/mine_asn.json"]
output_dir = "out"

[executor]
kind = "serial"
threads = "2"

[parameters.detector1.jump]
rejection_threshold = 5

[modes.NRC_IMAGE.calwebb_detector1.jump]
rejection_threshold = 4.5
"""


def given(*words: str) -> Settings:
    return settings_from(parse_arguments(words))


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "sub" / "programme.toml"
    path.parent.mkdir()
    path.write_text(TOML)
    return path


def test_paths_of_a_file_are_those_from_its_folder(toml: Path) -> None:
    settings = settings_of(read_settings(toml))
    assert settings.inputs == (str(toml.parent / "raw"), str(toml.parent / "more/mine_asn.json"))
    assert settings.output_dir == toml.parent / "out"


def test_a_file_may_name_the_home_folder(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    toml.write_text("inputs = '~/raw'\noutput_dir = '~/out'")
    settings = settings_of(read_settings(toml))
    assert settings.inputs == ("/home/somebody/raw",) and settings.output_dir == Path("/home/somebody/out")


def test_parameters_hold_for_a_pipeline_and_others_for_a_mode(toml: Path) -> None:
    settings = settings_of(read_settings(toml))
    assert settings.parameters_of("calwebb_detector1", "MIR_IMAGE") == {"jump": {"rejection_threshold": 5}}
    assert settings.parameters_of("calwebb_detector1", "NRC_IMAGE") == {"jump": {"rejection_threshold": 4.5}}
    assert settings.parameters_of("calwebb_image2", "NRC_IMAGE") == {}


def test_words_win_over_the_file(toml: Path) -> None:
    settings = given(
        str(toml), "--executor=local", "--output-dir", "/elsewhere", "--detector1.jump.rejection_threshold=6"
    )
    assert (settings.executor.kind, settings.executor.threads) == ("local", "2")
    assert settings.output_dir == Path("/elsewhere")
    assert settings.parameters["calwebb_detector1"]["jump"]["rejection_threshold"] == "6"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ([], "local"),
        (["--scheduler=tcp://host:8786"], "dask"),
        (["--scheduler-file=scheduler.json"], "dask"),
        (["--scheduler=tcp://host:8786", "--executor=serial"], "serial"),
    ],
)
def test_who_names_a_scheduler_wants_it(words: list[str], kind: str) -> None:
    assert given("raw", "--output-dir=o", *words).executor.kind == kind


def test_steps_may_be_named_as_in_python(toml: Path) -> None:
    words = ["--detector1.steps.jump.rejection_threshold=6", "--detector1.steps.ipc.skip=true"]
    assert given(str(toml), *words).parameters["calwebb_detector1"] == {
        "jump": {"rejection_threshold": "6"}, "ipc": {"skip": "true"},
    }  # fmt: skip
    with pytest.raises(ParameterError, match="cannot be set"):
        given(str(toml), "--detector1.steps.suffix=x")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["raw"], "--output-dir"),
        (["raw", "--output-dir=o", "--executor=slurm"], "there is no executor 'slurm'"),
        (["raw", "--output-dir=o", "--detector1.jump.rejectionthreshold=5"], "rejection_threshold"),
        (["raw", "--output-dir=o", "--detector1.suffix=x"], "cannot be set"),
        (["raw", "--output-dir=o", "--detector9.jump.skip=true"], "no pipeline of a programme"),
        (["raw", "--output-dir=o", "--colour=red"], "--colour is no option"),
    ],
)
def test_words_that_make_no_sense_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        given(*words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inputs = [", "cannot be read as TOML"),
        ("input = ['raw']", "'input' is not known.*inputs"),
        ("inputs = 'raw'\noutput_dir = 'o'\n[modes.NRC_PICTURE.detector1]", "no EXP_TYPE 'NRC_PICTURE'"),
        ("inputs = 'raw'\noutput_dir = 'o'\n[executor]\ncores = 3", "executor.cores is not known"),
        ("inputs = 5", "inputs is 5: must be a list of texts"),
        ("inputs = ['raw', 5]", "must be a list of texts"),
        ("inputs = 'raw'\nallow_missing = 'no'", "allow_missing is 'no': must be true or false"),
        ("inputs = 'raw'\nexecutor = 'local'", "executor is 'local': must be a table"),
        ("inputs = 'raw'\noutput_dir = 'o'\n[modes]\nNRC_IMAGE = 3", "modes.NRC_IMAGE is 3: must be a table"),
        ("inputs = 'raw'\noutput_dir = 'o'\n[executor]\njobqueue = 'slurm'", "executor.jobqueue is 'slurm'"),
        ("inputs = 'raw'\noutput_dir = 'o'\n[parameters]\nimage3 = 3", "'image3' is no pipeline|image3.STEP"),
    ],
)
def test_files_that_make_no_sense_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "programme.toml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=said):
        given(str(path))


def test_trees_are_merged_at_all_depths() -> None:
    first: dict[str, Any] = {"a": {"b": 1, "c": 2}, "d": 3}
    assert merged(first, {"a": {"c": 4}, "e": 5}) == {"a": {"b": 1, "c": 4}, "d": 3, "e": 5}
    assert first == {"a": {"b": 1, "c": 2}, "d": 3}
