"""group_scale: undo an on-board frame average that divided by another number than the frames it summed."""

from __future__ import annotations

from typing import Any

from webbcal.kernels.frames.arithmetic import group_scale_skip_reason, scale_groups
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters


class GroupScaleStep(BlockStep):
    """Rescale groups by FRMDIVSR / NFRAMES."""

    class_alias = "group_scale"
    takes_superstripes = True
    only_once = True
    tiling = Tiling.EITHER

    def reason_to_skip(self, exposure: Exposure, p: StepParameters) -> str | None:
        """Nothing to do when the divisor is the number of frames."""
        return group_scale_skip_reason(exposure.nframes, exposure.frame_divisor)

    def measure(self, exposure: Exposure, references: Any, p: StepParameters, survey: Any) -> tuple[int, int]:
        """Return NFRAMES and FRMDIVSR."""
        assert exposure.readout is not None and exposure.frame_divisor is not None
        return exposure.readout.nframes, exposure.frame_divisor

    def apply(self, block: RampBlock, references: Any, p: StepParameters, state: Any) -> RampBlock:
        """Scale all groups."""
        scale_groups(block.data, *state)
        return block
