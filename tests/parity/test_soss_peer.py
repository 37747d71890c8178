"""NIRISS against jwst 3.0.0: time series of SOSS in both subarrays, traces masked, segments; and images."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from detector1_runs import finish_peer, start_peer
from peer_process import needs_peer
from test_flicker_peer import ALL, differences

from webbcal import simulate
from webbcal.pipeline.detector1 import Detector1Pipeline

SKY = simulate.Sky(stars=3000.0, bright=14.0, star_slope=0.05, background=2.0)
NIS = {"detector": "NIS", "filter": "F380M", "readpatt": "NISRAPID", "sky": SKY}
SOSS = {**NIS, "soss": simulate.Soss()}
#: Sets of parameters of clean_flicker_noise.
PLAIN = {"skip": True}
TRACES = {"skip": False, "mask_science_regions": True, **ALL}
MEDIAN = {"skip": False, "mask_science_regions": True, "background_method": "median_image", **ALL}
IMAGE = {"skip": False, **ALL}

PARTS = simulate.segmented(
    simulate.ExposureConfig(subarray="SUBSTRIP96", ngroups=3, nints=5, exposure=3, **SOSS), 3
)
#: Name -> exposure, and the runs of it.
EXPOSURES = {
    "soss256": (
        simulate.ExposureConfig(subarray="SUBSTRIP256", ngroups=3, nints=2, cosmic_rays=20.0, **SOSS),
        [MEDIAN, TRACES],
    ),
    "soss96": (
        simulate.ExposureConfig(subarray="SUBSTRIP96", ngroups=4, nints=3, exposure=2, **SOSS), [TRACES]
    ),
    "segment1": (PARTS[0], [PLAIN]),
    "segment2": (PARTS[1], [PLAIN]),
    "image": (
        simulate.ExposureConfig(subarray="SUB64", ngroups=4, nints=2, exposure=4, cosmic_rays=100.0, **NIS),
        [IMAGE, {"skip": False, "autoparam": True}],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """All exposures in one universe, run by both; one process of the peer serves all."""
    folder = tmp_path_factory.mktemp("niriss")
    configs = [config for config, _ in EXPOSURES.values()]
    world = simulate.universe(folder / "sim", configs, simulate.ReferenceOptions(subarray_only=True))
    jobs, runs = {"ours": [], "theirs": []}, []
    for (name, (_, several)), uncal in zip(EXPOSURES.items(), world.uncal, strict=True):
        for n, run in enumerate(several):
            folders = {}
            for whose, words in jobs.items():
                folders[whose] = folder / f"{name}_{n}_{whose}"
                folders[whose].mkdir()
                steps = {"clean_flicker_noise": run}
                words.append(
                    {"class": "Detector1Pipeline", "input": str(uncal), "output_dir": str(folders[whose]),
                     "parameters": {"save_results": True, "save_calibrated_ramp": True, "steps": steps}}
                )  # fmt: skip
            runs.append((f"{name}_{n}", folders["ours"], folders["theirs"]))
    peer = start_peer(jobs["theirs"], world.environment)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.environment.items():
            patch.setenv(name, value)
        for words in jobs["ours"]:
            Detector1Pipeline.call(words["input"], output_dir=words["output_dir"], **words["parameters"])
    answers = finish_peer(peer)
    truth = dict(zip(EXPOSURES, world.truth, strict=True))
    return SimpleNamespace(runs=runs, answers=answers, uncal=world.uncal, truth=truth)


@needs_peer
def test_all_products_equal_those_of_the_official_pipeline(series):
    problems = []
    for (name, ours, theirs), answer in zip(series.runs, series.answers, strict=True):
        assert "error" not in answer, answer
        problems += [f"{name}: {p}" for p in differences(ours, theirs)]
    assert not problems, "\n".join(problems)


@needs_peer
@pytest.mark.parametrize("run", ["soss256_1", "soss96_0"])
def test_the_traces_are_where_the_reference_says(series, run):
    folder = next(ours for name, ours, _ in series.runs if name == run)
    mask = fits.getdata(next(folder.glob("*_mask.fits")), "SCI")
    light = fits.getdata(series.truth[run.partition("_")[0]], "RATE")
    assert 0.1 < np.mean(mask == 0) < 0.9
    assert not mask[light > 100].any()


@needs_peer
def test_segments_make_the_series_together(series):
    numbers, times = [], []
    for part in ("segment1", "segment2"):
        folder = next(ours for name, ours, _ in series.runs if name == f"{part}_0")
        with fits.open(next(folder.glob("*_rateints.fits"))) as hdus:
            numbers += list(hdus["INT_TIMES"].data["integration_number"])
            times += list(hdus["INT_TIMES"].data["int_mid_MJD_UTC"])
            assert hdus["SCI"].data.shape[0] == len(hdus["INT_TIMES"].data)
            assert hdus[0].header["EXSEGNUM"] == int(part[-1]) and hdus[0].header["EXSEGTOT"] == 2
    assert numbers == [1, 2, 3, 4, 5]
    assert np.ptp(np.diff(times)) < 1e-9
