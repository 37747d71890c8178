"""clean_flicker_noise within stage 1 against jwst 3.0.0: parameters, and what is saved beside the ramps."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from detector1_runs import FLOOR, finish_peer, is_known, start_peer
from peer_process import needs_peer
from products import compare

from webbcal import datamodels, simulate
from webbcal.detector.clean_flicker_noise import CleanFlickerNoiseStep
from webbcal.pipeline.detector1 import Detector1Pipeline

ALL = {"save_mask": True, "save_background": True, "save_noise": True}
#: Differences in extra products that docs/parity.md names.
#: References that jwst looks for elsewhere: its steps within the step do not record them.
LOOKED_FOR = ("PRIMARY: R_BKG is 'N/A' instead of '(none)'", "PRIMARY: R_FLAT is 'crds://")
EXTRA_KNOWN = ("PRIMARY: S_", "PRIMARY: R_", "HDUs ", "SCI: BUNIT is 'DN' instead of 'DN/s'")

NIRCAM = [
    {**ALL},
    {"fit_histogram": True, "single_mask": False, "n_sigma": 1.5, **ALL},
    {"apply_flat_field": True, "background_method": "model", "background_box_size": [16, 20], **ALL},
    {"user_mask": "masks.fits", "background_method": None, "fit_by_channel": True, **ALL},
    {"user_mask": "small.fits"},
    {"fit_method": "fft"},
]


def run_both(tmp_path, monkeypatch, config, runs, prepare=lambda uncal, world: None, options=None):
    """Run both pipelines with several parameters of the step; return what differs."""
    options = options or simulate.ReferenceOptions(subarray_only=True)
    world = simulate.universe(tmp_path / "sim", config, options)
    for key, value in world.environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    prepare(world.uncal[0], world)
    jobs = {"ours": [], "theirs": []}
    for whose, list_of_jobs in jobs.items():
        for n, run in enumerate(runs):
            folder = tmp_path / f"{whose}{n}"
            folder.mkdir()
            steps = {"clean_flicker_noise": {"skip": False, "save_results": True, **run}}
            parameters = {"save_results": True, "steps": steps}
            list_of_jobs.append(
                {"class": "Detector1Pipeline", "input": str(world.uncal[0]), "output_dir": str(folder),
                 "parameters": parameters}
            )  # fmt: skip
    peer = start_peer(jobs["theirs"], world.environment)
    for words in jobs["ours"]:
        Detector1Pipeline.call(words["input"], output_dir=words["output_dir"], **words["parameters"])
    answers = finish_peer(peer)
    problems = []
    for n, (run, answer) in enumerate(zip(runs, answers, strict=True)):
        assert "error" not in answer, answer
        problems += [f"{run}: {p}" for p in differences(tmp_path / f"ours{n}", tmp_path / f"theirs{n}")]
    return problems


def differences(ours, theirs):
    """Return what differs between two folders."""
    names = [{p.name for p in Path(folder).iterdir()} for folder in (ours, theirs)]
    problems = [f"{n} is made by only one" for n in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        found = compare(ours / name, theirs / name, floor=FLOOR)
        extra = any(kind in name for kind in ("_mask", "_flicker_"))
        for problem in found.problems:
            if (
                not is_known(name, problem)
                and not problem.startswith(LOOKED_FOR)
                and not (extra and problem.startswith(EXTRA_KNOWN))
            ):
                problems.append(f"{name}: {problem}")
        worst = {k: v for k, v in found.worst.items() if v[0] > 0.1}
        if worst:
            problems.append(f"{name}: not tight: {worst}")
    return problems


def _masks(uncal, world):
    """Write masks of the user's: of one image, of all integrations, and one that does not fit."""
    nints, _, ny, nx = fits.getdata(uncal, 1).shape
    rng = np.random.default_rng(5)
    masks = rng.random((nints, ny, nx)) < 0.6
    for name, mask in (("mask", masks[0]), ("masks", masks), ("small", masks[0, :20])):
        hdu = fits.ImageHDU(mask.astype(np.float32), name="SCI")
        primary = fits.PrimaryHDU()
        primary.header["DATAMODL"] = "ImageModel" if mask.ndim == 2 else "CubeModel"
        fits.HDUList([primary, hdu]).writeto(f"{name}.fits")


@needs_peer
def test_a_subarray_of_nircam(tmp_path, monkeypatch):
    sky = simulate.Sky(stars=2000.0, bright=14.0, star_slope=0.05, background=2.0)
    config = simulate.ExposureConfig(
        detector="NRCBLONG", subarray="SUB160", readpatt="BRIGHT2", ngroups=5, nints=2, cosmic_rays=100.0,
        sky=sky, electronics=simulate.Electronics(one_over_f=6.0),
    )  # fmt: skip
    problems = run_both(tmp_path, monkeypatch, config, NIRCAM, _masks)
    assert not problems, "\n".join(problems)


