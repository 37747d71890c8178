"""ipc: undo the coupling of neighbouring pixels by convolution with the IPC kernel."""

from __future__ import annotations

from typing import Any

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.kernels.convolution import halo
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters

convolution = kernels.get("convolution")

#: Light-sensitive pixels of a near-infrared detector: all but four rows and columns at each edge.
SCIENCE = Box(4, 2044, 4, 2044)
#: MIRI's reference pixels are columns only.
MIRI_SCIENCE = Box(0, 1024, 4, 1028)

#: The kernels of all detectors are 3 or 5 pixels wide.
MAX_HALO = 2


class IPCStep(BlockStep):
    """Correct for inter-pixel capacitance."""

    class_alias = "ipc"
    takes_superstripes = True
    only_once = True
    reference_file_types = ("ipc",)

    def halo(self, exposure: Exposure, p: StepParameters) -> int:
        """A pixel takes from the rows around it."""
        return MAX_HALO

    def measure(self, exposure: Exposure, references: Any, p: StepParameters, survey: Any) -> Box:
        """Return the light-sensitive pixels in the coordinates of the science array."""
        kernel = references["ipc"].shape("data")
        if halo(kernel) > MAX_HALO:
            from webbcal.core.errors import ReferenceFileError

            raise ReferenceFileError(
                f"{references['ipc'].name}: IPC kernel {kernel[:2]} exceeds {2 * MAX_HALO + 1} pixels"
            )
        science = MIRI_SCIENCE if exposure.known("instrument.name") == "MIRI" else SCIENCE
        return science.relative_to(exposure.box)

    def apply(
        self, block: RampBlock, references: BlockReferences, p: StepParameters, state: Box
    ) -> RampBlock:
        """Convolve every group."""
        inside = block.box
        science = Box(
            max(state.y0, inside.y0),
            max(min(state.y1, inside.y1), max(state.y0, inside.y0)),
            max(state.x0, inside.x0),
            max(min(state.x1, inside.x1), max(state.x0, inside.x0)),
        )
        convolution.convolve(block.data, references.read("ipc"), science.relative_to(inside))
        return block
