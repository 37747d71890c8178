"""The plan of block steps on an exposure: which apply, how it is cut into blocks, and what memory they take.

`plan_steps` decides for each block step whether it applies and finds its references; `BlockPlan` adds passes,
blocks and the memory, and refuses what will not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from webbcal.core.box import Box
from webbcal.core.errors import FailedStep
from webbcal.core.resources import Resources, available_threads, cores
from webbcal.run.engine.blocks import RateBlock
from webbcal.run.engine.operation import BlockWork
from webbcal.run.engine.sinks import Layout
from webbcal.run.engine.store import RampStore
from webbcal.run.engine.tiling import KEPT_BYTES, Cut, Tiling, cut_frames, cut_rows, split
from webbcal.run.exposure import Exposure
from webbcal.run.planning import (
    Output,
    RunPlan,
    StepPlan,
    find_wanted_references,
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
#: Ramps between passes that are kept in memory at most, however much is free: memory must not grow with the
#: exposure, and what the system has free it uses for scratch files.
KEPT_MOST = 256 << 20


@dataclass(frozen=True)
class Beside:
    """A product that a step makes beside the ramps: its model class, arrays, and changes of its metadata."""

    model: str
    arrays: Layout
    meta: Mapping[str, Any] = field(default_factory=dict)


class PlannedStep(BlockWork, StepLike, Protocol):
    """A block step (`webbcal.run.block_step.BlockStep`), as it is planned."""

    @property
    def consumes(self) -> str: ...  # noqa: D102
    @property
    def streams(self) -> bool: ...  # noqa: D102
    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None: ...  # noqa: D102
    def reference_types_of(self, exposure: Exposure, p: Any) -> Sequence[str]: ...  # noqa: D102
    def reason_by_references(self, exposure: Exposure, references: Any, p: Any) -> str | None: ...  # noqa: D102
    def open_model(self, init: Any) -> Any: ...  # noqa: D102
    def make_output_path(self, *, idx: int | None = None) -> str: ...  # noqa: D102
    def check_output_folder(self) -> None: ...  # noqa: D102
    @property
    def takes_superstripes(self) -> bool: ...  # noqa: D102
    @property
    def joins_superstripes(self) -> bool: ...  # noqa: D102
    @property
    def adds(self) -> Sequence[str]: ...  # noqa: D102
    def extra_products(self) -> Mapping[str, str]: ...  # noqa: D102
    def save_extra(self, make: Callable[[str], Any], pieces: Sequence[RateBlock]) -> None: ...  # noqa: D102
    def extra_layout(self, kind: str, exposure: Exposure, references: Any) -> Beside | None: ...  # noqa: D102
    def note_saved(self, path: str) -> None: ...  # noqa: D102
    def parts(self, p: Any) -> Sequence[BlockWork]: ...  # noqa: D102


@dataclass(frozen=True)
class PlacedPart:
    """A part of a step that is applied, the step's position in the plan, and the exposure as it sees it."""

    position: int
    plan: StepPlan
    part: BlockWork
    exposure: Exposure

    @property
    def tiling(self) -> Tiling:
        """Which blocks it can live with."""
        return self.part.tiling_of(self.exposure, self.parameters)

    @property
    def surveys_all(self) -> bool:
        """Whether it begins a pass."""
        return self.part.surveys_all

    @property
    def parameters(self) -> Any:
        """Those of the step."""
        return self.plan.step.parameters

    @property
    def name(self) -> str:
        """What the plan calls it."""
        whole = self.part is self.plan.step
        return self.plan.name if whole else f"{self.plan.name} ({type(self.part).__name__.lower()})"


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
    def tilings(self) -> list[tuple[Tiling, list[PlacedPart]]]:
        """The passes: their tiling, and the parts of steps in them. There is one even without steps."""
        applied = [
            PlacedPart(k, s, part, self.exposure_at(k))
            for k, s in enumerate(self.steps)
            if s.applied
            for part in s.step.parts(s.step.parameters)
        ]
        return split(applied) or [(Tiling.ROWS, [])]

    def exposure_at(self, position: int) -> Exposure:
        """Return the exposure as the step at a position sees it: steps may change the frame."""
        return _exposure_after(self.steps[:position], self.exposure)

    @property
    def samples(self) -> tuple[int, int, int, int]:
        """Integrations, groups, rows and columns of what is worked on: those of the input."""
        return _samples(self.exposure)

    def cut_of(self, tiling: Tiling, parts: Sequence[PlacedPart]) -> Cut:
        """Return the blocks of a pass."""
        samples = self._samples_of(parts)
        if tiling is Tiling.FRAMES:
            return cut_frames(samples, any(p.part.all_groups for p in parts))
        return cut_rows(samples, _halo(parts), self.threads)

    def _samples_of(self, parts: Sequence[PlacedPart]) -> tuple[int, int, int, int]:
        """Integrations, groups, rows and columns of a pass."""
        return _samples(parts[0].exposure) if parts else self.samples

    @property
    def kept_bytes(self) -> int:
        """Most bytes of ramps that are kept in memory between passes; more go to scratch space."""
        part = int(KEPT_PART * (self.resources.memory or 0))
        return min(KEPT_MOST, max(KEPT_LEAST, part))

    @property
    def _stores(self) -> list[tuple[int, bool]]:
        """Bytes of the ramps after each pass but the last, and whether they go to a new place.

        Whole frames that come from a store go back there, unless their size has changed.
        """
        passes = self.tilings
        samples = [self._samples_of(parts) for _, parts in passes]
        stores = []
        for number, (nints, ngroups, ny, nx) in enumerate(samples[1:]):
            frames = number > 0 and passes[number][0] is Tiling.FRAMES
            back = frames and samples[number] == samples[number + 1]
            stores.append((RampStore.bytes_of(Box(0, ny, 0, nx), nints, ngroups), not back))
        return stores

    def _between(self, in_memory: bool) -> int:
        """Most bytes of kept ramps at one time, in memory or in scratch space."""
        most = current = 0
        for size, new in self._stores:
            counted = size if (size <= self.kept_bytes) is in_memory else 0
            most = max(most, current + counted if new else current)
            current = counted if new else current
        return most

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch space that the run takes at most at one time."""
        return self._between(False) + max(self.threads * self._kept(*this) for this in self.tilings)

    def _kept(self, tiling: Tiling, parts: Sequence[PlacedPart]) -> int:
        """Bytes of scratch space that a task takes to see all its integrations before it goes on."""
        nints, ngroups, _, nx = self._samples_of(parts)
        cut = self.cut_of(tiling, parts)
        if cut.ints >= nints:
            return 0
        stores, together = 0, False
        for k, p in enumerate(parts):
            # A fold right behind a step that had all integrations reads from the same store again.
            waits = _waits(p, self.exposure) and k > 0 and not (p.part.folds and together)
            stores, together = stores + waits, _has_all(p, self.exposure)
        size = RampStore.bytes_of(Box(0, cut.rows + 2 * _halo(parts), 0, nx), nints, ngroups)
        return stores * size if size > KEPT_BYTES else 0

    @property
    def passes(self) -> list[str]:
        """What is read, in order, as sentences."""
        lines: list[str] = []
        passes = self.tilings
        for number, (tiling, parts) in enumerate(passes):
            lines += [f"measure {p.name}: reads {p.part.looks_at}" for p in parts if p.part.looks_at]
            lines += [f"measure {p.name}: reads all frames" for p in parts if p.surveys_all]
            chain = " → ".join(p.name for p in parts) or "nothing"
            blocks = _blocks(self.cut_of(tiling, parts), tiling, _halo(parts), self._samples_of(parts))
            lines.append(f"{blocks}: {chain}")
            for size, _ in self._stores[number : number + 1]:
                scratch = f"scratch space in {self.resources.scratch}"
                place = "memory" if size <= self.kept_bytes else scratch
                lines.append(f"keep the ramps in {place}: {size / 1e6:.0f} MB")
        if self.scratch_bytes:
            lines.append(
                f"scratch space: up to {self.scratch_bytes / 1e6:.0f} MB in {self.resources.scratch}"
            )
        return lines

    @property
    def memory(self) -> int:
        """Projected peak memory of the process in bytes."""
        kept = sum(
            _product_bytes(o.product, self.exposure_at(o.after + 1)) for o in self.outputs if o.path is None
        )
        work = max(self._working(tiling, parts) for tiling, parts in self.tilings)
        return process_bytes() + work + self._between(True) + kept

    def _working(self, tiling: Tiling, parts: Sequence[PlacedPart]) -> int:
        """Memory of all threads in a pass."""
        return (self._with_frames if tiling is Tiling.FRAMES else self._with_rows)(parts)

    def _with_frames(self, parts: Sequence[PlacedPart]) -> int:
        """Memory of a pass over frames: integrations side by side, or the groups of one."""
        nints, _, ny, nx = self._samples_of(parts)
        cut = self.cut_of(Tiling.FRAMES, parts)
        # samples with flags, or rates, and what they are replaced by
        block = 10 * cut.groups if self.exposure.readout else 40
        work = min(self.threads, nints) * block + self.threads * self._scratch(parts)
        return ny * nx * max(work, self._surveyed(parts))

    def _surveyed(self, parts: Sequence[PlacedPart]) -> int:
        """What the steps of a pass take of whole frames, bytes per pixel."""
        return self.threads * max((p.part.frame_bytes(p.parameters) for p in parts), default=0)

    def _scratch(self, parts: Sequence[PlacedPart]) -> int:
        """What the steps of a pass take, bytes per pixel."""
        steps = {p.position: p.plan for p in parts}.values()
        return sum(s.step.scratch_bytes(self.exposure, s.references) for s in steps)

    def _with_rows(self, parts: Sequence[PlacedPart]) -> int:
        """Memory of a pass over rows."""
        nints, ngroups, ny, nx = self._samples_of(parts)
        cut = self.cut_of(Tiling.ROWS, parts)
        pixels = min(cut.rows + 2 * _halo(parts), ny) * nx
        samples = cut.ints * (cut.groups if self.exposure.readout else 6)
        # samples and their flags, what is being read; rates of each integration; images of references
        per_pixel = 7 * samples + 28 * cut.ints + 40 + self._scratch(parts)
        more = 0
        if cut.ints < nints:
            ramps = RampStore.bytes_of(Box(0, pixels // nx, 0, nx), nints, ngroups)
            more += ramps if ramps <= KEPT_BYTES else 0
            if any(_has_all(p, self.exposure) for p in parts):
                more += 8 * nints * ngroups * (cut.rows + 2) * (cut.columns + 2)
        return max(self.threads * (pixels * per_pixel + more), self._surveyed(parts) * ny * nx)

    @property
    def advice(self) -> str:
        """What may make it fit, if it does not."""
        in_memory = any(output.path is None for output in self.outputs)
        if in_memory:
            return f"save results to files (save_results=True streams them), or {super().advice}"
        return super().advice


def _halo(parts: Sequence[PlacedPart]) -> int:
    return sum(p.part.halo(p.exposure, p.parameters) for p in parts)


def _exposure_after(steps: Sequence[StepPlan], exposure: Exposure) -> Exposure:
    """Return an exposure as it is after some steps."""
    for plan in steps:
        if plan.applied:
            exposure = plan.step.exposure_after(exposure, plan.step.parameters)
    return exposure


def _samples(exposure: Exposure) -> tuple[int, int, int, int]:
    """Integrations, groups, rows and columns of an exposure."""
    ny, nx = exposure.shape[-2:]
    return exposure.nints, exposure.ngroups if exposure.readout else 1, ny, nx


def _waits(placed: PlacedPart, exposure: Exposure) -> bool:
    """Tell whether a part needs all integrations before it goes on with one."""
    return placed.part.folds or _has_all(placed, exposure)


def _has_all(placed: PlacedPart, exposure: Exposure) -> bool:
    return placed.part.all_integrations(exposure, placed.parameters)


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


def allowed(steps: Sequence[PlannedStep], resources: Resources) -> Resources:
    """Return what a run of these steps may use: no more threads than the most that one of them was given.

    Blocks go through all steps on one thread, so the number holds for the run. Where no step was given any
    (``maximum_cores``), all threads of the run work.
    """
    asked = [(step, step.asked_cores) for step in steps if not step.is_left_out]
    numbers = [
        cores(c, available_threads(), f"{step_name(s)}.maximum_cores") for s, c in asked if c is not None
    ]
    return replace(resources, threads=min(resources.threads, max(numbers))) if numbers else resources


def plan_steps(steps: Sequence[PlannedStep], model: Any, exposure: Exposure) -> list[StepPlan]:
    """Decide for each step whether it applies, and find the references of those that do."""
    plans = [_decide(step, exposure) for step in steps]
    _skip_without_input(plans, exposure)
    wanted = [p for p in plans if p.applied]
    kinds = [(p, p.step.reference_types_of(exposure, p.step.parameters)) for p in wanted]
    found = find_wanted_references([(p.step, kind) for p, some in kinds for kind in some], model)
    for plan, some in kinds:
        plan.references = {kind: found[plan.step, kind] for kind in some}
        skip_without_references(plan)
        _check_references(plan, _exposure_after(plans[: plans.index(plan)], exposure), model)
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
    try:
        reason = step.reason_to_skip(exposure, step.parameters)
    except FailedStep as failure:
        return StepPlan(step_name(step), step, False, str(failure), failed=True)
    return StepPlan(step_name(step), step, reason is None, reason or "applied")


def _skip_without_input(plans: Sequence[StepPlan], exposure: Exposure) -> None:
    """Skip steps on rates when no step before them makes rates, and steps on ramps after one that does."""
    kind = "rate" if exposure.readout is None else "ramp"
    for plan in plans:
        if plan.applied and plan.step.consumes not in (kind, "any"):
            plan.skip(f"works on {plan.step.consumes}s, but the data are {kind}s at this point")
        elif plan.applied and plan.step.consumes != "any":
            kind = plan.step.produces
