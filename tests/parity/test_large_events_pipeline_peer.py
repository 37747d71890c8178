"""Stage 1 with snowballs and showers against jwst 3.0.0, after each step and at the end."""

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import compare_folders, finish_peer, job, start_peer
from peer_process import needs_peer

from webbcal import simulate
from webbcal.pipeline.detector1 import Detector1Pipeline

SNOWBALLS = {"jump": {"expand_large_events": True}}
NO_CORE = {"jump": {"expand_large_events": True, "sat_required_snowball": False, "min_jump_area": 12.0}}
NEXT = {
    "jump": {
        "expand_large_events": True, "snowball_time_masked_next_int": 20, "edge_size": 0, "sat_expand": 4,
        "max_extended_radius": 14, "expand_factor": 3.0,
    }
}  # fmt: skip
# jwst takes 6 for max_shower_amplitude whatever it is told.
SHOWERS = {"jump": {"find_showers": True, "max_shower_amplitude": 6.0}}
BOTH = {"jump": SHOWERS["jump"] | {"expand_large_events": True}, "ramp_fit": {"save_opt": True}}

_NIRCAM = {"detector": "NRCBLONG", "subarray": "SUB160"}
SNOWY = _NIRCAM | {"readpatt": "SHALLOW4", "ngroups": 6, "nints": 3, "snowballs": 12.0, "zeroframe": True}
SHOWERY = _NIRCAM | {
    "readpatt": "BRIGHT1", "ngroups": 14, "nints": 2, "snowballs": 6.0, "showers": 6.0, "seed": 5
}  # fmt: skip
MIRI = {
    "detector": "MIRIMAGE", "subarray": "SUB256", "filter": "F770W", "readpatt": "SLOWR1", "ngroups": 16,
    "showers": 30.0, "seed": 5,
}  # fmt: skip
FAINT = {"jump": SHOWERS["jump"] | {"extend_snr_threshold": 1.0, "extend_min_area": 40}}
CASES = {
    "snowballs": (SNOWY, (SNOWBALLS, NO_CORE, NEXT)),
    "showers": (SHOWERY, (SHOWERS, BOTH)),
    "MIRI showers": (MIRI, (FAINT,)),
}


@needs_peer
@pytest.mark.parametrize("name", CASES)
def test_every_step_equals_the_official_pipeline(name, tmp_path, monkeypatch):
    words, runs = CASES[name]
    sky = simulate.Sky(stars=2000.0, bright=13.0, star_slope=0.02, background=2.0)
    config = simulate.ExposureConfig(cosmic_rays=5.0, sky=sky, **words)
    world = simulate.universe(
        tmp_path / "sim", config, simulate.ReferenceOptions(subarray_only=True, stage1_only=True)
    )
    for key, value in world.environment.items():
        monkeypatch.setenv(key, value)
    folders = [(tmp_path / f"ours{n}", tmp_path / f"theirs{n}") for n in range(len(runs))]
    peer = start_peer(
        [job(world.uncal[0], f[1], run) for f, run in zip(folders, runs, strict=True)], world.environment
    )
    problems, rates = [], []
    for (folder, _), run in zip(folders, runs, strict=True):
        words = job(world.uncal[0], folder, run)
        Detector1Pipeline.call(words["input"], output_dir=words["output_dir"], **words["parameters"])
        rates.append(fits.getval(next(folder.glob("*_rate.fits")), "EXTNCRS"))
    assert np.all(np.array(rates) > 0), "no events"
    for (ours, official), run, answer in zip(folders, runs, finish_peer(peer), strict=True):
        assert "error" not in answer, answer
        problems += [f"{run}: {p}" for p in compare_folders(ours, official)]
    assert not problems, "\n".join(problems)
