"""calwebb_dark, and flags that a user supplies, against jwst 3.0.0 on a simulated exposure."""

import numpy as np
from astropy.io import fits
from detector1_runs import compare_folders, finish_peer, job, start_peer
from peer_process import needs_peer

from webbcal import simulate
from webbcal.pipeline import DarkPipeline, Detector1Pipeline

CLASSES = {"DarkPipeline": DarkPipeline, "Detector1Pipeline": Detector1Pipeline}


@needs_peer
def test_dark_pipeline_and_supplied_flags(tmp_path, monkeypatch):
    config = simulate.ExposureConfig(
        detector="NRCA1", subarray="SUB160", readpatt="BRIGHT2", filter="F200W", ngroups=3, zeroframe=True
    )
    world = simulate.universe(
        tmp_path / "sim", config, simulate.ReferenceOptions(subarray_only=True, stage1_only=True)
    )
    for key, value in world.environment.items():
        monkeypatch.setenv(key, value)
    flags = np.zeros((160, 160), np.int32)
    flags[20:40, 30:60], flags[100, 7], flags[3, 150] = 1, 1024, 2**30
    fits.writeto(tmp_path / "flags.fits", flags)
    supplied = {"dq_init": {"user_supplied_dq": str(tmp_path / "flags.fits")}}
    runs = [("DarkPipeline", {}), ("Detector1Pipeline", supplied)]

    def words(folder, name, run):
        one = job(world.uncal[0], folder, run) | {"class": name}
        own = CLASSES[name].step_defs
        one["parameters"]["steps"] = {k: v for k, v in one["parameters"]["steps"].items() if k in own}
        if name == "DarkPipeline":
            del one["parameters"]["save_calibrated_ramp"]
        return one

    theirs = [words(tmp_path / f"theirs{n}", *run) for n, run in enumerate(runs)]
    peer = start_peer(theirs, world.environment)
    for n, (name, run) in enumerate(runs):
        one = words(tmp_path / f"ours{n}", name, run)
        CLASSES[name].call(one["input"], output_dir=one["output_dir"], **one["parameters"])
    names = {path.name.rpartition("_")[2] for path in (tmp_path / "ours0").iterdir()}
    flagged = fits.getdata(next((tmp_path / "ours1").glob("*_rate.fits")), "DQ")
    assert "darkpipeline.fits" in names
    assert "rate.fits" not in names
    assert (flagged[flags > 0] & flags[flags > 0] == flags[flags > 0]).all()
    answers = finish_peer(peer)
    for n, answer in enumerate(answers):
        assert "error" not in answer, answer
        assert compare_folders(tmp_path / f"ours{n}", tmp_path / f"theirs{n}") == []
