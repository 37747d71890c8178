"""Files that parameters name: they are found from any folder."""

from pathlib import Path

import pytest

from webbcal.core.errors import ParameterError
from webbcal.programme.named_files import check_overrides, files_named, located
from webbcal.programme.settings import read_settings, settings_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of a user, which is not the current one."""
    (tmp_path / "mine").mkdir()
    for name in ("flat", "my flat.fits", "fix.py", "4.5", "gaia.csv"):
        (tmp_path / "mine" / name).touch()
    return tmp_path / "mine"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("override_flat", "flat", "{}/flat"),
        ("override_flat", "../mine/./my flat.fits", "{}/my flat.fits"),
        ("override_flat", "N/A", "N/A"),
        ("abs_refcat", "gaia.csv", "{}/gaia.csv"),
        ("abs_refcat", "GAIADR3", "GAIADR3"),
        ("abs_refcat", "flat", "flat"),  # a word, which happens to be a file, too
        ("rejection_threshold", "4.5", "4.5"),
        ("rejection_threshold", 4.5, 4.5),
        ("post_hooks", ["python fix.py {0}", "mine.py"], ["python {}/fix.py {{0}}", "mine.py"]),
    ],
)
def test_names_of_files_are_whole_paths(folder: Path, name: str, value: object, expected: object) -> None:
    found = located({"step": {name: value}}, folder)["step"][name]
    whole = [e.format(folder) for e in expected] if isinstance(expected, list) else expected
    assert found == (whole.format(folder) if isinstance(whole, str) else whole)


def test_a_toml_file_names_files_of_its_folder(folder: Path) -> None:
    toml = folder / "programme.toml"
    toml.write_text(
        """inputs = "raw"
        output_dir = "out"
        executor.scheduler_file = "scheduler.json"
        parameters.image2.flat_field.override_flat = "my flat.fits"
        modes.NRC_IMAGE.image2.flat_field.override_flat = "flat"
        """
    )
    settings = settings_of(read_settings(toml))
    assert settings.executor.scheduler_file == str(folder / "scheduler.json")
    flats = [settings.parameters_of("calwebb_image2", mode) for mode in ("MIR_IMAGE", "NRC_IMAGE")]
    assert [flat["flat_field"]["override_flat"] for flat in flats] == [
        str(folder / name) for name in ("my flat.fits", "flat")
    ]


def test_references_that_are_not_there_are_refused(folder: Path) -> None:
    check_overrides([("flat.override_flat", str(folder / "flat")), ("x.override_y", "N/A")], "image2")
    with pytest.raises(ParameterError, match=r"image2.flat.override_flat: there is no file nowhere.fits"):
        check_overrides([("flat.override_flat", "nowhere.fits")], "image2")


def test_files_are_known_by_their_paths(folder: Path) -> None:
    fix, flat = f"{folder}/fix.py", f"{folder}/my flat.fits"
    given = [("hooks", [f"python {fix} {{0}}"]), ("flat", flat), ("a", 5), ("b", "flat"), ("c", "/nowhere")]
    assert list(files_named(given)) == [fix, flat]
