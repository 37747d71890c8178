"""The memory that a plan projects is near the memory that the run takes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from webbcal import simulate


@pytest.mark.parametrize(
    "config",
    [
        {"subarray": "SUB64P", "detector": "NRCB1", "filter": "F200W", "readpatt": "RAPID", "ngroups": 4},
        {
            "subarray": "SUB640",
            "detector": "NRCB1",
            "filter": "F200W",
            "readpatt": "RAPID",
            "ngroups": 6,
            "nints": 6,
        },
        {"subarray": "SUBGRISM256", "readpatt": "SHALLOW2", "ngroups": 8, "nints": 2},
        {
            "subarray": "SUB256",
            "detector": "MIRIMAGE",
            "filter": "F770W",
            "readpatt": "FASTR1",
            "ngroups": 40,
            "nints": 12,
        },
        {
            "subarray": "FULL",
            "detector": "NRS1",
            "filter": "F290LP",
            "readpatt": "NRSIRS2RAPID",
            "ngroups": 3,
        },
    ],
    ids=lambda c: c["subarray"],
)
def test_projected_memory_is_within_a_quarter_of_the_measured_peak(config, tmp_path: Path) -> None:
    made = simulate.universe(
        tmp_path,
        simulate.ExposureConfig(**config),
        simulate.ReferenceOptions(subarray_only=True, stage1_only=True),
    )
    environment = dict(os.environ) | made.environment | {"WEBBCAL_THREADS": "2"}

    def webbcal(command: str) -> str:
        words = [sys.executable, "-m", "webbcal", command, "calwebb_detector1", str(made.uncal[0])]
        return subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout

    def forget() -> None:
        shutil.rmtree(environment["XDG_CACHE_HOME"])

    webbcal("run")  # compiles
    for before in (lambda: None, forget):  # crds need not be loaded; it has to be asked
        before()
        projected = int(re.search(r"memory: about (\d+) MB", webbcal("plan"))[1])
        before()
        measured = int(re.search(r"peak memory (\d+) MB", webbcal("run"))[1])
        assert 0.75 * measured < projected < 1.25 * measured