@needs_peer
def test_frequencies_in_a_subarray_of_nirspec(tmp_path, monkeypatch):
    config = simulate.ExposureConfig(
        detector="NRS2", subarray="SUB512S", readpatt="NRSRAPIDD1", ngroups=4, nints=2, filter="F290LP",
        cosmic_rays=30.0, electronics=simulate.Electronics(one_over_f=6.0),
    )  # fmt: skip
    runs = [{"fit_method": "fft", **ALL}, {"background_method": "model", "single_mask": False}]
    problems = run_both(tmp_path, monkeypatch, config, runs)
    assert not problems, "\n".join(problems)


@needs_peer
def test_an_image_of_miri(tmp_path, monkeypatch):
    config = simulate.ExposureConfig(
        detector="MIRIMAGE", subarray="SUB64", readpatt="FASTR1", filter="F770W", ngroups=10, nints=2,
        cosmic_rays=30.0,
    )  # fmt: skip
    runs = [{**ALL}, {"mask_science_regions": True, "n_sigma": 3.0, **ALL}]
    problems = run_both(tmp_path, monkeypatch, config, runs)
    assert not problems, "\n".join(problems)


@needs_peer
def test_a_series_of_images(tmp_path, monkeypatch):
    """The image that all integrations share is scaled by photometry of the star; on ramps, then on rates."""
    sky = simulate.Sky(stars=3000.0, bright=13.0, star_slope=0.05, background=2.0)
    config = simulate.ExposureConfig(
        detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="RAPID", ngroups=4, nints=6,
        cosmic_rays=10.0, sky=sky, electronics=simulate.Electronics(one_over_f=6.0),
    )  # fmt: skip

    def as_series(uncal, world):
        fits.setval(uncal, "EXP_TYPE", value="NRC_TSIMAGE")
        fits.setval(uncal, "TSOVISIT", value=True)

    words = {"background_method": "median_image", "save_background": True}
    problems = run_both(tmp_path, monkeypatch, config, [words], as_series)
    (rates,) = (tmp_path / "theirs0").glob("*_rateints.fits")
    folders = [tmp_path / "rates_ours", tmp_path / "rates_theirs"]
    for folder in folders:
        folder.mkdir()
    words = {"skip": False, "save_results": True, **words}
    job = {"class": "CleanFlickerNoiseStep", "input": str(rates), "output_dir": str(folders[1])}
    CleanFlickerNoiseStep.call(rates, output_dir=str(folders[0]), **words)
    (answer,) = finish_peer(start_peer([{**job, "parameters": words}], {}))
    assert "error" not in answer, answer
    found = compare(*(next(folder.glob("*step.fits")) for folder in folders), floor=FLOOR)
    assert not found.problems
    # The scale is a sum in single precision: 1.3e-6 apart, more than what `differences` calls tight.
    loose = [problem for problem in problems if "not tight" not in problem]
    assert not loose, "\n".join(loose)


def _with_sky(uncal, world):
    """Give a SOSS exposure a sky with a step, and CRDS the templates of it."""
    y, x = np.indices((256, 2048))
    step = np.where(x >= 700 + y / 64, 1.6, 1.0) * (1 + 0.2 * np.sin(x / 400) + y / 2000)
    with fits.open(uncal, mode="update") as hdus:
        groups = np.arange(1, hdus["SCI"].data.shape[1] + 1)[:, None, None]
        hdus["SCI"].data[:] += np.round(groups * 40 * step).astype(np.uint16)
    cache = simulate.CrdsCache(Path(world.environment["CRDS_PATH"]))
    match = {"META.INSTRUMENT.DETECTOR": "NIS"}
    path = cache.path_for("NIRISS", "bkg", match)
    model = datamodels.SossBkgModel(data=np.array([step[:, ::-1], step]).astype(np.float32))
    model.meta.instrument.name, model.meta.instrument.detector = "NIRISS", "NIS"
    model.meta.exposure.type, model.meta.reftype = "NIS_SOSS", "bkg"
    model.meta.useafter, model.meta.author = "2020-01-01T00:00:00", "a test"
    model.meta.description, model.meta.pedigree = "sky of a test", "DUMMY"
    model.save(path)
    cache.add(path, "NIRISS", "bkg", match)


@needs_peer
def test_a_series_of_soss_before_its_sky(tmp_path, monkeypatch):
    """What all integrations share is scaled by the star's light: the sky does not take part."""
    config = simulate.ExposureConfig(
        detector="NIS", subarray="SUBSTRIP256", filter="F380M", readpatt="NISRAPID", ngroups=3, nints=3,
        cosmic_rays=20.0, soss=simulate.Soss(),
    )  # fmt: skip
    words = {"background_method": "median_image"}
    problems = run_both(tmp_path, monkeypatch, config, [words], _with_sky)
    # jwst does not record the sky; in the flicker_bkg of pixels without a rate it has a smoothed one.
    problems = [p for p in problems if "R_BKG is 'crds://jwst_niriss_bkg" not in p]
    assert not problems, "\n".join(problems)
    (rate,) = (tmp_path / "ours0").glob("*_rate.fits")
    assert fits.getval(rate, "S_CLNFNS") == "COMPLETE"
