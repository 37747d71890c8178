"""The tour of a time series through stage 1 (a notebook on WASP-43 b with NIRISS SOSS), cell by cell.

It works on the second segment of an exposure, step by step; its plots are arrays here, with what they show.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels, simulate
from webbcal.detector.dark_current import DarkCurrentStep
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.gain_scale import GainScaleStep
from webbcal.detector.jump import JumpStep
from webbcal.detector.linearity import LinearityStep
from webbcal.detector.ramp_fit import RampFitStep
from webbcal.detector.refpix import RefPixStep
from webbcal.detector.saturation import SaturationStep
from webbcal.detector.superbias import SuperBiasStep
from webbcal.pipeline.detector1 import Detector1Pipeline

UNCAL = "WASP43_NIS_SOSS-seg002_CLEAR_uncal.fits"
OUTPUT = "pipeline_outputs_directory"


@pytest.fixture(scope="module")
def wasp43(tmp_path_factory: pytest.TempPathFactory) -> simulate.Universe:
    """Two segments of two integrations of six groups."""
    config = simulate.ExposureConfig(
        detector="NIS", subarray="SUBSTRIP96", filter="F277W", readpatt="NISRAPID", ngroups=6, nints=4,
        soss=simulate.Soss(peak=6500.0), cosmic_rays=10.0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("wasp43")
    return simulate.universe(folder, simulate.segmented(config, 2))


@pytest.fixture
def uncal_data(wasp43: simulate.Universe, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The second segment, opened as the notebook does."""
    for name, value in wasp43.environment.items():
        monkeypatch.setenv(name, value)
    Path(UNCAL).symlink_to(wasp43.uncal[1])
    Path(OUTPUT).mkdir()
    return datamodels.open(UNCAL)


def test_the_tour(uncal_data: Any, wasp43: simulate.Universe) -> None:
    uncal_data.meta.dither.dither_points = int(uncal_data.meta.dither.dither_points or 1)
    words = {"output_dir": OUTPUT, "save_results": True}

    dq_results = DQInitStep.call(uncal_data, **words)
    dq_pixels = dq_results.pixeldq
    special = np.where((dq_pixels != 0) & (dq_pixels != 2147483648))
    shown = np.zeros(dq_results.data[0, 0, :, :].shape)
    shown[special] = 1.0
    assert 0.001 < shown.mean() < 0.05

    saturation_results = SaturationStep.call(dq_results, **words)
    groups = saturation_results.groupdq
    first, last = (groups[0, k, :, :] == 2 for k in (0, -1))
    assert last[first].all() and first.sum() < last.sum()
    name = saturation_results.meta.ref_file.saturation.name
    base = f"{wasp43.environment['CRDS_PATH']}/references/jwst/niriss/"
    assert fits.open(base + name[7:])[1].data.shape == (2048, 2048)
    marked = saturation_results.copy()
    marked.groupdq[0, 2:, 45, 123] = 2

    superbias_file = next(Path(base).glob("*superbias*"))
    superbias_results = SuperBiasStep.call(marked, override_superbias=str(superbias_file), **words)
    before, after = (m.data[0, -1, :, 1500] for m in (saturation_results, superbias_results))
    assert np.nanmedian(before) > 5000 > abs(np.nanmedian(after))

    refpix_results = RefPixStep.call(superbias_results, **words)
    assert not np.array_equal(refpix_results.data[0, -1, :, 1500], after)

    samples = refpix_results.data[0, :, 45, 1500]
    line = np.polyval(np.polyfit(np.arange(6) + 1, samples, 1), np.arange(6) + 1)
    assert np.abs(samples - line).max() < 0.1 * np.ptp(samples)

    linearity_file = next(Path(base).glob("*linearity*"))
    linearity_results = LinearityStep.call(refpix_results, override_linearity=str(linearity_file), **words)
    assert (linearity_results.groupdq[0, 2:, 45, 123] & 2).all()
    ratios = []
    for model in (refpix_results, linearity_results):
        last_pair = model.data[:, 5, :, :] - model.data[:, 4, :, :]
        first_pair = model.data[:, 1, :, :] - model.data[:, 0, :, :]
        fluence = model.data[:, 5, :, :].flatten()
        good = (fluence > 12000) & (fluence < 20000) & ~(model.groupdq.any(axis=1).flatten())
        ratios.append(np.median((last_pair / first_pair).flatten()[good]))
    assert ratios[0] < 0.985 and abs(ratios[1] - 1) < 0.004
    root = UNCAL.removesuffix("_uncal.fits")
    for step in ("dqinitstep", "saturationstep", "superbiasstep", "refpixstep", "linearitystep"):
        assert f"{root}_{step}.fits" in os.listdir(OUTPUT)  # noqa: PTH208


def test_one_at_a_time_is_as_the_pipeline(uncal_data: Any) -> None:
    model = uncal_data
    steps = (
        DQInitStep, SaturationStep, SuperBiasStep, RefPixStep, LinearityStep, DarkCurrentStep, JumpStep,
    )  # fmt: skip
    for step in steps:
        model = step.call(model)
    rate, rateints = (GainScaleStep.call(m) for m in RampFitStep.call(model))
    Detector1Pipeline.call(UNCAL, output_dir=OUTPUT, save_results=True)
    root = f"{OUTPUT}/{UNCAL.removesuffix('_uncal.fits')}"
    for made, kind in ((rate, "rate"), (rateints, "rateints")):
        with datamodels.open(f"{root}_{kind}.fits") as whole:
            for name in ("data", "err", "dq", "var_poisson", "var_rnoise"):
                np.testing.assert_array_equal(getattr(made, name), getattr(whole, name), err_msg=name)
            assert whole.meta.exposure.integration_start == 3
    assert list(rateints.int_times["integration_number"]) == [3, 4]
