"""dark_current: subtract the dark reference, averaged to the exposure's read pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
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
    #: Integrations of the dark (MIRI); 0: it is one for all.
    ints: int = 0
    #: Whether the file begins with the exposure's first integration.
    begins: bool = True

    def of(self, integration: int) -> int | None:
        """Return which integration of the dark is that of an integration of the file; None: there is one."""
        if self.ints == 0:
            return None
        return integration if self.begins and integration < self.ints else self.ints - 1


class DarkCurrentStep(BlockStep):
    """Subtract the DARK reference group by group; only the frames that make a group are read.

    Darks of MIRI have integrations: the first ones differ, and the last is that of all later ones.
    """

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
        shape = reference.shape("data")
        return _State(
            plan,
            use_map and np.sum(reference.read("average_dark_current")) != 0,
            shape[0] if len(shape) == 4 else 0,
            (exposure.known("exposure.integration_start") or 1) == 1,
        )

    def extra_products(self) -> Mapping[str, str]:
        """The averaged dark."""
        name = self.dark_output
        return {"dark": self.make_output_path(basepath=name, suffix=False)} if name else {}

    def scratch_bytes(self, exposure: Exposure, references: Any) -> int:
        """The dark of all groups, of each of its integrations, and the frames of one."""
        assert exposure.readout is not None
        shape = references["dark"].shape("data")
        ints = min(shape[0], exposure.nints) if len(shape) == 4 else 1
        return 4 * (ints * exposure.readout.ngroups + exposure.readout.nframes)

    def apply(self, block: RampBlock, references: BlockReferences, p: Parameters, state: _State) -> RampBlock:
        """Subtract the dark and note the average dark current."""
        reference = references["dark"]
        flags = _flags(references.read("dark", "dq"))
        groups = slice(block.groups.start, block.groups.stop)
        for integration, part in _runs(block.ints, state):
            make = partial(_groups, reference, state.plan, block.box, integration)
            current = references.once((id(reference), "groups", integration), make)
            subtract_dark(block.data[part], block.pixeldq, current[groups], flags)
        average, _ = dark.average_dark_current(
            p.average_dark_current,
            references.read("dark", "average_dark_current") if state.use_map else None,
            reference.meta.exposure.average_dark_current,
            block.box.shape,
        )
        if average is not None:  # beside it there may be what persistence has subtracted
            before = block.dark_current
            block.dark_current = average if before is None else average + before
        return block

    def _save_dark(self, reference: Any, plan: dark.DarkPlan, exposure: Exposure) -> None:
        from webbcal import datamodels

        assert exposure.readout is not None
        shape = reference.shape("data")
        ints = range(shape[0]) if len(shape) == 4 else [None]
        darks = [_groups(reference, plan, exposure.frame, i).astype(np.float32) for i in ints]
        cls = datamodels.DarkMIRIModel if len(shape) == 4 else datamodels.DarkModel
        data = np.stack(darks) if len(shape) == 4 else darks[0]
        result = cls(data=data, dq=reference.read("dq", exposure.frame))
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
        reference.shape("data")[-3],
        sampling.nframes or 1,
        sampling.groupgap or 0,
    )


def _groups(reference: Any, plan: dark.DarkPlan, box: Any, integration: int | None) -> np.ndarray:
    """Return the dark of each group, of an integration of a dark that has several."""
    which = () if integration is None else (integration,)

    def read(start: int, stop: int) -> np.ndarray:
        frames: np.ndarray = reference.read_stored("data", box, *which, slice(start, stop))
        return frames

    return dark.dark_groups(read, plan, frames)


def _runs(ints: range, state: _State) -> list[tuple[int | None, slice]]:
    """Return runs of integrations of a block that share an integration of the dark."""
    runs: list[tuple[int | None, slice]] = []
    for k, number in enumerate(ints):
        of = state.of(number)
        start = runs.pop()[1].start if runs and runs[-1][0] == of else k
        runs.append((of, slice(start, k + 1)))
    return runs


def _flags(dq: np.ndarray) -> np.ndarray:
    """Return the flags of a dark as one image: those of MIRI have a plane for each integration."""
    return dq if dq.ndim == 2 else np.bitwise_or.reduce(dq[:, 0], axis=0)
