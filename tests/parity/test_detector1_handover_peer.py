"""Each package continues what the other began, and the official stage 2 takes our rates."""

import json
import re

import pytest
from detector1_runs import FLOOR, finish_peer, job, start_peer
from peer_process import Script, needs_peer
from products import compare

from webbcal import simulate
from webbcal.detector.dark_current import DarkCurrentStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.pipeline.detector1 import Detector1Pipeline

ROOT = "jw01234001001_02101_00001_nrcblong"
OURS = {"DarkCurrentStep": DarkCurrentStep, "JumpStep": JumpStep, "RampFitStep": RampFitStep}

#: Step, what it continues from, and what it makes: as a step alone, and in the pipeline.
STEPS = [
    ("DarkCurrentStep", "linearity", "darkcurrentstep", "dark_current"),
    ("JumpStep", "dark_current", "jumpstep", "jump"),
    ("RampFitStep", "jump", "0_rampfitstep", "0_ramp_fit"),
    ("RampFitStep", "jump", "1_rampfitstep", "1_ramp_fit"),
]

#: The name of the file, and the steps that the pipeline skipped in between.
BOOKKEEPING = r"FILENAME|GROUP: NAXIS1|R_REFPIX|R_SIRSKL|S_\w+ is '\(none\)' instead of 'SKIPPED'"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a folder with what both packages made of an exposure, step by step, and the CRDS variables."""
    folder = tmp_path_factory.mktemp("handover")
    sky = simulate.Sky(stars=2000.0, bright=12.0, star_slope=0.02)
    config = simulate.ExposureConfig(
        detector="NRCBLONG",
        subarray="SUB160",
        readpatt="BRIGHT2",
        ngroups=6,
        nints=2,
        cosmic_rays=100.0,
        sky=sky,
    )
    made = simulate.universe(folder / "sim", config, simulate.ReferenceOptions(subarray_only=True))
    peer = start_peer([job(made.uncal[0], folder / "theirs", {})], made.environment)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in made.environment.items():
            patch.setenv(key, value)
        words = job(made.uncal[0], folder / "ours", {})
        Detector1Pipeline.call(words["input"], output_dir=words["output_dir"], **words["parameters"])
    (answer,) = finish_peer(peer)
    assert "error" not in answer, answer
    return folder, made.environment


def continue_jobs(begun, folder):
    """Return how to run steps alone on intermediates of a folder."""
    folder.mkdir()
    names = dict.fromkeys((step, start) for step, start, _, _ in STEPS)
    return [
        {
            "class": step,
            "input": str(begun / f"{ROOT}_{start}.fits"),
            "output_dir": str(folder),
            "parameters": {"save_results": True},
        }
        for step, start in names
    ]


def assert_continued(folder, begun):
    """Compare what steps alone made with what the pipeline that began made of it itself."""
    for _, _, alone, whole in STEPS:
        found = compare(folder / f"{ROOT}_{alone}.fits", begun / f"{ROOT}_{whole}.fits", floor=FLOOR)
        assert not [p for p in found.problems if not re.search(BOOKKEEPING, p)]


@needs_peer
def test_the_official_pipeline_continues_our_intermediates(world, tmp_path):
    folder, environment = world
    jobs = continue_jobs(folder / "ours", tmp_path / "continued")
    answers = finish_peer(start_peer(jobs, environment))
    assert not [a for a in answers if "error" in a], answers
    assert_continued(tmp_path / "continued", folder / "ours")


@needs_peer
def test_we_continue_the_official_intermediates(world, tmp_path, monkeypatch):
    folder, environment = world
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    for words in continue_jobs(folder / "theirs", tmp_path / "continued"):
        OURS[words["class"]].call(words["input"], output_dir=words["output_dir"], **words["parameters"])
    assert_continued(tmp_path / "continued", folder / "theirs")


@needs_peer
def test_the_official_stage_2_accepts_our_rates(world, tmp_path):
    folder, environment = world
    rates = [str(folder / side / f"{ROOT}_rate.fits") for side in ("ours", "theirs")]
    out = Script("image2_peer.py", tmp_path, *rates, environment=environment).finish()
    ours, theirs = json.loads(out.splitlines()[-1])
    assert ours == theirs
    cal = [next((tmp_path / n).glob("*_cal.fits")) for n in "01"]
    assert not [p for p in compare(*cal).problems if "PRIMARY" not in p]
    assert (ours["class"], ours["result"], ours["wcs"]) == ("ImageModel", "ImageModel", "COMPLETE")
