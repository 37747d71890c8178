"""A step that changes the frame, and one that looks at an integration before its first block."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.run.block_step import BlockStep
from webbcal.run.engine import block_plan, tiling
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.pipeline import Pipeline


class DoubleStep(BlockStep):
    """Double all samples; on some rows."""

    class_alias = "double"

    def apply(self, block: Any, references: Any, p: Any, state: Any) -> Any:
        block.data *= 2
        return block


class HalfFrameStep(BlockStep):
    """Subtract the mean of an integration, and keep the lower half of the frame."""

    class_alias = "half_frame"
    tiling = Tiling.FRAMES
    looks = True

    def exposure_after(self, exposure: Exposure, p: Any) -> Exposure:
        return exposure.with_frame(exposure.shape[-2] // 2, exposure.shape[-1])

    def look(self, ints: range, references: Any, p: Any, state: Any, survey: Any) -> float:
        assert len(ints) == 1 and len(survey.groups) == 5
        bands = survey.map(lambda box: survey.block(box, ints).data, list(survey.frame.bands(7)))
        return float(np.mean(np.concatenate(bands, axis=-2), dtype=np.float64))

    def apply(self, block: Any, references: Any, p: Any, state: float) -> Any:
        half = block.box.shape[0] // 2
        frame = Box(0, half, 0, block.box.shape[1])
        data, groupdq = (np.ascontiguousarray(a[..., :half, :]) for a in (block.data, block.groupdq))
        pixeldq = block.pixeldq[:half].copy()
        changed = {"box": frame, "interior": frame, "data": data - np.float32(state), "groupdq": groupdq}
        return replace(block, pixeldq=pixeldq, **changed)


class HalvesPipeline(Pipeline):
    """Both, with doubling before and after."""

    step_defs = {"double": DoubleStep, "half_frame": HalfFrameStep, "again": DoubleStep}
    product_suffixes = {"ramp": "ramp"}


@pytest.fixture
def ramp() -> Any:
    rng = np.random.default_rng(2)
    model = datamodels.RampModel(data=rng.normal(100, 9, (3, 5, 24, 10)).astype(np.float32))
    model.groupdq = rng.integers(0, 4, model.data.shape).astype(np.uint8)
    model.pixeldq = rng.integers(0, 4, (24, 10)).astype(np.uint32)
    model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", "NRCA1"
    model.meta.exposure.type, model.meta.filename = "NRC_IMAGE", "jw_nrca1_uncal.fits"
    sub, times = model.meta.subarray, model.meta.exposure
    sub.xstart, sub.ystart, sub.xsize, sub.ysize, sub.fastaxis, sub.slowaxis = 11, 21, 10, 24, -1, 2
    times.nframes, times.groupgap, times.ngroups, times.frame_time, times.group_time = 1, 0, 5, 1.0, 1.0
    return model


@pytest.mark.parametrize("kept", [0, 1 << 30], ids=["scratch", "memory"])
@pytest.mark.parametrize("saved", [False, True])
def test_later_steps_and_products_have_the_new_frame(
    ramp: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, kept: int, saved: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(block_plan.BlockPlan, "kept_bytes", property(lambda self: kept))
    monkeypatch.setattr(tiling, "FRAMES_BYTES", 2 * 24 * 10 * 4)  # two groups at a time
    doubled = 2 * ramp.data
    half = doubled[..., :12, :] - doubled.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    pipeline = HalvesPipeline(save_results=saved)
    pipeline.half_frame.save_results = pipeline.double.save_results = saved
    result = pipeline.run(ramp)
    assert result.data.shape == (3, 5, 12, 10)
    np.testing.assert_allclose(result.data, 2 * half, atol=1e-3)
    np.testing.assert_array_equal(result.groupdq, ramp.groupdq[..., :12, :])
    np.testing.assert_array_equal(result.pixeldq, ramp.pixeldq[:12])
    if saved:
        with datamodels.open("jw_nrca1_half_frame.fits") as between:
            np.testing.assert_allclose(between.data, half, atol=1e-3)
        with datamodels.open("jw_nrca1_double.fits") as before:
            np.testing.assert_array_equal(before.data, doubled)
