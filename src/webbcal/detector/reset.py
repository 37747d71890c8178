"""reset: the reset anomaly of MIRI's detectors, a decay in the first groups of an integration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters

frames = kernels.get("frames")


@dataclass(frozen=True)
class _State:
    first: int  # number (0-based) in the exposure of the first integration of the file
    ints: int  # integrations of the reference
    groups: int  # groups that are corrected


class ResetStep(BlockStep):
    """Subtract the RESET reference from the first groups; later integrations all get its last one."""

    class_alias = "reset"
    only_once = True
    tiling = Tiling.EITHER
    reference_file_types = ("reset",)

    def reason_to_skip(self, exposure: Exposure, p: StepParameters) -> str | None:
        """Other detectors have no such anomaly."""
        return None if exposure.is_miri else "it is only for MIRI data"

    def measure(self, exposure: Exposure, references: Any, p: StepParameters, survey: Any) -> _State:
        """Match the integrations and groups of the reference with those of the exposure."""
        reference = references["reset"]
        ints, groups = reference.shape("data")[:2]
        sampling = reference.meta.exposure
        start = exposure.known("exposure.integration_start") or 1
        return _State(
            start - 1,
            min(ints, sampling.nints or ints),
            min(exposure.ngroups, groups, sampling.ngroups or groups),
        )

    def scratch_bytes(self, exposure: Exposure, references: Any) -> int:
        """The groups of the reference that are kept for later integrations."""
        ints, groups = references["reset"].shape("data")[:2]
        return 4 * min(ints, exposure.nints) * min(groups, exposure.ngroups)

    def apply(
        self, block: RampBlock, references: BlockReferences, p: StepParameters, state: _State
    ) -> RampBlock:
        """Subtract the anomaly from one block."""
        block.pixeldq |= references.read("reset", "dq")
        groups = slice(block.groups.start, min(block.groups.stop, state.groups))
        count = groups.stop - groups.start
        if count <= 0:
            return block
        found: dict[int, NDArray[np.float32]] = {}
        for data, number in zip(block.data, block.ints, strict=True):
            integration = min(state.first + number, state.ints - 1)
            if integration not in found:
                make = partial(_anomaly, references["reset"], block.box, integration, groups)
                found[integration] = references.once(("reset", integration, groups.start), make)
            data[:count] -= found[integration]
        return block


def _anomaly(reference: Any, box: Box, integration: int, groups: slice) -> NDArray[np.float32]:
    """Return the anomaly of some groups of an integration; NaN counts as 0."""
    data: NDArray[np.float32] = frames.zero_for_nan(reference.read_stored("data", box, integration, groups))
    return data
