"""charge_migration: reject groups so bright that charge spills to their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webbcal import kernels
from webbcal.kernels.charge import HALO, skip_reason
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

charge = kernels.get("charge")


class ChargeMigrationStep(BlockStep):
    """Flag CHARGELOSS and DO_NOT_USE from the first group above a threshold on, with the four neighbours."""

    class_alias = "charge_migration"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `ChargeMigrationStep`."""

        signal_threshold: float = param(25000.0, "Signal above which groups are rejected", unit="DN")
        skip: bool = param(True, "Skip this step")

    def reason_to_skip(self, exposure: Exposure, p: Parameters) -> str | None:
        """The slope must keep some groups."""
        return skip_reason(exposure.ngroups)

    def halo(self, exposure: Exposure, p: Parameters) -> int:
        """Neighbours are flagged across rows."""
        return HALO

    def apply(self, block: RampBlock, references: Any, p: Parameters, state: Any) -> RampBlock:
        """Flag one block."""
        charge.flag_charge_migration(block.data, block.groupdq, p.signal_threshold)
        return block
