"""A programme whose driver and worker are killed some times; ``programme_killing.py`` kills more."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
from programme_killing import Programme, kill_often


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="workers are found in /proc")  # noqa: PTH112
def test_a_programme_that_was_killed_goes_on_to_the_same_products(world: Any, tmp_path: Path) -> None:
    programme = Programme(world.uncal[0], tmp_path, world.environment, count=2)
    kill_often(programme, 2, 2, random.Random(11))
    assert programme.problems == []
