"""Superstripes against jwst 3.0.0: all steps of stage 1, before and after they are put together."""

import shutil

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import compare_folders, finish_peer, job, start_peer
from peer_process import needs_peer

import webbcal.pipeline
from webbcal import datamodels, simulate
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.superbias import SuperBiasStep

SKY = simulate.Sky(stars=200.0, bright=12.0, star_slope=0.02, background=2.0)
NIRCAM = simulate.ExposureConfig(
    detector="NRCA2", readpatt="RAPID", ngroups=3, nints=4, filter="F150W", cosmic_rays=20.0, sky=SKY
)
SOSS = simulate.ExposureConfig(
    detector="NIS", subarray="SUBSTRIP256", filter="F380M", readpatt="NISRAPID", ngroups=3, nints=6,
    cosmic_rays=20.0, soss=simulate.Soss(),
)  # fmt: skip
#: Lines after the reference pixels; as many lines as steps; the same lines twice in a frame.
NIRCAM_READOUTS = [
    simulate.StripeReadout("FULL_SUPSTP120", 4, 900, 40, 0, 1, False, False, superstripes=2, step=40),
    simulate.StripeReadout("SUB64P_SUPSTP008", 1, 30, 0, 0, 1, False, False, superstripes=4, step=30),
    simulate.StripeReadout("SUB64P_SUPSTP002", 1, 500, 20, 0, 2, True, False, superstripes=2, step=20),
]
#: A part of the lines that the subarray has when it is put together.
SOSS_READOUTS = [
    simulate.StripeReadout("SUB204STRIPE_SOSS", 4, 100, 200, 0, 1, False, False, superstripes=3, step=200)
]
#: What comes out of the fit: there, docs/parity.md names how a ramp of NaN differs.
FITTED = ("_rate.", "_rateints.", "ramp_fit.", "gain_scale")


@needs_peer
@pytest.mark.parametrize(
    ("config", "readouts"), [(NIRCAM, NIRCAM_READOUTS), (SOSS, SOSS_READOUTS)], ids=["nircam", "soss"]
)
def test_every_step_equals_the_official_pipeline(config, readouts, tmp_path, monkeypatch):
    universe = simulate.universe(tmp_path / "frame", config)
    for key, value in universe.environment.items():
        monkeypatch.setenv(key, value)
    jobs, folders = [], []
    for number, readout in enumerate(readouts):
        with datamodels.open(universe.uncal[0]) as full:
            striped = simulate.read_stripes(full, readout)
        path = tmp_path / f"jw01234001001_02101_0000{number}_uncal.fits"
        striped.save(path)
        # jwst cuts no darks, and the simulated ones are of the full frame
        run = {"dark_current": {"skip": True}}
        folders.append((tmp_path / f"ours_{number}", tmp_path / f"theirs_{number}"))
        jobs.append([job(path, folder, run) for folder in folders[-1]])
    if config is NIRCAM:
        folders.append((tmp_path / "ours_dark", tmp_path / "theirs_dark"))
        words = {"class": "DarkPipeline", "parameters": {"save_results": True}}
        jobs.append([job(path, folder, {}) | words for folder in folders[-1]])
    peer = start_peer([theirs for _, theirs in jobs], universe.environment)
    for ours, _ in jobs:
        pipeline = getattr(webbcal.pipeline, ours["class"])
        pipeline.call(ours["input"], output_dir=ours["output_dir"], **ours["parameters"])
    answers = finish_peer(peer)
    if config is NIRCAM:
        _steps_alone_give_the_same(folders[0][0], tmp_path, universe.environment)
    for answer, pair in zip(answers, folders, strict=True):
        assert "error" not in answer, answer
        if config is SOSS:
            _compare_what_was_read(*pair)
        assert compare_folders(*pair) == []


def _steps_alone_give_the_same(ours, tmp_path, environment):
    """Take what the pipeline has saved on its way through its next steps, each alone."""
    alone, theirs = tmp_path / "alone", tmp_path / "alone_theirs"
    alone.mkdir()
    theirs.mkdir()
    (flagged,), (levelled,) = (list(ours.glob(f"*_{kind}.fits")) for kind in ("saturation", "superbias"))
    SuperBiasStep.call(flagged, output_dir=str(alone), save_results=True, suffix="superbias")
    RefPixStep.call(levelled, output_dir=str(alone), save_results=True, suffix="refpix")
    made = [
        {
            "class": f"{name}Step", "input": str(given), "output_dir": str(theirs),
            "parameters": {"save_results": True, "suffix": name.lower()},
        }
        for name, given in (("SuperBias", flagged), ("RefPix", levelled))
    ]  # fmt: skip
    assert not [answer for answer in finish_peer(start_peer(made, environment)) if "error" in answer]
    for path in alone.iterdir():
        with (
            fits.open(path) as one,
            fits.open(ours / path.name) as whole,
            fits.open(theirs / path.name) as their,
        ):
            for name in ("SCI", "PIXELDQ", "GROUPDQ"):
                np.testing.assert_array_equal(one[name].data, whole[name].data, err_msg=f"{path.name} {name}")
                np.testing.assert_array_equal(one[name].data, their[name].data, err_msg=f"{path.name} {name}")
    assert len(list(alone.iterdir())) == 2


def _compare_what_was_read(ours, theirs):
    """Compare what comes out of the fit where lines were read, and take it out of the folders."""
    read = np.isfinite(fits.getdata(next(ours.glob("*_refpix.fits")), "SCI")[0, 0])
    assert read.sum() == 600 * 256
    fitted = [path for path in ours.iterdir() if any(part in path.name for part in FITTED)]
    assert len(fitted) == 6
    for path in fitted:
        with fits.open(path) as our, fits.open(theirs / path.name) as their:
            for name in ("SCI", "ERR", "DQ", "VAR_POISSON", "VAR_RNOISE"):
                pair = [hdus[name].data[..., read] for hdus in (our, their)]
                tolerance = 0 if name == "DQ" else 1e-5
                what = f"{path.name} {name}"
                np.testing.assert_allclose(*pair, rtol=tolerance, atol=tolerance, err_msg=what)
            assert np.isnan(our["SCI"].data[..., ~read]).all()
            assert (our["DQ"].data[..., ~read] & 1).all(), "a value that was never read is not flagged"
        for folder in (ours, theirs):
            shutil.move(folder / path.name, folder.parent / f"{folder.name}_{path.name}")
