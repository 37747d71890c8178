"""dark_current: subtract the dark reference, averaged to the exposure's read pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal import kernels
from webbcal.kernels.frames import dark
from webbcal.kernels.frames.arithmetic import subtract_dark
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

frames = kernels.get("frames")


@dataclass(frozen=True)
class _State:
    plan: dark.DarkPlan
    use_map: bool


class DarkCurrentStep(BlockStep):
    """Subtract the DARK reference group by group; only the frames that make a group are read."""

    class_alias = "dark_current"
    only_once = True
    tiling = Tiling.EITHER
    cal_step = "dark_sub"
    adds = ("average_dark_current",)
    reference_file_types = ("dark",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `DarkCurrentStep`."""

        dark_output: str | None = param(None, "File to save the averaged dark to", kind="output_file")
        average_dark_current: float | None = param(None, "Average dark current of the detector", unit="e-/s")

    def reason_by_references(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters
    ) -> str | None:
        """A dark that is sampled more coarsely than the exposure does not fit."""
        return _dark_plan(exposure, references["dark"]).skip

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters, survey: Any
    ) -> _State:
        """Match the frames of the reference to the groups of the exposure."""
        reference = references["dark"]
        plan = _dark_plan(exposure, reference)
        if p.dark_output:
            self._save_dark(reference, plan, exposure)
        use_map = p.average_dark_current is None and reference.has("average_dark_current")
        # A map of zeros means that there is none.
        return _State(plan, use_map and np.sum(reference.read("average_dark_current")) != 0)

    def extra_products(self) -> Mapping[str, str]:
        """The averaged dark."""
        name = self.dark_output
        return {"dark": self.make_output_path(basepath=name, suffix=False)} if name else {}

    def scratch_bytes(self, exposure: Exposure, references: Any) -> int:
        """The dark of all groups, and the frames of one."""
        assert exposure.readout is not None
        return 4 * (exposure.readout.ngroups + exposure.readout.nframes)

    def apply(self, block: RampBlock, references: BlockReferences, p: Parameters, state: _State) -> RampBlock:
        """Subtract the dark and note the average dark current."""
        reference = references["dark"]
        current = references.once(
            (id(reference), "groups"), lambda: _groups(reference, state.plan, block.box)
        )
        subtract_dark(
            block.data,
            block.pixeldq,
            current[block.groups.start : block.groups.stop],
            references.read("dark", "dq"),
        )
        average, _ = dark.average_dark_current(
            p.average_dark_current,
            references.read("dark", "average_dark_current") if state.use_map else None,
            reference.meta.exposure.average_dark_current,
            block.box.shape,
        )
        block.dark_current = block.dark_current if average is None else average
        return block

    def _save_dark(self, reference: Any, plan: dark.DarkPlan, exposure: Exposure) -> None:
        from webbcal import datamodels

        assert exposure.readout is not None
        data = _groups(reference, plan, exposure.frame).astype(np.float32)
        result = datamodels.DarkModel(data=data, dq=reference.read("dq", exposure.frame))
        result.update(reference.model)
        result.meta.exposure.nframes = exposure.readout.nframes
        result.meta.exposure.groupgap = exposure.readout.groupgap
        result.meta.exposure.ngroups = exposure.readout.ngroups
        path = self.extra_products()["dark"]
        result.save(path)
        self.note_saved(path)


def _dark_plan(exposure: Exposure, reference: Any) -> dark.DarkPlan:
    readout, sampling = exposure.readout, reference.meta.exposure
    assert readout is not None
    return dark.plan_dark(
        readout.ngroups,
        readout.nframes,
        readout.groupgap,
        reference.shape("data")[0],
        sampling.nframes or 1,
        sampling.groupgap or 0,
    )


def _groups(reference: Any, plan: dark.DarkPlan, box: Any) -> np.ndarray:
    def read(start: int, stop: int) -> np.ndarray:
        frames: np.ndarray = reference.read_stored("data", box, slice(start, stop))
        return frames

    return dark.dark_groups(read, plan, frames.average_frames)
