"""Run scripts of the peer's environment on the arrays of a test (files only; nothing is imported).

A process that has loaded the peer forks for each script (`peer_scripts/server.py`); there is one for each
worker of the tests, begun when it is first needed.
"""

import atexit
import json
import os
import subprocess
import tempfile
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pytest

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
SCRIPTS = Path(__file__).parent / "peer_scripts"
needs_peer = pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set")
_numbers = count()


class Script:
    """A script that runs in the peer's environment.

    Parameters
    ----------
    name : str
        Its file, in `peer_scripts`.
    *words
        What it is given.
    given : str
        Its standard input.
    folder : path, optional
        Where it runs; by default here.
    environment : mapping, optional
        Variables beside those of this process.
    timeout : int
        Seconds after which it is killed.
    """

    def __init__(self, name, *words, given="", folder=None, environment=None, timeout=1500):
        self._streams = Path(tempfile.mkdtemp(prefix="peer-"))
        files = {stream: str(self._streams / stream) for stream in ("stdin", "stdout", "stderr")}
        Path(files["stdin"]).write_text(given)
        self._number = next(_numbers)
        job = {
            "number": self._number, "script": str(SCRIPTS / name), "words": [str(w) for w in words],
            "folder": str(folder or Path.cwd()), "environment": os.environ | (environment or {}),
            "timeout": timeout, **files,
        }  # fmt: skip
        server = _server()
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()

    def finish(self):
        """Wait for its end; return its standard output.

        Raises
        ------
        AssertionError
            If it failed, with the end of its standard error.
        """
        for line in _server().stdout:
            answer = json.loads(line)
            if answer["number"] == self._number:  # others are of tests that have failed before this
                break
        else:
            _server.cache_clear()
            raise AssertionError("the peer's process has ended")
        out, err = ((self._streams / name).read_text() for name in ("stdout", "stderr"))
        for path in self._streams.iterdir():
            path.unlink()
        self._streams.rmdir()
        assert answer["status"] == 0, f"status {answer['status']}: {err[-4000:]}"
        return out


@cache
def _server():
    command = [str(PEER), "-W", "ignore", str(SCRIPTS / "server.py")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.stdin.close)
    return server


def run_peer(script, cases, folder):
    """Return the peer's arrays for each case; a case is a dict of arrays, numbers and strings."""
    folder = Path(folder)
    settings, arrays = [], {}
    for n, case in enumerate(cases):
        settings.append({k: v for k, v in case.items() if not isinstance(v, np.ndarray)})
        arrays |= {f"{n}/{k}": v for k, v in case.items() if isinstance(v, np.ndarray)}
    np.savez(folder / "in.npz", cases=json.dumps(settings), **arrays)
    Script(script, folder / "in.npz", folder / "out.npz", folder=folder, timeout=300).finish()
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
