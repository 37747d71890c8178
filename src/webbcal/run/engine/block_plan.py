"""The plan of block steps on an exposure: which apply, how it is cut into blocks, and what memory they take.

`plan_steps` decides for each block step whether it applies and finds its references; `BlockPlan` adds passes,
blocks and the memory, and refuses what will not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from webbcal.core.box import Box
from webbcal.run.engine.blocks import RateBlock
from webbcal.run.engine.operation import BlockWork
from webbcal.run.engine.store import RampStore
from webbcal.run.engine.tiling import KEPT_BYTES, Cut, Tiling, cut_frames, cut_rows, split
from webbcal.run.exposure import Exposure
from webbcal.run.planning import (
    Output,
    RunPlan,
    StepPlan,
    find_references,
    process_bytes,
    skip_without_references,
    step_name,
    told_to_skip,
)
from webbcal.run.protocols import StepLike

#: Of the memory that a run may take, the part that ramps may fill between two passes.
KEPT_PART = 0.25
#: Ramps between passes that are kept in memory in any case, in bytes.
KEPT_LEAST = 32 << 20


class PlannedStep(BlockWork, StepLike, Protocol):
    """A block step (`webbcal.run.block_step.BlockStep`), as it is planned."""

    @property
    def consumes(self) -> str: ...  # noqa: D102
    @property
    def streams(self) -> bool: ...  # noqa: D102
    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None: ...  # noqa: D102
    def reason_by_references(self, exposure: Exposure, references: Any, p: Any) -> str | None: ...  # noqa: D102
    def open_model(self, init: Any) -> Any: ...  # noqa: D102
    def make_output_path(self, *, idx: int | None = None) -> str: ...  # noqa: D102
    @property
    def adds(self) -> Sequence[str]: ...  # noqa: D102
    def extra_products(self) -> Mapping[str, str]: ...  # noqa: D102
    def save_extra(self, make: Callable[[str], Any], pieces: Sequence[RateBlock]) -> None: ...  # noqa: D102


@dataclass
class BlockPlan(RunPlan):
    """The plan of a run of block steps."""

    exposure: Exposure
    #: What steps write themselves beside their results: they get no sink of the engine.
    extras: list[Output] = field(default_factory=list)

    def with_outputs(self, outputs: list[Output]) -> Self:
        """Return this plan with its products, and with as many threads as memory allows."""
        self.outputs = outputs
        most = self.resources.memory
        while most is not None and self.threads > 1 and self.memory > most:
            self.resources = replace(self.resources, threads=self.threads - 1)
        return self

    @property
    def written(self) -> list[Output]:
        """All files that the run writes."""
        return [*super().written, *self.extras]

    @property
    def subject(self) -> str:
        """What it works on, in words."""
        return self.exposure.description

    @property
    def tilings(self) -> list[tuple[Tiling, list[tuple[int, StepPlan]]]]:
        """The passes: their tiling, and the steps with their positions. There is one even without steps."""
        applied = [_Placed(k, s) for k, s in enumerate(self.steps) if s.applied]
        passes = [(tiling, [(m.position, m.plan) for m in members]) for tiling, members in split(applied)]
        return passes or [(Tiling.ROWS, [])]

    @property
    def samples(self) -> tuple[int, int, int, int]:
        """Integrations, groups, rows and columns of what is worked on."""
        ny, nx = self.exposure.shape[-2:]
        return self.exposure.nints, self.exposure.ngroups if self.exposure.readout else 1, ny, nx

    def cut_of(self, tiling: Tiling, steps: Sequence[tuple[int, StepPlan]]) -> Cut:
        """Return the blocks of a pass."""
        if tiling is Tiling.FRAMES:
            return cut_frames(self.samples, any(s.step.all_groups for _, s in steps))
        return cut_rows(self.samples, _halo(steps), self.threads)

    @property
    def kept_bytes(self) -> int:
        """Most bytes of ramps that are kept in memory between passes; more go to scratch space."""
        available = self.resources.memory
        return max(KEPT_LEAST, int(KEPT_PART * available)) if available is not None else KEPT_LEAST

    @property
    def ramp_bytes(self) -> int:
        """Bytes of all ramps, as they are kept between passes."""
        nints, ngroups, ny, nx = self.samples
        return RampStore.bytes_of(Box(0, ny, 0, nx), nints, ngroups)

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch space that the run takes at most at one time."""
        passes = self.tilings
        between = self.ramp_bytes if len(passes) > 1 and self.ramp_bytes > self.kept_bytes else 0
        twice = 2 if len(passes) > 3 else 1
        return twice * between + max(self.threads * self._kept(*this) for this in passes)

    def _kept(self, tiling: Tiling, steps: Sequence[tuple[int, StepPlan]]) -> int:
        """Bytes of scratch space that a task takes to see all its integrations before it goes on."""
        nints, ngroups, _, nx = self.samples
        cut = self.cut_of(tiling, steps)
        if cut.ints >= nints:
            return 0
        stores, together = 0, False
        for k, (_, s) in enumerate(steps):
            # A fold right behind a step that had all integrations reads from the same store again.
            waits = _waits(s.step, self.exposure) and k > 0 and not (s.step.folds and together)
            stores, together = stores + waits, _has_all(s.step, self.exposure)
        size = RampStore.bytes_of(Box(0, cut.rows + 2, 0, nx), nints, ngroups)
        return stores * size if size > KEPT_BYTES else 0

    @property
    def passes(self) -> list[str]:
        """What is read, in order, as sentences."""
        lines: list[str] = []
        passes = self.tilings
        for number, (tiling, steps) in enumerate(passes):
            measured = [s.name for _, s in steps if getattr(s.step, "measures_data", False)]
            lines += [f"measure {name}: reads the border of the frame" for name in measured]
            chain = " → ".join(s.name for _, s in steps) or "nothing"
            lines.append(
                f"{_blocks(self.cut_of(tiling, steps), tiling, _halo(steps), self.samples)}: {chain}"
            )
            if number + 1 < len(passes):
                place = (
                    "memory"
                    if self.ramp_bytes <= self.kept_bytes
                    else f"scratch space in {self.resources.scratch}"
                )
                lines.append(f"keep the ramps in {place}: {self.ramp_bytes / 1e6:.0f} MB")
        if self.scratch_bytes:
            lines.append(
                f"scratch space: up to {self.scratch_bytes / 1e6:.0f} MB in {self.resources.scratch}"
            )
        return lines

    @property
    def memory(self) -> int:
        """Projected peak memory of the process in bytes."""
        kept = sum(_product_bytes(o.product, self.exposure) for o in self.outputs if o.path is None)
        between = self.ramp_bytes if len(self.tilings) > 1 and self.ramp_bytes <= self.kept_bytes else 0
        work = max(self._working(tiling, steps) for tiling, steps in self.tilings)
        return process_bytes() + self.threads * work + between + kept

    def _working(self, tiling: Tiling, steps: Sequence[tuple[int, StepPlan]]) -> int:
        """Memory of a thread in a pass."""
        nints, ngroups, ny, nx = self.samples
        cut = self.cut_of(tiling, steps)
        pixels = min(cut.rows + 2 * _halo(steps), ny) * nx
        samples = cut.ints * (cut.groups if self.exposure.readout else 6)
        # samples and their flags, what is being read; rates of each integration; images of references
        per_pixel = 7 * samples + 28 * cut.ints + 40
        per_pixel += sum(s.step.scratch_bytes(self.exposure, s.references) for _, s in steps)
        more = 0
        if cut.ints < nints:
            more += min(KEPT_BYTES, RampStore.bytes_of(Box(0, cut.rows, 0, nx), nints, ngroups))
            if any(s.step.all_integrations(self.exposure, s.step.parameters) for _, s in steps):
                more += 8 * nints * ngroups * (cut.rows + 2) * (cut.columns + 2)
        return pixels * per_pixel + more

    @property
    def advice(self) -> str:
        """What may make it fit, if it does not."""
        in_memory = any(output.path is None for output in self.outputs)
        if in_memory:
            return f"save results to files (save_results=True streams them), or {super().advice}"
        return super().advice if self.threads > 1 else "allow it more memory"


