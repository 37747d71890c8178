"""The rule of the house: imports point one way, and heavy libraries load only when used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import webbcal

ROOT = Path(webbcal.__file__).parent

#: Package -> packages of webbcal that it may import.
ALLOWED = {
    "core": set(),
    "kernels": {"core"},
    "datamodels": {"core", "io"},
    "io": {"core"},
    "references": {"core", "datamodels", "io"},
    "associations": {"core"},
    "wcs": {"core", "datamodels", "io", "references"},
    "run": {"core", "datamodels", "io", "references"},
    "detector": {"core", "datamodels", "kernels", "references", "run"},
    "exposure": {"core", "datamodels", "io", "kernels", "wcs", "references", "associations", "run"},
    "combine": {
        "associations",
        "core",
        "datamodels",
        "io",
        "kernels",
        "references",
        "run",
        "wcs",
    },
    "pipeline": {"associations", "core", "datamodels", "detector", "exposure", "combine", "run"},
    "simulate": {"core", "datamodels", "io"},
    "report": {"core", "datamodels", "io", "run", "simulate"},
    "cli": {
        "associations",
        "core",
        "datamodels",
        "io",
        "references",
        "run",
        "report",
        "simulate",
        "pipeline",
        "wcs",
    },
}


def imports_of(path: Path) -> set[str]:
    """Return the dotted names of everything a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(p for p in ROOT.rglob("*.py") if p.parent != ROOT)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    used = {name.split(".")[1] for name in imports_of(path) if name.startswith("webbcal.")}
    used -= {"__version__", package}
    assert used <= ALLOWED[package], f"{package} must not import {used - ALLOWED[package]}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_never_imports_the_official_pipeline(path: Path) -> None:
    foreign = {"jwst", "stcal", "stpipe", "stdatamodels"}
    assert not {name.split(".")[0] for name in imports_of(path)} & foreign


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after running `code`."""
    script = f"import sys\n{code}\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n")[-2].split())


HEAVY = {"numpy", "numba", "astropy", "asdf", "crds", "scipy", "matplotlib", "pysiaf", "rich", "gwcs"}


@pytest.mark.parametrize(
    "code",
    [
        "import webbcal",
        "import webbcal.associations, webbcal.cli.asn",
        "from webbcal.cli.main import main; main(['--help'])",
    ],
)
def test_starts_light(code: str) -> None:
    assert not loaded_by(code) & HEAVY


@pytest.mark.parametrize("step", ["jump", "assign_wcs"])
def test_help_of_a_step_needs_no_heavy_library(step: str) -> None:
    loaded = loaded_by(f"from webbcal.cli.main import main; main(['run', '{step}', '--help'])")
    assert not loaded & (HEAVY - {"numpy"})
