"""firstframe: the first group of MIRI's ramps, which the reset has disturbed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core import dqflags
from webbcal.detector.estimated_flux import flag_estimated
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

log = logging.getLogger(__name__)

_DO_NOT_USE, _SATURATED = (np.uint8(dqflags.group[name]) for name in ("DO_NOT_USE", "SATURATED"))


class FirstFrameStep(BlockStep):
    """Reject the first group of every integration (MIRI); by default, rscd does so alone."""

    class_alias = "firstframe"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `FirstFrameStep`."""

        bright_use_group1: bool = param(True, "Keep the first group of pixels that saturate in the third")
        skip: bool = param(True, "Skip this step")

    def reason_to_skip(self, exposure: Exposure, p: Parameters) -> str | None:
        """A ramp must keep some groups."""
        if exposure.instrument != "MIRI":
            return "it is for MIRI"
        return f"{exposure.ngroups} groups are too few (4 needed)" if exposure.ngroups <= 3 else None

    def measure(self, exposure: Exposure, references: Any, p: Parameters, survey: Any) -> None:
        """Say that the step is of the past."""
        log.warning("firstframe is deprecated: rscd rejects the first groups")

    def apply(self, block: RampBlock, references: BlockReferences, p: Parameters, state: None) -> RampBlock:
        """Flag one block."""
        rejected = np.ones((len(block.ints), *block.box.shape), bool)
        if p.bright_use_group1:
            rejected = (block.groupdq[:, 2] & _SATURATED) == 0
            flag_estimated(block, ~rejected.all(axis=0), references)
        block.groupdq[:, 0] |= rejected * _DO_NOT_USE
        return block