@dataclass(frozen=True)
class _Placed:
    """A step that is applied, and its position in the plan."""

    position: int
    plan: StepPlan

    @property
    def tiling(self) -> Tiling:
        tiling: Tiling = self.plan.step.tiling
        return tiling


def _halo(steps: Sequence[tuple[int, StepPlan]]) -> int:
    return sum(s.step.halo(s.step.parameters) for _, s in steps)


def _waits(step: PlannedStep, exposure: Exposure) -> bool:
    """Tell whether a step needs all integrations before it goes on with one."""
    return step.folds or _has_all(step, exposure)


def _has_all(step: PlannedStep, exposure: Exposure) -> bool:
    return step.all_integrations(exposure, step.parameters)


def _blocks(cut: Cut, tiling: Tiling, halo: int, shape: tuple[int, int, int, int]) -> str:
    """Say how a pass is cut."""
    nints, ngroups, ny, _ = shape
    if tiling is Tiling.FRAMES:
        number = nints * -(-ngroups // cut.groups)
        return f"{number} blocks of whole frames, {cut.groups} of {ngroups} groups of an integration"
    number = -(-ny // cut.rows)
    some = "" if cut.ints >= nints else f", {cut.ints} of {nints} integrations at a time"
    return f"{number} blocks of {cut.rows} rows (+{halo} rows of halo){some}"


def _product_bytes(product: str, exposure: Exposure) -> int:
    ny, nx = exposure.shape[-2:]
    per_pixel = {
        "ramp": 5 * exposure.nints * exposure.shape[1] + 4,
        "image": 20,
        "ints": 20 * exposure.nints,
        "optional": 36 * exposure.nints * (1 + exposure.shape[1] // 2 if len(exposure.shape) == 4 else 1),
    }
    return ny * nx * per_pixel[product]


def plan_steps(steps: Sequence[PlannedStep], model: Any, exposure: Exposure) -> list[StepPlan]:
    """Decide for each step whether it applies, and find the references of those that do."""
    plans = [_decide(step, exposure) for step in steps]
    _skip_without_input(plans, exposure)
    wanted = [p for p in plans if p.applied]
    found = find_references([p.step for p in wanted], None, model)
    for plan in wanted:
        plan.references = {kind: found[plan.step, kind] for kind in plan.step.reference_file_types}
        skip_without_references(plan)
        _check_references(plan, exposure, model)
    return plans


def _check_references(plan: StepPlan, exposure: Exposure, model: Any) -> None:
    """Check that the references of an applied step fit, and ask the step whether it applies with them."""
    if not plan.applied:
        return
    for reference in plan.references.values():
        if reference is not None:
            reference.check(exposure, model)
    reason = plan.step.reason_by_references(exposure, plan.references, plan.step.parameters)
    if reason:
        plan.skip(reason)


def _decide(step: PlannedStep, exposure: Exposure) -> StepPlan:
    told = told_to_skip(step)
    if told is not None:
        return told
    reason = step.reason_to_skip(exposure, step.parameters)
    return StepPlan(step_name(step), step, reason is None, reason or "applied")


def _skip_without_input(plans: Sequence[StepPlan], exposure: Exposure) -> None:
    """Skip steps on rates when no step before them makes rates, and steps on ramps after one that does."""
    kind = "rate" if exposure.readout is None else "ramp"
    for plan in plans:
        if plan.applied and plan.step.consumes != kind:
            plan.skip(f"works on {plan.step.consumes}s, but the data are {kind}s at this point")
        elif plan.applied:
            kind = plan.step.produces
