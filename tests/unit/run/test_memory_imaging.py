"""The memory that plans of stages 2 and 3 project is near the memory that the runs take."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from field_files import association, write_field

from webbcal import simulate

ACCURACY = 0.3


def compare(pipeline, path, environment, *words, asking_crds=False):
    """Return projected and measured memory in MB, each in a process of its own."""
    environment = dict(os.environ) | environment | {"WEBBCAL_THREADS": "2"}

    def webbcal(command):
        line = [sys.executable, "-m", "webbcal", command, pipeline, str(path), "--output_dir=out", *words]
        return subprocess.run(line, capture_output=True, text=True, check=True, env=environment).stdout

    webbcal("run")  # compiles
    if asking_crds:  # else its answers are remembered, and it is not loaded
        shutil.rmtree(environment["XDG_CACHE_HOME"])
    projected = int(re.search(r"memory: about (\d+) MB", webbcal("plan"))[1])
    if asking_crds:
        shutil.rmtree(environment["XDG_CACHE_HOME"])
    measured = int(re.search(r"peak memory (\d+) MB", webbcal("run"))[1])
    return projected, measured


@pytest.mark.parametrize("words", [[], ["--steps.resample.skip=true"]], ids=["resampled", "calibrated"])
@pytest.mark.parametrize("asking_crds", [False, True], ids=["remembered", "asked"])
def test_stage_2(tmp_path, words, asking_crds):
    config = simulate.ExposureConfig(detector="NRCB1", subarray="SUB640", filter="F200W", readpatt="RAPID")
    world = simulate.rate_universe(tmp_path, config, subarray_only=True)
    rate, environment = world.rate[0], world.environment
    projected, measured = compare("calwebb_image2", rate, environment, *words, asking_crds=asking_crds)
    assert abs(projected / measured - 1) < ACCURACY


def test_stage_3(tmp_path):
    """A fine grid makes the mosaic count: over two million pixels."""
    paths, environment = write_field(tmp_path)
    path = association(tmp_path / "x_asn.json", [p.name for p in paths])
    words = ["--steps.resample.pixel_scale=0.01", "--steps.source_catalog.skip=true"]
    projected, measured = compare("calwebb_image3", path, environment, *words)
    assert abs(projected / measured - 1) < ACCURACY
