"""Two thousand damaged files; `run.py` beside this runs as many as one likes."""

import importlib.util
import sys
from pathlib import Path

import pytest


def _runner():
    spec = importlib.util.spec_from_file_location("webbcal_fuzz_run", Path(__file__).with_name("run.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files_are_read_or_refused_by_name(seed, crds):
    outcome = _runner().run(1000, seed, crds.uncal[0])
    assert not outcome.failures, "\n".join(outcome.failures)
    assert outcome.passed > 200 and outcome.refused > 200  # some damage is harmless, some is not
