"""saturation: flag samples at or above the saturation threshold, and on the A/D floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webbcal import kernels
from webbcal.kernels.saturation import halo
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

saturation = kernels.get("saturation")


class SaturationStep(BlockStep):
    """Flag saturated samples, their neighbours, and all later ones of the integration."""

    class_alias = "saturation"
    reference_file_types = ("saturation", "superbias")
    optional_reference_types = ("superbias",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `SaturationStep`."""

        n_pix_grow_sat: int = param(
            1, "Layers of neighbours to flag around saturated pixels", ge=0, unit="pix"
        )
        use_readpatt: bool = param(True, "Look for saturation hidden by averaging frames into groups")

    def halo(self, p: Parameters) -> int:
        """Neighbours are flagged across rows."""
        return halo(p.n_pix_grow_sat)

    def measure(self, exposure: Exposure, references: Any, p: Parameters, survey: Any) -> int | None:
        """Return the number of frames in a group, if it is to be used."""
        assert exposure.readout is not None
        return exposure.readout.nframes if p.use_readpatt else None

    def apply(self, block: RampBlock, references: BlockReferences, p: Parameters, state: Any) -> RampBlock:
        """Flag one block."""
        saturation.flag_saturation(
            block.data,
            block.groupdq,
            block.pixeldq,
            references.read("saturation"),
            references.read("saturation", "dq"),
            grow=p.n_pix_grow_sat,
            nframes=state,
            bias=references.read("superbias") if "superbias" in references else None,
            zeroframe=block.zeroframe,
        )
        return block
