"""Spectral pipelines by both packages, on the same rates, with what each step makes saved."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from detector1_runs import finish_peer, start_peer
from grism_cases import GrismCase, tsgrism, wfss
from peer_process import Script
from spectral_cases import SpectralCase, lrs_slit, lrs_slitless

from webbcal.run.registry import step_class

#: Steps of calwebb_spec2 whose products are saved too.
STEPS2 = (
    *("assign_wcs", "bkg_subtract", "flat_field", "extract_2d", "srctype", "pathloss", "photom"),
    *("pixel_replace", "extract_1d"),
)
STEPS3 = ("master_background", "outlier_detection", "pixel_replace", "extract_1d", "combine_1d")

CASES = {
    "lrs_slit": lrs_slit,
    "lrs_slitless": lrs_slitless,
    "nircam_r": lambda folder: wfss(folder, "nircam", "R", exposures=2),
    "nircam_c": lambda folder: wfss(folder, "nircam", "C"),
    "niriss_r": lambda folder: wfss(folder, "niriss", "R"),
    "niriss_c": lambda folder: wfss(folder, "niriss", "C"),
    "miri": lambda folder: wfss(folder, "miri", "P"),
    "tsgrism": tsgrism,
}
#: Those that are combined.
COMBINED = ("lrs_slit", "nircam_r")


@dataclass(frozen=True)
class Runs:
    """What both packages made of a case: folders ``ours`` and ``theirs``, of stage 2 and 3 alike.

    In `after`, if it is combined, is what we make in stage 3 of what jwst has made in stage 2; in `before`
    what jwst makes in stage 3 of ours.
    """

    case: SpectralCase | GrismCase
    ours: Path
    theirs: Path
    after: Path
    before: Path

    @property
    def product(self) -> str:
        """Name of the product of stage 3."""
        return str(json.loads(self.case.spec3.read_text())["products"][0]["name"])


def run_case(name: str, folder: Path) -> Runs:
    """Simulate a case, and calibrate it with both packages: stage 2, and stage 3 where there is one."""
    case = CASES[name](folder / "data")
    ours, theirs, after, before = (folder / name for name in ("ours", "theirs", "after", "before"))
    jobs = {
        who: [job2(path, out) for path in case.spec2] for who, out in (("ours", ours), ("theirs", theirs))
    }
    if name in COMBINED:
        for who, out in (("ours", ours), ("theirs", theirs)):
            jobs[who].append(job3(case.spec3, out))
    for out in (ours, theirs, after, before):
        out.mkdir(exist_ok=True)
    runs = Runs(case, ours, theirs, after, before)
    with among(case):
        process = start_peer(jobs["theirs"], case.environment)
        for job in jobs["ours"]:
            run_ours(job)
        answered(process, runs, theirs)
        if name in COMBINED:
            process = start_peer([job3(case.spec3, ours) | {"output_dir": str(before)}], case.environment)
            run_ours(job3(case.spec3, theirs) | {"output_dir": str(after)})
            answered(process, runs, before)
    return runs


def answered(process: Script, runs: Runs, out: Path) -> None:
    """Wait for the peer; bring what it saves where it runs (the spectra of a field) to the other products."""
    answers = finish_peer(process)
    assert not [a for a in answers if "error" in a], answers
    for path in runs.case.folder.glob(f"{runs.product}_?1d.fits") if runs.case.spec3 is not None else ():
        path.rename(out / path.name)


def run_ours(job: dict) -> None:
    """Run a job with webbcal."""
    step_class(job["class"]).call(job["input"], output_dir=job["output_dir"], **job["parameters"])


def job2(association: Path, out: Path) -> dict:
    """Return how to run calwebb_spec2 with everything saved."""
    steps = {name: {"save_results": True} for name in STEPS2} | {"pixel_replace": {"skip": False}}
    return _job("Spec2Pipeline", association, out, steps)


def job3(association: Path, out: Path) -> dict:
    """Return how to run calwebb_spec3 on what stage 2 made."""
    out.mkdir(exist_ok=True)
    beside = shutil.copy(association, out / association.name)
    return _job("Spec3Pipeline", beside, out, {name: {"save_results": True} for name in STEPS3})


def _job(cls: str, init: Path, out: Path, steps: dict) -> dict:
    parameters = {"save_results": True, "steps": steps}
    return {"class": cls, "input": str(init), "output_dir": str(out), "parameters": parameters}


@contextmanager
def among(case):
    """Set the variables for a case's references, and go where its files are: jwst looks there for members."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.environment.items():
            patch.setenv(name, value)
        patch.chdir(case.folder)
        yield
