"""1/f noise against the truth: how much of it is left, and what its removal takes from sources.

An extended source fills rows with light that no single pixel shows; a star with a transit must keep its
depth.
"""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from webbcal import datamodels, simulate
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.simulate.optics import Galaxy, add_galaxy
from webbcal.simulate.soss import SUBARRAYS, trace

NO_SKY = simulate.Sky(stars=0.0, galaxies=0.0, background=0.3)
SEEDS = (1, 2, 3)
#: Rings around the galaxy, pixels.
RINGS = ((0, 20), (20, 50), (50, 80))
WAYS = {
    "left": {"skip": True},
    "median": {"skip": False},
    "model": {"skip": False, "background_method": "model"},
    "faint": {"skip": False, "mask_faint_light": True},
}
SERIES = {
    "left": {"skip": True},
    "differences": {"skip": False, "mask_science_regions": True},
    "median_image": {"skip": False, "mask_science_regions": True, "background_method": "median_image"},
    "scaled_mean": {
        "skip": False, "mask_science_regions": True, "background_method": "scaled_mean",
        "baseline_ints": [4, 4],
    },
}  # fmt: skip


def galaxy_measures(folder):
    """Return for each way the flux error in rings (%), and the noise of rows outside, over all seeds."""
    config = simulate.ExposureConfig(
        detector="NRCBLONG", subarray="SUB320", readpatt="BRIGHT2", ngroups=6, cosmic_rays=False,
        electronics=simulate.Electronics(one_over_f=5.0), sky=NO_SKY,
    )  # fmt: skip
    light = np.full(config.aperture.shape, 1.0)
    add_galaxy(light, Galaxy(160.0, 150.0, 6e4, 35.0, 0.7, 0.5, 1.0), 1.0)
    y, x = np.indices(light.shape)
    distance = np.hypot(x - 160, y - 150)
    cache = simulate.CrdsCache(folder / "crds")
    options = simulate.ReferenceOptions(subarray_only=True, grouped_dark=True)
    simulate.write_references(cache, [config], options)
    found = {name: [] for name in WAYS}
    for seed in SEEDS:
        made = simulate.expose(replace(config, seed=seed), light.astype(np.float32))
        uncal, _ = made.save(folder, with_truth=False)
        for name, words in WAYS.items():
            with mock.patch.dict("os.environ", cache.environment):
                rate = Detector1Pipeline.call(str(uncal), steps={"clean_flicker_noise": words})
            off = np.where(rate.dq == 0, rate.data - made.truth.rate_dn, np.nan)
            sky = distance > 145
            level = np.nanmedian(off[sky])
            above = made.truth.rate_dn - np.median(made.truth.rate_dn[sky])
            rings = [(distance >= a) & (distance < b) & np.isfinite(off) for a, b in RINGS]
            errors = [100 * np.sum(off[r] - level) / np.sum(above[r]) for r in rings]
            rows = np.nanmedian(np.where(sky, off, np.nan), axis=1)
            found[name].append([*errors, np.nanstd(rows)])
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def test_an_extended_source_keeps_its_light(tmp_path):
    found = galaxy_measures(tmp_path)
    for name, values in found.items():
        print(f"{name:8s} rings {np.round(values[:-1], 2)} %, rows {values[-1]:.3f} DN/s")
    assert found["median"][1] < -5 and found["median"][2] < -15  # what the field's default takes away
    assert np.all(np.abs(found["faint"][:3]) < [1.0, 2.5, 8.0])
    assert found["faint"][-1] < found["median"][-1] < 0.75 * found["left"][-1]
    assert found["faint"][-1] < 0.65 * found["left"][-1]


def series_measures(folder):
    """Return for each way: error of the depth, scatter of the light curve (both ppm of the star)."""
    nints = 12
    config = simulate.ExposureConfig(
        detector="NIS", subarray="SUBSTRIP96", filter="F277W", readpatt="NISRAPID", ngroups=3, nints=nints,
        cosmic_rays=False, electronics=simulate.Electronics(one_over_f=6.0), sky=NO_SKY,
        soss=simulate.Soss(peak=900.0, depth=0.02, duration=0.3, ingress=0.04),
    )  # fmt: skip
    world = simulate.universe(folder, config, simulate.ReferenceOptions(subarray_only=True))
    truth = simulate.Truth.load(world.truth[0])
    expected = truth.rate_dn - truth.curve[:, None, None] * truth.lost
    rows = np.arange(96)[:, None] + SUBARRAYS["SUBSTRIP96"]
    box = np.abs(rows - trace(1, np.arange(2048))) < 14
    found = {}
    for name, words in SERIES.items():
        with mock.patch.dict("os.environ", world.environment):
            Detector1Pipeline.call(
                str(world.uncal[0]), output_dir=str(folder / name), save_results=True,
                steps={"clean_flicker_noise": words},
            )  # fmt: skip
        (path,) = (folder / name).glob("*_rateints.fits")
        with datamodels.open(path) as ints:
            good = box & ((ints.dq & 1) == 0).all(axis=0)
            light, true = (np.sum(np.where(good, a, 0), axis=(1, 2)) for a in (ints.data, expected))
        star = np.column_stack([np.ones(nints), -truth.curve])
        (level, lost), *_ = np.linalg.lstsq(star, light, rcond=None)
        (true_level, true_lost), *_ = np.linalg.lstsq(star, true, rcond=None)
        error = 1e6 * (lost / level - true_lost / true_level)
        found[name] = error, 1e6 * np.std(light - true) / true_level
    return found


@pytest.mark.filterwarnings("ignore")
def test_a_transit_keeps_its_depth_and_loses_its_noise(tmp_path):
    found = series_measures(tmp_path)
    for name, values in found.items():
        print(f"{name:14s} depth off by {values[0]:.0f} ppm, scatter {values[1]:.0f} ppm")
    assert found["scaled_mean"][1] < 0.15 * found["left"][1]
    assert found["scaled_mean"][1] < found["median_image"][1] < found["differences"][1]
    assert abs(found["scaled_mean"][0]) < 200
