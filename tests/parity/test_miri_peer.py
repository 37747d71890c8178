"""Stage 1 of MIRI against jwst 3.0.0, after each step and at the end: detectors, subarrays and patterns.

Simulated exposures and reference files, as in `test_detector1_peer`; both packages run them with several sets
of parameters.
"""

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import JUMP_DET, SATURATED, Case, compare_folders, flags_of, run_both
from peer_process import needs_peer

from webbcal import simulate
from webbcal.pipeline.detector1 import Detector1Pipeline

STEPS = (
    "group_scale", "dq_init", "emicorr", "saturation", "ipc", "firstframe", "lastframe", "reset", "linearity",
    "rscd", "dark_current", "refpix", "charge_migration", "jump", "ramp_fit", "gain_scale",
)  # fmt: skip

JOINT = {"emicorr": {"skip": False}}
SEPARATELY = {"emicorr": {"skip": False, "fit_ints_separately": True}, "dark_current": {"skip": True}}
SEQUENTIAL = {"emicorr": {"skip": False, "algorithm": "sequential"}}
AS_IT_IS = {
    "emicorr": {
        "skip": False, "algorithm": "sequential", "scale_reference": False, "nbins": 40, "nints_to_phase": 2,
    },
    "ramp_fit": {"save_opt": True, "suppress_one_group": False},
}  # fmt: skip
ON_THE_FLY = {
    "emicorr": {
        "skip": False,
        "onthefly_corr_freq": [390.625, 218.52047],
        "use_n_cycles": None,
        "save_intermediate_results": True,
    }
}
FIRST_FRAME = {"firstframe": {"skip": False}, "jump": {"rejection_threshold": 3.0}}
ALL_FIRST_GROUPS = {"firstframe": {"skip": False, "bright_use_group1": False}, "ramp_fit": {"lastgroup": 5}}
ALL_ROWS = {"refpix": {"odd_even_rows": False}}

#: What docs/parity.md names and explains.
KNOWN = (
    "R_MIREMI is 'N/A' instead of '(none)'",
    # where jwst leaves leading groups out, it counts times from the first that is left
    "fitopt.fits: PEDESTAL", "fitopt.fits: YINT", "fitopt.fits: SIGYINT",
)  # fmt: skip


def field(detector, subarray, readpatt, ngroups, nints, runs=(JOINT,), bright=9.0, stars=2000.0, ipc=False):
    """Return a case: a crowded field, with stars that saturate at once and later."""
    cosmic_rays = 2.0 if subarray == "FULL" else 20.0
    return Case(
        detector, subarray, readpatt, ngroups, nints, "F770W", cosmic_rays, bright, stars, {"ipc": ipc}, runs
    )


CASES = {
    "imager_full": field("MIRIMAGE", "FULL", "FASTR1", 5, 1, (JOINT,), 10.0, 150.0, ipc=True),
    "mrs_full": field("MIRIFULONG", "FULL", "SLOWR1", 6, 1, (ALL_ROWS,), 10.0, 150.0),
    "sub64": field(
        "MIRIMAGE", "SUB64", "FASTR1", 8, 2, (JOINT, SEPARATELY, SEQUENTIAL, AS_IT_IS, ON_THE_FLY), 5.0
    ),
    "sub64_short": field("MIRIMAGE", "SUB64", "FASTR1", 7, 2, ({}, FIRST_FRAME, ALL_FIRST_GROUPS), 5.0),
    "sub256_long": field("MIRIMAGE", "SUB256", "FASTR1", 30, 2),
    "slitless_prism": field("MIRIMAGE", "SLITLESSPRISM", "FASTR1", 8, 2),
    "mask1140": field("MIRIMAGE", "MASK1140", "SLOWR1", 6, 1, ({},)),
    "averaged_groups": field("MIRIMAGE", "SUB128", "FASTGRPAVG8", 5, 3),
}


@needs_peer
@pytest.mark.parametrize("name", CASES)
def test_every_step_equals_the_official_pipeline(name, tmp_path, monkeypatch):
    case = CASES[name]
    folders = run_both(case, tmp_path, monkeypatch, STEPS)
    flags = flags_of(folders[0][0])
    assert flags & SATURATED and flags & JUMP_DET, "the exposure is too easy"
    problems = []
    for (ours, theirs), run in zip(folders, case.runs, strict=True):
        jumps = fits.getdata(next(ours.glob("*_ramp.fits")), "GROUPDQ") & JUMP_DET
        found = [p for p in compare_folders(ours, theirs) if not any(known in p for known in KNOWN)]
        problems += [f"{run}: {p}" for p in found if not is_lost_jump(p, ours, theirs, jumps)]
    assert not problems, "\n".join(problems)


def is_lost_jump(problem, ours, theirs, jumps):
    """Tell whether jwst only lost JUMP_DET of pixels whose only jump is in the first groups.

    Where leading groups are rejected in all pixels, it removes the flag from the first group that is left.
    """
    name, _, what = problem.partition(": ")
    if not what.startswith("DQ: "):
        return False
    a, b = (fits.getdata(folder / name, "DQ").astype(np.int64) for folder in (ours, theirs))
    later = jumps[:, 5:].any(axis=1)
    only_first = ~later if a.ndim == 3 else ~later.any(axis=0)
    differs = a != b
    return (a[differs] - b[differs] == JUMP_DET).all() and only_first[differs].all() and differs.mean() < 1e-3


def test_stars_saturate_soon_enough_to_keep_groups_of_rscd(tmp_path, monkeypatch):
    """The case "sub64" would show nothing of RSCD's exceptions without such stars."""
    case = CASES["sub64"]
    world = simulate.universe(
        tmp_path / "sim", case.config(), simulate.ReferenceOptions(subarray_only=True, stage1_only=True)
    )
    for key, value in world.environment.items():
        monkeypatch.setenv(key, value)
    rate = Detector1Pipeline.call(str(world.uncal[0]))
    assert rate.meta.rscd.keep_groups_saturation_int2p > 20
    assert rate.meta.rscd.keep_bright_firstgroup_int2p > 0
    assert rate.meta.rscd.ngroups_skip_int2p == 4
