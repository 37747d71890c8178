"""Run a script of the peer's environment on the arrays of a test (files only; nothing is imported)."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
needs_peer = pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set")


def run_peer(script, cases, folder):
    """Return the peer's arrays for each case; a case is a dict of arrays, numbers and strings."""
    folder = Path(folder)
    settings, arrays = [], {}
    for n, case in enumerate(cases):
        settings.append({k: v for k, v in case.items() if not isinstance(v, np.ndarray)})
        arrays |= {f"{n}/{k}": v for k, v in case.items() if isinstance(v, np.ndarray)}
    np.savez(folder / "in.npz", cases=json.dumps(settings), **arrays)
    path = Path(__file__).parent / "peer_scripts" / script
    command = [str(PEER), str(path), str(folder / "in.npz"), str(folder / "out.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder)
    assert done.returncode == 0, done.stderr[-4000:]
    results = [{} for _ in cases]
    with np.load(folder / "out.npz") as out:
        for key in out.files:
            n, name = key.split("/")
            results[int(n)][name] = out[key]
    (folder / "out.npz").unlink()  # pytest keeps folders; some of these are large
    return results


def assert_same(ours, theirs, label):
    """Compare two dicts of arrays bit for bit (NaN equals NaN)."""
    for name, expected in theirs.items():
        got = ours[name]
        if np.array_equal(got, expected, equal_nan=got.dtype.kind == "f"):
            continue
        wrong = ~((got == expected) | ((got != got) & (expected != expected)))
        where = np.argwhere(wrong)
        raise AssertionError(
            f"{label}: {name} differs in {len(where)} of {wrong.size}; first at {where[0]}: "
            f"{got[tuple(where[0])]} instead of {expected[tuple(where[0])]}"
        )
