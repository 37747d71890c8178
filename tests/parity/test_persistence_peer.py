"""Flags of persistence against jwst 3.0.0: in the pipeline, and from exposure to exposure by their file.

Each package goes on from the file that the other has left.
"""

from dataclasses import replace

import asdf
import numpy as np
from astropy.io import fits
from detector1_runs import compare_folders, finish_peer, job, start_peer
from peer_process import needs_peer

from webbcal import simulate
from webbcal.pipeline.detector1 import Detector1Pipeline

PERSISTENCE, DO_NOT_USE = 32, 1

FIRST = simulate.ExposureConfig(
    detector="NRCBLONG", subarray="SUB160", readpatt="RAPID", ngroups=6, nints=3, cosmic_rays=200.0,
    traps=True, sky=simulate.Sky(stars=2000.0, bright=9.0, star_slope=0.02, background=2.0),
)  # fmt: skip
#: Begins a few seconds after the first has ended, with other noise and other particles.
SECOND = replace(FIRST, exposure=2, seed=2, start_mjd=60000.0 + 6.0 / 86400.0)
SHORT = {"persistence_time": 1, "persistence_dnu": True}
BY_SIGNAL = {"persistence_time": 3, "dn_threshold": 20000.0}
LONG = {"persistence_time": 60}


def words(world, exposure, folder, **parameters):
    """Return how to run an exposure with flagging of persistence."""
    made = job(world.uncal[exposure], folder, {})
    made["parameters"] = {
        "save_results": True,
        "steps": {"persistence": {"skip": False, "save_results": True, **parameters}},
    }
    return made


def run_both(world, exposure, folders, ours, theirs):
    """Run sets of parameters by both packages."""
    jobs = [words(world, exposure, f[1], **p) for f, p in zip(folders, theirs, strict=True)]
    peer = start_peer(jobs, world.environment)
    for (folder, _), parameters in zip(folders, ours, strict=True):
        made = words(world, exposure, folder, **parameters)
        Detector1Pipeline.call(made["input"], output_dir=made["output_dir"], **made["parameters"])
    for answer in finish_peer(peer):
        assert "error" not in answer, answer


@needs_peer
def test_flags_and_windows_equal_those_of_the_official_pipeline(tmp_path, monkeypatch):
    options = simulate.ReferenceOptions(subarray_only=True, stage1_only=True)
    world = simulate.universe(tmp_path / "sim", [FIRST, SECOND], options)
    for key, value in world.environment.items():
        monkeypatch.setenv(key, value)
    ours, theirs = (tmp_path / who for who in ("ours", "theirs"))
    files = {who: f"{who}-first.asdf" for who in (ours, theirs)}
    sets = [SHORT, BY_SIGNAL, {}, LONG]  # without a time the step fails, and the run goes on
    folders = [(tmp_path / f"ours{n}", tmp_path / f"theirs{n}") for n in range(5)]
    for who in (ours, theirs):
        asdf.AsdfFile({"NRCB1": {"pers_time": 7}}).write_to(files[who])
    run_both(
        world, 0, folders[:4],
        *([*sets[:3], {**LONG, "save_persistence": files[who]}] for who in (ours, theirs)),
    )  # fmt: skip
    check_flags(folders)
    problems = [p for n in range(4) for p in compare_folders(*folders[n])]
    check_windows(files[ours], files[theirs])
    run_both(
        world, 1, folders[4:],
        [{**LONG, "persistence_array_file": files[theirs], "save_persistence": str(ours)}],
        [{**LONG, "persistence_array_file": files[ours], "save_persistence": str(theirs)}],
    )  # fmt: skip
    flags = fits.getdata(next(folders[4][0].glob("*_persistence.fits")), "GROUPDQ")
    assert (flags[0, 0] & PERSISTENCE).any(), "nothing is left of the exposure before"
    problems += compare_folders(*folders[4])
    check_windows(f"{ours}.asdf", f"{theirs}.asdf", others=False)
    assert not problems, "\n".join(problems)


def check_flags(folders):
    """Make sure that each set of parameters flags something of its own."""
    flags = [
        fits.getdata(next(folders[n][0].glob("*_persistence.fits")), "GROUPDQ") & (PERSISTENCE | DO_NOT_USE)
        for n in (0, 1, 3)
    ]
    assert (flags[0] & DO_NOT_USE).sum() > (flags[1] & DO_NOT_USE).sum()
    share = [(f & PERSISTENCE != 0).mean() for f in flags]
    assert 0 < share[0] < share[1] and share[2] > share[0]


def check_windows(ours, theirs, others=True):
    """Compare the files of windows."""
    with asdf.open(ours) as mine, asdf.open(theirs) as yours:
        if others:  # entries of other detectors stay
            assert mine["NRCB1"] == yours["NRCB1"] == {"pers_time": 7}
        mine, yours = mine["NRCBLONG"], yours["NRCBLONG"]
        assert mine["filename"] == yours["filename"] and mine["pers_time"] == yours["pers_time"]
        assert len(yours["vals"]) > 10
        for name in ("rows", "cols", "vals"):
            np.testing.assert_array_equal(mine[name], yours[name])
