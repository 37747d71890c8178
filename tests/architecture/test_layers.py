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
    "associations": {"core", "io"},
    # `datamodels.open` of several reaches it as what `webbcal/__init__.py` provides (`core.provided`).
    "library": {"associations", "core", "datamodels"},
    "wcs": {"core", "datamodels", "io"},
    "run": {"associations", "core", "datamodels", "io", "references"},
    "detector": {"core", "datamodels", "io", "kernels", "run"},
    "exposure": {"core", "datamodels", "kernels", "wcs", "references", "associations", "run"},
    "combine": {"associations", "core", "datamodels", "io", "kernels", "library", "run", "wcs"},
    "spectra": {"associations", "combine", "core", "datamodels", "io", "kernels", "library", "run", "wcs"},
    "pipeline": {"associations", "core", "datamodels", "detector", "exposure", "combine", "run", "spectra"},
    "simulate": {"core", "datamodels", "io"},
    "plots": {"combine", "core", "datamodels", "io", "run", "wcs"},
    # Models and steps, which are below, reach it as what `webbcal/__init__.py` provides.
    "notebook": {"core", "plots", "run"},
    "report": {"associations", "core", "datamodels", "io", "plots", "run", "simulate", "wcs"},
    # Pipelines are found by name (`run.registry`).
    "programme": {"associations", "core", "datamodels", "io", "references", "report", "run"},
    # What scripts import is in many rooms, which are named in tables and loaded when they are asked for.
    "compat": {"associations", "core", "references", "run", "wcs"},
    "cli": {
        "associations",
        "core",
        "datamodels",
        "io",
        "notebook",
        "programme",
        "references",
        "report",
        "run",
        "simulate",
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


# ---------------------------------------------------------------- between files
def name_of(path: Path) -> str:
    """Return the dotted name of a file, below `webbcal`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def file_imports() -> dict[str, set[str]]:
    """Return file -> files that it imports, in functions and for type hints too."""
    files = {name_of(path): path for path in FILES}
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        imported = {i.removeprefix("webbcal.") for i in imports_of(path) if i.startswith("webbcal.")}
        # What is imported is a file, or what is in one.
        named = {i if i in files else i.rpartition(".")[0] for i in imported}
        found[name] = {i for i in named if i in files} - {name}
    return found


def rings_of(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Return the sets of files that reach each other (strongly connected components of more than one)."""
    reach = {name: set(targets) for name, targets in arrows.items()}
    grown = True
    while grown:
        grown = False
        for targets in reach.values():
            more = set().union(*(reach[t] for t in targets)) - targets
            if more:
                targets |= more
                grown = True
    rings: list[set[str]] = []
    for name in reach:
        ring = {other for other in reach[name] if name in reach[other]}
        if name in reach[name] and ring not in rings:
            rings.append(ring)
    return rings


def test_rings_are_found():
    assert rings_of({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [{"b", "c"}]
    assert not rings_of({"a": {"b"}, "b": set()})


def test_files_import_one_way():
    rings = rings_of(file_imports())
    assert not rings, f"files that import each other: {[sorted(ring) for ring in rings]}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_private_names_stay_in_their_file(path: Path) -> None:
    taken = {i for i in imports_of(path) if i.startswith("webbcal.") and i.rpartition(".")[2].startswith("_")}
    taken -= {"webbcal.__version__"}
    assert not taken, f"{name_of(path)} imports {sorted(taken)}, which are private to their files"


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_permissions_are_used(package: str) -> None:
    used = {
        name.split(".")[1]
        for path in FILES
        if path.relative_to(ROOT).parts[0] == package
        for name in imports_of(path)
        if name.startswith("webbcal.")
    }
    unused = ALLOWED[package] - used
    assert not unused, f"{package} may import {unused}, but does not: take it from ALLOWED"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_can_be_read(path: Path) -> None:
    text = path.read_text()
    if "kernels" not in path.parts:
        assert len(text.splitlines()) <= 500
    functions = [
        n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno - f.lineno >= 80}
    assert not long, f"functions of more than 80 lines: {long}"
