"""The memory that plans of spectra project is near the memory that the runs take."""

import os
import re
import subprocess
import sys

from spectral_cases import lrs_slit

ACCURACY = 0.25


def test_a_slit(tmp_path):
    """Stage 2 of each nod, then stage 3; answers of crds are remembered from the first on."""
    case = lrs_slit(tmp_path, background=False)
    environment = dict(os.environ) | case.environment | {"WEBBCAL_THREADS": "2"}

    def webbcal(command, pipeline, association):
        line = [sys.executable, "-m", "webbcal", command, pipeline, str(association)]
        return subprocess.run(line, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)

    def compared(pipeline, association):
        projected = re.search(r"memory: about (\d+) MB", webbcal("plan", pipeline, association).stdout)
        measured = re.search(r"peak memory (\d+) MB", webbcal("run", pipeline, association).stdout)
        return int(projected[1]) / int(measured[1])

    first, second = case.spec2
    webbcal("run", "calwebb_spec2", first)  # compiles, and asks crds
    assert abs(compared("calwebb_spec2", second) - 1) < ACCURACY
    webbcal("run", "calwebb_spec3", case.spec3)
    assert abs(compared("calwebb_spec3", case.spec3) - 1) < ACCURACY
