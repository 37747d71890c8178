"""Runs of stage 1 by both packages, from the same words, and the comparison of what they save."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from products import compare

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
needs_peer = pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set")
SCRIPT = Path(__file__).parent / "peer_scripts" / "detector1_peer.py"


STEPS = (
    "group_scale", "dq_init", "saturation", "ipc", "superbias", "refpix", "linearity", "dark_current",
    "charge_migration", "jump", "ramp_fit", "gain_scale",
)  # fmt: skip

#: Ramps have no stated error. This is less than a hundredth of the read noise of any simulated group (DN).
FLOOR = 0.01

#: A file that gets a line for each compared product, for docs/parity.md.
REPORT = os.environ.get("WEBBCAL_PARITY_REPORT")

#: Differences that docs/parity.md names and explains: pattern of the file, pattern of the difference.
KNOWN = [
    (r"", r"GROUP: NAXIS1 is .*"),
    (r"", r"PRIMARY: R_(REFPIX|SIRSKL) is 'N/A' instead of '\(none\)'"),
    (r"", r"PRIMARY: S_REFPIX is 'SKIPPED' instead of 'COMPLETE'"),
    (r"", r"PRIMARY: S_DARK is 'SKIPPED' instead of '\(none\)'"),
    (r"fitopt", r"PRIMARY: ([RS]_\w+) is .* instead of '\(none\)'"),
]


def is_known(name, problem):
    """Tell whether docs/parity.md names this difference."""
    return any(re.search(file, name) and re.fullmatch(what, problem) for file, what in KNOWN)


def job(uncal, folder, run):
    """Return how to run the pipeline with everything saved; both packages take the same words."""
    steps = {name: {"save_results": True, **run.get(name, {})} for name in STEPS}
    folder.mkdir(parents=True)
    parameters = {"save_results": True, "save_calibrated_ramp": True, "steps": steps}
    return {
        "class": "Detector1Pipeline",
        "input": str(uncal),
        "output_dir": str(folder),
        "parameters": parameters,
    }


def start_peer(jobs, environment):
    """Start the peer on a list of jobs."""
    process = subprocess.Popen(
        [PEER, "-W", "ignore", SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    process.stdin.write(json.dumps(jobs))
    process.stdin.close()
    process.stdin = None
    return process


def finish_peer(process):
    """Wait for the peer's answers."""
    out, err = process.communicate(timeout=1500)
    assert process.returncode == 0, err[-4000:]
    return json.loads(out.splitlines()[-1])


def compare_folders(ours, theirs):
    """Return what differs between two folders of products, and remove what agrees (some are large)."""
    names = [{p.name for p in folder.iterdir()} for folder in (ours, theirs)]
    problems = [f"{n} is made by only one" for n in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        found = compare(ours / name, theirs / name, floor=FLOOR)
        new = [f"{name}: {p}" for p in found.problems if not is_known(name, p)]
        problems += new
        if not new:
            (ours / name).unlink()
            (theirs / name).unlink()
        if REPORT:
            with Path(REPORT).open("a") as report:
                report.write(json.dumps([name, found.worst]) + "\n")
    return problems
