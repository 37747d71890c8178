"""superbias: subtract the detector's fixed pedestal from every group."""

from __future__ import annotations

from typing import Any

from webbcal.kernels.frames.arithmetic import subtract_bias
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.engine.tiling import Tiling
from webbcal.run.parameters import StepParameters


class SuperBiasStep(BlockStep):
    """Subtract the SUPERBIAS reference; its flags go to PIXELDQ."""

    class_alias = "superbias"
    takes_superstripes = True
    only_once = True
    tiling = Tiling.EITHER
    reference_file_types = ("superbias",)

    def apply(
        self, block: RampBlock, references: BlockReferences, p: StepParameters, state: Any
    ) -> RampBlock:
        """Subtract the superbias."""
        bias, flags = references.read("superbias"), references.read("superbias", "dq")
        subtract_bias(block.data, block.pixeldq, bias, flags, block.zeroframe)
        return block
