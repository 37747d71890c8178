"""A programme that is disturbed some times; ``programme_killing.py`` and ``programme_faults.py`` try more."""

import random
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from programme_faults import tried
from programme_killing import kill_often
from programme_under_test import Programme

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("ps") is None, reason="drivers are forked, workers found by ps"
)


@pytest.fixture(scope="module")
def programme(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programme]:
    """A programme of two exposures."""
    folder = tmp_path_factory.mktemp("disturbed")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (world.environment | {"XDG_CACHE_HOME": str(folder / "cache")}).items():
            patch.setenv(name, value)
        shutil.copytree(world.environment["CRDS_PATH"], folder / "crds")  # faults change it
        patch.setenv("CRDS_PATH", str(folder / "crds"))
        yield Programme(world.uncal[0], folder, count=2)


@pytest.fixture(autouse=True)
def _environment(programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in programme.environment.items():
        monkeypatch.setenv(name, value)


def test_a_programme_that_was_killed_goes_on_to_the_same_products(programme: Programme) -> None:
    killed = kill_often(programme, ["serial", "worker", "serial"], random.Random(11))
    assert programme.problems == [] and killed.total() > 0


@pytest.mark.parametrize(
    "fault", ["files cannot grow", "unreadable input", "missing reference", "two drivers at once"]
)
def test_a_programme_that_met_a_fault_goes_on_to_the_same_products(programme: Programme, fault: str) -> None:
    assert len(list(tried(programme, fault))) == 1
    assert programme.problems == []
