"""A wheel holds every file of the package: what pyproject.toml says to setuptools, against the folder."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "webbcal"


def files_of_the_package():
    """Return the files that belong to the package, relative to it."""
    paths = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [path.relative_to(PACKAGE) for path in paths]


def test_files_of_data_are_named():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = [pattern.removeprefix("**/") for pattern in tools["package-data"]["webbcal"]]
    left_out = [
        str(path)
        for path in files_of_the_package()
        if path.suffix != ".py" and not any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert not left_out, "[tool.setuptools.package-data] of pyproject.toml does not name these"


def test_folders_are_packages():
    # `packages.find` passes folders without an __init__.py by, with all that is below them.
    folders = {parent for path in files_of_the_package() for parent in path.parents if path.suffix == ".py"}
    without = [str(folder) for folder in folders if not (PACKAGE / folder / "__init__.py").is_file()]
    assert not without
