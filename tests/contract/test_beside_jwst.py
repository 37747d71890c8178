"""webbcal and jwst 3.0.0 live in one environment."""

import os
import subprocess

import pytest

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")


@pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set")
def test_both_are_installed_and_import() -> None:
    have = subprocess.run([PEER, "-m", "pip", "show", "-q", "webbcal"], check=False, capture_output=True)
    if have.returncode:
        pytest.skip("webbcal is not installed beside jwst here (make test does it)")
    code = "import jwst, webbcal.pipeline.detector1; print(jwst.__version__)"
    done = subprocess.run([PEER, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip().endswith("3.0.0")
    check = subprocess.run([PEER, "-m", "pip", "check"], check=False, capture_output=True, text=True)
    assert "webbcal" not in check.stdout and "jwst" not in check.stdout, check.stdout
