"""lastframe: the last group of MIRI's ramps, which the reset of the rows before has disturbed."""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.core import dqflags
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters

_DO_NOT_USE = np.uint8(dqflags.group["DO_NOT_USE"])


class LastFrameStep(BlockStep):
    """Reject the last group of every integration (MIRI)."""

    class_alias = "lastframe"
    tiling = Tiling.EITHER

    def reason_to_skip(self, exposure: Exposure, p: StepParameters) -> str | None:
        """A ramp must keep two groups."""
        if exposure.instrument != "MIRI":
            return "it is for MIRI"
        return f"{exposure.ngroups} groups are too few (3 needed)" if exposure.ngroups <= 2 else None

    def measure(self, exposure: Exposure, references: Any, p: StepParameters, survey: Any) -> int:
        """Return the last group."""
        return exposure.ngroups - 1

    def apply(self, block: RampBlock, references: Any, p: StepParameters, state: int) -> RampBlock:
        """Flag one block."""
        if state in block.groups:
            block.groupdq[:, state - block.groups.start] |= _DO_NOT_USE
        return block
