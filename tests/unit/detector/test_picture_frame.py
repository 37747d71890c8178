"""The picture frame is scaled to each group, by hand."""

from typing import Any

import numpy as np
import pytest

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.errors import PlanError, SkipStep
from webbcal.detector.picture_frame import Integration, Pattern, PictureFrameStep, regions
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.exposure import Exposure

FRAME = Box(0, 2048, 0, 2048)


def shape_of_a_frame() -> np.ndarray:
    """Return a pattern that is 3 at the edges and 1 in the middle."""
    image = np.full((2048, 2048), 3.0, np.float32)
    image[76:1984, 76:1984] = 1.0
    return image


def test_regions_leave_out_reference_pixels_and_light() -> None:
    background = np.ones((2048, 2048), bool)
    background[1000, 1000] = background[10, 10] = False
    middle, edges = regions(background)
    assert middle.sum() == 1908**2 - 1 and not middle[75, 500] and middle[76, 500]
    assert not edges[3].any() and not edges[:, 2043].any() and not edges[10, 10]
    assert edges[4, 500] and edges[500, 74] and not edges[500, 75] and edges[1985, 500]
    assert not (middle & edges).any()


def test_each_group_loses_its_own_multiple() -> None:
    pattern = Pattern.of(shape_of_a_frame(), np.ones((2048, 2048), bool))
    assert pattern.strength == -2.0
    scales, offsets = np.array([0, 5, -2, 8]), np.array([0, 1, 2, 3])
    start = np.linspace(0, 1, 2048, dtype=np.float32)[:, None] * np.ones(2048, np.float32)
    data = start + scales[:, None, None] * shape_of_a_frame() + offsets[:, None, None]
    walk = Integration(pattern, frozenset({"mask", "correction"}))
    pieces = []
    for groups in (range(2), range(2, 4)):
        part = data[None, groups.start : groups.stop].astype(np.float32)
        flags = np.zeros(part.shape, np.uint8)
        block = RampBlock(FRAME, FRAME, range(1), groups, part, flags, np.zeros((2048, 2048), np.uint32))
        done = walk.apply(block)
        np.testing.assert_allclose(done.data[0], np.broadcast_to(start, done.data[0].shape), atol=1e-4)
        pieces += done.pieces
    assert [piece.kind for piece in pieces] == ["correction", "mask", "correction"]
    np.testing.assert_allclose(pieces[2].arrays["data"][0], start - data[2:], atol=1e-4)


def test_without_background_there_is_nothing_to_measure() -> None:
    with pytest.raises(SkipStep, match="sees background only"):
        Pattern.of(shape_of_a_frame(), np.zeros((2048, 2048), bool))


def exposure(**values: Any) -> Exposure:
    """Return an exposure with these values."""
    model = datamodels.RampModel(data=np.zeros((1, values.pop("groups", 2), 4, 4), np.float32))
    model.meta.instrument.name = values.get("instrument", "NIRSPEC")
    model.meta.subarray.name = values.get("subarray", "FULL")
    model.meta.exposure.type = "NRS_MSASPEC"
    return Exposure(model, "name", model.shape)


def test_when_it_applies() -> None:
    step = PictureFrameStep(mask_science_regions=False)
    p = step.parameters
    assert step.reason_to_skip(exposure(), p) is None
    assert "full frames of NIRSpec" in str(step.reason_to_skip(exposure(subarray="SUB2048"), p))
    assert "full frames of NIRSpec" in str(step.reason_to_skip(exposure(instrument="NIRCAM"), p))
    assert "one group" in str(step.reason_to_skip(exposure(groups=1), p))
    with pytest.raises(PlanError, match="mask_science_regions to False"):
        PictureFrameStep().reason_to_skip(exposure(), PictureFrameStep().parameters)
