"""Stage 1 of MIRI against the truth: interference, reset anomaly, RSCD and the last frame leave no trace."""

import os
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from stage1 import QUIET, Run, lamp, pulls

from webbcal import simulate
from webbcal.detector.dq_init import DQInitStep
from webbcal.detector.emicorr import EmiCorrStep
from webbcal.pipeline.detector1 import Detector1Pipeline

#: Noise of the difference of two exposures that are each rounded to whole DN.
ROUNDING = np.sqrt(2.0 / 12.0)


class Exposure:
    """A lamp on a coronagraph's subarray, where interference is not the same in all frames."""

    def __init__(self, folder):
        self.config = simulate.ExposureConfig(
            detector="MIRIMAGE", subarray="MASKLYOT", filter="F770W", readpatt="FASTR1", ngroups=16, nints=2,
            electronics=QUIET, cosmic_rays=False,
        )  # fmt: skip
        seconds = self.config.ngroups * self.config.readout.tframe
        self.light = lamp(self.config, 3.0, 0.85 * 160_000 / seconds)
        cache = simulate.CrdsCache(folder / "crds")
        options = simulate.ReferenceOptions(subarray_only=True, grouped_dark=True)
        simulate.write_references(cache, [self.config], options)
        self.environment = cache.environment
        self.made = simulate.expose(self.config, self.light)
        self.uncal, _ = self.made.save(folder, with_truth=False)

    def calibrated(self, **steps):
        """Return the exposure's rate, with the truth."""
        steps = {"emicorr": {"skip": False}} | steps
        rate = Detector1Pipeline.call(str(self.uncal), steps=steps)
        return Run(self.config, self.made.truth, rate, None)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return Exposure(tmp_path_factory.mktemp("miri"))


@pytest.fixture
def exposure(world):
    with mock.patch.dict(os.environ, world.environment):
        yield world


def test_slopes_are_unbiased(exposure):
    measured = pulls(exposure.calibrated(), 8)
    assert np.all(measured.count > 10_000)
    np.testing.assert_allclose(measured.mean, 0.0, atol=0.025)
    np.testing.assert_allclose(measured.width, 1.0, atol=0.09)


@pytest.mark.parametrize(("step", "bias"), [("reset", 2.0), ("rscd", 1.0), ("lastframe", 0.5)])
def test_each_effect_is_there_and_its_step_removes_it(exposure, step, bias):
    """Without the step the slopes are off by this much; the test above says that with it they are not."""
    without = pulls(exposure.calibrated(**{step: {"skip": True}}), 8)
    assert np.abs(without.mean).max() > bias


@pytest.mark.parametrize(
    ("parameters", "factor"),
    [
        ({}, 30),
        ({"fit_ints_separately": True}, 30),
        ({"algorithm": "sequential"}, 30),
        ({"onthefly_corr_freq": [390.625, 218.52047]}, 12),
    ],
    ids=["joint", "separately", "sequential", "on the fly"],
)
def test_interference_is_reduced_by_a_factor(exposure, parameters, factor):
    config = replace(exposure.config, electronics=replace(QUIET, interference=0.0))
    undisturbed = simulate.expose(config, exposure.light).model.data.astype(float)
    before = DQInitStep.call(str(exposure.uncal))
    after = EmiCorrStep.call(before, skip=False, **parameters)
    there = np.std(before.data - undisturbed)
    left = np.sqrt(max(np.var(after.data - undisturbed) - ROUNDING**2, 1e-4))
    assert there > 5.0 and there / left > factor
