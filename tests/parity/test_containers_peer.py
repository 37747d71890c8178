"""Containers and libraries of models answer as those of jwst do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from peer_process import PEER, needs_peer

import webbcal

pytestmark = needs_peer
SCRIPT = Path(__file__).parent / "peer_scripts" / "containers.py"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Answers about containers and about libraries, theirs and ours."""
    folder = tmp_path_factory.mktemp("containers")
    found = []
    for python, package in ((PEER, "jwst"), (sys.executable, "webbcal")):
        env = os.environ | {"PYTHONPATH": str(Path(webbcal.__file__).parents[1])}
        done = subprocess.run(
            [python, str(SCRIPT), package], capture_output=True, text=True, timeout=300, cwd=folder, env=env
        )
        assert done.returncode == 0, done.stderr[-4000:]
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return found


@pytest.mark.parametrize("which", [0, 1], ids=["container", "library"])
def test_same_answers(answers, which):
    theirs, ours = (found[which] for found in answers)
    assert len(theirs) > 15
    assert [(k, a) for k, a in enumerate(ours)] == [(k, a) for k, a in enumerate(theirs)]
