"""The official pipeline calibrates simulated exposures and finds the truth (needs WEBBCAL_PEER_PYTHON)."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from webbcal import simulate

PEER = os.environ.get("WEBBCAL_PEER_PYTHON")
pytestmark = pytest.mark.skipif(not PEER, reason="WEBBCAL_PEER_PYTHON is not set")

QUIET = simulate.Electronics(pedestal_drift=0.0, odd_even=0.0, one_over_f=0.0)


@pytest.mark.parametrize("ipc", [False, True])
def test_the_official_pipeline_recovers_the_rates(tmp_path, ipc):
    from astropy.io import fits

    config = simulate.ExposureConfig(
        subarray="SUB160", readpatt="BRIGHT2", ngroups=8, nints=2, zeroframe=True, electronics=QUIET, ipc=ipc,
        cosmic_rays=30.0, sky=simulate.Sky(stars=2000.0, background=50.0),
    )  # fmt: skip
    world = simulate.universe(
        tmp_path, config, simulate.ReferenceOptions(subarray_only=True, stage1_only=True)
    )
    command = [str(Path(str(PEER)).parent / "strun"), "calwebb_detector1", str(world.uncal[0])]
    done = subprocess.run(
        [*command, f"--output_dir={tmp_path}"],
        env=os.environ | world.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    truth = simulate.Truth.load(world.truth[0])
    with fits.open(str(world.uncal[0]).replace("uncal", "rate")) as hdus:
        rate, error, dq = (np.asarray(hdus[n].data) for n in ("SCI", "ERR", "DQ"))
        steps = {
            k: hdus[0].header[k] for k in ("S_DQINIT", "S_SATURA", "S_SUPERB", "S_LINEAR", "S_DARK", "S_RAMP")
        }
        assert set(steps.values()) == {"COMPLETE"}
        assert (hdus[0].header.get("S_IPC") == "COMPLETE") == ipc
    hit = np.zeros(rate.shape, bool)
    hit[truth.hits["y"], truth.hits["x"]] = True
    inner = np.zeros(rate.shape, bool)
    inner[2:-2, 2:-2] = True  # the official ipc step takes the outside of a subarray for zero
    good = (dq == 0) & ~hit & inner
    assert good.mean() > 0.8
    pull = (rate - truth.rate_dn)[good] / error[good]
    assert abs(np.median(pull)) < 0.03
    assert 0.9 < pull.std() < 1.15
    # strong hits are flagged as jumps
    strong = truth.hits[(truth.hits["electrons"] > 5000) & (truth.hits["group"] > 0)]
    usable = np.isfinite(rate[strong["y"], strong["x"]]) & (dq[strong["y"], strong["x"]] & 3 == 0)
    assert usable.sum() > 20
    assert np.mean(dq[strong["y"], strong["x"]][usable] & 4 != 0) > 0.98
