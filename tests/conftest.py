"""What many tests need: a small simulated universe, and CRDS set to it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from webbcal import simulate

CRDS = ("CRDS_PATH", "CRDS_SERVER_URL", "CRDS_CONTEXT", "CRDS_OBSERVATORY")


#: Folders of tests that failed, by name; pytest removes those of the others (`tmp_path_retention_policy`).
_failed: set[str] = set()


#: Scopes of fixtures that several tests share.
SHARED = ("package", "session", "module")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have tests that share a fixture run on one worker (``--dist loadgroup``): it is made once."""
    for item in items:
        made = [known[-1] for known in item._fixtureinfo.name2fixturedefs.values()]  # type: ignore[attr-defined]
        places = [f.baseid for f in made if f.scope in SHARED and f.baseid not in ("", "tests")]
        if places and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(min(places, key=len)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    """Remember the folder of a test that failed."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None:
        _failed.add(folder.name)
    return report


@pytest.fixture(scope="session", autouse=True)
def _nothing_stays_but_what_failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove the folders that fixtures of modules and of the session have made."""
    yield
    for folder in tmp_path_factory.getbasetemp().iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder.name not in _failed:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class World:
    """Simulated exposures on disk, and the variables that calibrate them."""

    folder: Path
    uncal: tuple[Path, ...]
    truth: tuple[Path, ...]
    environment: dict[str, str]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two integrations of six groups on a 64 × 64 subarray, and their reference files."""
    config = simulate.ExposureConfig(
        detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="RAPID", ngroups=6, nints=2, seed=3,
        cosmic_rays=200.0,  # many, for there is little time
    )  # fmt: skip
    made = simulate.universe(
        tmp_path_factory.mktemp("world"),
        config,
        simulate.ReferenceOptions(subarray_only=True),
    )
    return World(made.folder, made.uncal, made.truth, made.environment)


@pytest.fixture
def crds(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The small universe, with CRDS pointing to it."""
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    yield world


@pytest.fixture(autouse=True)
def _tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests leave nothing in the working directory and see nobody's CRDS settings."""
    monkeypatch.chdir(tmp_path)
    for name in CRDS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _drawn_anew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a module's RNG start anew for each test: what one draws does not depend on which ran before."""
    if hasattr(request.module, "RNG"):
        monkeypatch.setattr(request.module, "RNG", np.random.default_rng([*request.node.name.encode()]))
