"""Runs of stage 1 by both packages, from the same words, and the comparison of what they save."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from peer_process import Script
from products import compare

from webbcal import simulate
from webbcal.pipeline.detector1 import Detector1Pipeline

SATURATED, JUMP_DET = 2, 4

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
    (r"fitopt|likely_chisq", r"PRIMARY: ([RS]_\w+) is .* instead of '\(none\)'"),
]


@dataclass(frozen=True)
class Case:
    """An exposure and the sets of parameters to run it with."""

    detector: str
    subarray: str
    readpatt: str
    ngroups: int
    nints: int = 1
    filter: str = "F444W"
    cosmic_rays: float = 20.0
    bright: float = 12.0
    stars: float = 2000.0
    extra: dict = field(default_factory=dict)
    runs: tuple = ({},)
    dark_frames: int | None = None

    def config(self):
        """Return what to simulate: a crowded field, with stars that saturate at once and later."""
        sky = simulate.Sky(stars=self.stars, bright=self.bright, star_slope=0.02, background=2.0)
        return simulate.ExposureConfig(
            detector=self.detector, subarray=self.subarray, readpatt=self.readpatt, ngroups=self.ngroups,
            nints=self.nints, filter=self.filter, cosmic_rays=self.cosmic_rays, **{"sky": sky, **self.extra},
        )  # fmt: skip


def run_both(case, tmp_path, monkeypatch, steps=STEPS, alone=None):
    """Simulate an exposure, and run both packages on it; the first run saves what each step makes.

    `alone` is a step, its parameters and the product (its suffix) of our first run that it is run on as well.
    Returns for each set of parameters the folders of our products and of the peer's.
    """
    options = simulate.ReferenceOptions(True, case.dark_frames, stage1_only=True)
    world = simulate.universe(tmp_path / "sim", case.config(), options)
    for key, value in world.environment.items():
        monkeypatch.setenv(key, value)
    folders = [(tmp_path / f"ours{n}", tmp_path / f"theirs{n}") for n in range(len(case.runs))]
    # What others make before the step that they change is what the first makes.
    saved = [(*(steps if n == 0 else ()), *run) for n, run in enumerate(case.runs)]
    runs = list(zip(folders, case.runs, saved, strict=True))
    theirs = [job(world.uncal[0], f[1], run, names) for f, run, names in runs]
    peer = start_peer(theirs, world.environment)
    for (folder, _), run, names in runs:
        words = job(world.uncal[0], folder, run, names)
        Detector1Pipeline.call(words["input"], output_dir=words["output_dir"], **words["parameters"])
    answers = finish_peer(peer)
    if alone is not None:
        answers += finish_peer(start_peer([_alone(*alone, folders[0][0], tmp_path)], world.environment))
        folders.append((tmp_path / "alone_ours", tmp_path / "alone_theirs"))
    failed = [answer for answer in answers if "error" in answer]
    assert not failed, failed
    return folders


def _alone(cls, words, kind, folder, tmp_path):
    """Run a step alone on what the pipeline has saved, and return how the peer does it."""
    given = next(folder.glob(f"*_{kind}.fits"))
    for name in ("alone_ours", "alone_theirs"):
        (tmp_path / name).mkdir()
    words = {"save_results": True, "suffix": "alone", **words}
    cls.call(given, output_dir=str(tmp_path / "alone_ours"), **words)
    where = {"input": str(given), "output_dir": str(tmp_path / "alone_theirs")}
    return {"class": cls.__name__, "parameters": words, **where}


def flags_of(folder, product="rateints"):
    """Return all flags that a product has anywhere."""
    return np.bitwise_or.reduce(fits.getdata(next(folder.glob(f"*_{product}.fits")), "DQ"), axis=None)


def is_known(name, problem):
    """Tell whether docs/parity.md names this difference."""
    return any(re.search(file, name) and re.fullmatch(what, problem) for file, what in KNOWN)


def job(uncal, folder, run, steps=STEPS):
    """Return how to run the pipeline with everything saved; both packages take the same words."""
    steps = {name: {"save_results": True, **run.get(name, {})} for name in steps}
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
    return Script("detector1_peer.py", given=json.dumps(jobs), environment=environment)


def finish_peer(script):
    """Wait for the peer's answers."""
    return json.loads(script.finish().splitlines()[-1])


def compare_folders(ours, theirs):
    """Return what differs between two folders of products, and remove what agrees (some are large)."""
    names = [{p.name for p in folder.iterdir()} for folder in (ours, theirs)]
    problems = [f"{n} is made by only one" for n in sorted(names[0] ^ names[1])]
    for name in sorted(n for n in names[0] & names[1] if n.endswith(".fits")):
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
