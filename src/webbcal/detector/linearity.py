"""linearity: a polynomial per pixel turns the detector's response into a linear one."""

from __future__ import annotations

from typing import Any

from webbcal import kernels
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters

polynomial = kernels.get("polynomial")


class LinearityStep(BlockStep):
    """Correct unsaturated samples with the polynomial of the LINEARITY reference."""

    class_alias = "linearity"
    only_once = True
    reference_file_types = ("linearity",)

    def measure(
        self, exposure: Exposure, references: Any, p: StepParameters, survey: Any
    ) -> tuple[int, bool]:
        """Return the frames in a group, and whether the reference has the inverse polynomial."""
        assert exposure.readout is not None
        has_inverse = references["linearity"].has("inv_coeffs")
        return exposure.readout.nframes if has_inverse else 1, has_inverse

    def scratch_bytes(self, exposure: Exposure, references: Any) -> int:
        """The coefficients."""
        return 4 * references["linearity"].shape("coeffs")[0]

    def apply(
        self, block: RampBlock, references: BlockReferences, p: StepParameters, state: Any
    ) -> RampBlock:
        """Linearise one block."""
        nframes, has_inverse = state
        polynomial.linearize(
            block.data,
            block.groupdq,
            block.pixeldq,
            references.read("linearity", "coeffs"),
            references.read("linearity", "dq"),
            inverse=references.read("linearity", "inv_coeffs") if has_inverse else None,
            nframes=nframes,
            zeroframe=block.zeroframe,
        )
        return block
