"""saturation: flag samples at or above the saturation threshold, and on the A/D floor.

In raw IRS2 frames (NIRSpec) science pixels only are looked at: their rows are taken out of a block, and their
flags put back. The threshold has no reference pixels; the superbias has, as the frames do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from webbcal import kernels
from webbcal.core.irs2 import Interleaving
from webbcal.kernels.saturation import halo
from webbcal.kernels.saturation.second_group import flag_second_group
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

saturation = kernels.get("saturation")


class SaturationStep(BlockStep):
    """Flag saturated samples, their neighbours, and all later ones of the integration."""

    class_alias = "saturation"
    takes_superstripes = True
    reference_file_types = ("saturation", "superbias")
    optional_reference_types = ("superbias",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `SaturationStep`."""

        n_pix_grow_sat: int = param(
            1, "Layers of neighbours to flag around saturated pixels", ge=0, unit="pix"
        )
        use_readpatt: bool = param(True, "Look for saturation hidden by averaging frames into groups")

    def halo(self, exposure: Exposure, p: Parameters) -> int:
        """Neighbours are flagged across rows; in raw IRS2 frames, reference pixels lie between them."""
        rows = halo(p.n_pix_grow_sat)
        return rows if exposure.irs2 is None else exposure.irs2.reach(rows)

    def measure(self, exposure: Exposure, references: Any, p: Parameters, survey: Any) -> _State:
        """Return the number of frames in a group, if it is to be used, and the layout of the frame."""
        assert exposure.readout is not None
        return _State(exposure.readout.nframes if p.use_readpatt else None, exposure.irs2)

    def apply(self, block: RampBlock, references: BlockReferences, p: Parameters, state: _State) -> RampBlock:
        """Flag one block."""
        bias = references.read("superbias") if "superbias" in references else None
        if state.irs2 is None:
            _flag(block, references, bias, p.n_pix_grow_sat, state.nframes)
            return block
        rows = state.irs2.science_rows(block.box)
        zeroframe = None if block.zeroframe is None else np.take(block.zeroframe, rows, axis=-2)
        science = replace(
            block,
            data=np.take(block.data, rows, axis=-2),
            groupdq=np.take(block.groupdq, rows, axis=-2),
            pixeldq=block.pixeldq[rows],
            zeroframe=zeroframe,
        )
        if rows.size:
            bias = None if bias is None else bias[rows]
            _flag(science, references, bias, p.n_pix_grow_sat, None)
            if state.nframes is not None:
                threshold, flags = references.read("saturation"), references.read("saturation", "dq")
                arguments = threshold, flags, bias, state.nframes, p.n_pix_grow_sat
                flag_second_group(science.data, science.groupdq, *arguments)
        block.groupdq[..., rows, :], block.pixeldq[rows] = science.groupdq, science.pixeldq
        if block.zeroframe is not None:
            block.zeroframe[..., rows, :] = science.zeroframe
        return block


@dataclass(frozen=True)
class _State:
    nframes: int | None
    irs2: Interleaving | None


def _flag(
    block: RampBlock, references: BlockReferences, bias: np.ndarray | None, grow: int, nframes: int | None
) -> None:
    """Flag the samples of a block, in place."""
    saturation.flag_saturation(
        block.data,
        block.groupdq,
        block.pixeldq,
        references.read("saturation"),
        references.read("saturation", "dq"),
        grow=grow,
        nframes=nframes,
        bias=bias,
        zeroframe=block.zeroframe,
    )
