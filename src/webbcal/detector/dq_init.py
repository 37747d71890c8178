"""dq_init: start the data quality of an exposure from the bad-pixel mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.kernels.frames.arithmetic import init_dq
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param


class DQInitStep(BlockStep):
    """Set PIXELDQ from the MASK reference, and DO_NOT_USE in all groups of pixels that have it there."""

    class_alias = "dq_init"
    tiling = Tiling.EITHER
    reference_file_types = ("mask",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `DQInitStep`."""

        user_supplied_dq: str | None = param(None, "FITS file of further DQ flags, of the exposure's shape")

    def measure(self, exposure: Exposure, references: Any, p: Parameters, survey: Any) -> np.ndarray | None:
        """Read the user's flags, if any."""
        if p.user_supplied_dq is None:
            return None
        from astropy.io import fits

        flags = np.asarray(fits.getdata(p.user_supplied_dq))
        if flags.shape != exposure.frame.shape:
            raise InputError(
                f"user_supplied_dq {p.user_supplied_dq} has shape {flags.shape}, "
                f"but the exposure is {exposure.frame.shape}"
            )
        return flags

    def apply(self, block: RampBlock, references: BlockReferences, p: Parameters, state: Any) -> RampBlock:
        """OR the mask into the block's flags."""
        user = None if state is None else state[block.box.slices]
        init_dq(block.pixeldq, references.read("mask", "dq"), block.groupdq, user)
        return block
