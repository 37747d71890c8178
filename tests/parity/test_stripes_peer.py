"""Exposures in stripes (NIRCam DHS) against jwst 3.0.0: all steps of stage 1, references cut to stripes."""

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import compare_folders, finish_peer, job, start_peer
from peer_process import needs_peer

from webbcal import datamodels, simulate
from webbcal.pipeline import Detector1Pipeline

MEANS = {"refpix": {"odd_even_columns": False}}
READOUTS = {
    "interleaved": simulate.StripeReadout(),
    "repeated": simulate.StripeReadout("SUB41STRIPE1_DHS", repeat=True, interleave=False, stripes=2),
    "skipping": simulate.StripeReadout(
        "SUB164STRIPE4_DHS", 4, 900, 40, 60, 4, repeat=False, interleave=False
    ),
}


@pytest.fixture(scope="module", params=["NRCA2"])
def full_frame(request, tmp_path_factory):
    """An exposure of the full frame of a detector that is read from the top."""
    sky = simulate.Sky(stars=200.0, bright=12.0, star_slope=0.02, background=2.0)
    config = simulate.ExposureConfig(
        detector=request.param, readpatt="RAPID", ngroups=3, filter="F150W", cosmic_rays=20.0, sky=sky
    )
    return simulate.universe(tmp_path_factory.mktemp("full"), config)


@needs_peer
def test_every_step_equals_the_official_pipeline(full_frame, tmp_path, monkeypatch):
    for key, value in full_frame.environment.items():
        monkeypatch.setenv(key, value)
    jobs, folders = [], []
    for name, readout in READOUTS.items():
        with datamodels.open(full_frame.uncal[0]) as full:
            striped = simulate.read_stripes(full, readout)
        path = tmp_path / f"jw01234001001_02101_0000{len(jobs)}_nrc_uncal.fits"
        striped.save(path)
        # jwst does not cut darks, and the simulated ones are of the full frame
        run = {"dark_current": {"skip": True}} | (MEANS if name == "repeated" else {})
        folders.append((tmp_path / f"ours_{name}", tmp_path / f"theirs_{name}"))
        jobs.append([job(path, folder, run) for folder in folders[-1]])
    peer = start_peer([theirs for _, theirs in jobs], full_frame.environment)
    for ours, _ in jobs:
        Detector1Pipeline.call(ours["input"], output_dir=ours["output_dir"], **ours["parameters"])
    flags = fits.getdata(next(folders[0][0].glob("*_rate.fits")), "DQ")
    assert np.bitwise_or.reduce(flags, axis=None) & 2**31, "no reference pixels"
    for answer, pair in zip(finish_peer(peer), folders, strict=True):
        assert "error" not in answer, answer
        assert compare_folders(*pair) == []
