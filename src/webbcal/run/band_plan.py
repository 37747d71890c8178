"""The plan of band steps on an exposure: which apply, how high bands are, and what memory they take.

`plan_steps` decides for each band step whether it applies and finds its references; `BandPlan` adds the bands
and the memory, and refuses what will not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from webbcal.run.exposure import Exposure
from webbcal.run.planning import (
    PROCESS_BYTES,
    RunPlan,
    StepPlan,
    find_references,
    skip_without_references,
    step_name,
    told_to_skip,
)

if TYPE_CHECKING:
    from webbcal.run.band_step import BandStep

#: Bytes of float32 samples that a band should hold, so that it stays in a core's cache.
BAND_BYTES = 4 << 20


@dataclass
class BandPlan(RunPlan):
    """The plan of a run of band steps."""

    exposure: Exposure

    @property
    def subject(self) -> str:
        """What it works on, in words."""
        return self.exposure.description

    @property
    def halo(self) -> int:
        """Rows that are read around a band."""
        return sum(s.step.halo(s.step.parameters) for s in self.applied)

    @property
    def band_rows(self) -> int:
        """Interior rows of a band: as many as fit a core's cache, and enough bands for all threads."""
        ny, nx = self.exposure.shape[-2:]
        row = 4 * nx * _samples(self.exposure)
        rows = max(BAND_BYTES // row, 4 * self.halo, 1)
        return max(1, min(rows, -(-ny // self.threads)))

    @property
    def passes(self) -> list[str]:
        """What is read, in order, as sentences."""
        measured = [s.name for s in self.applied if getattr(s.step, "measures_data", False)]
        nbands = -(-self.exposure.frame.shape[0] // self.band_rows)
        lines = [f"measure {name}: reads the border of the frame" for name in measured]
        chain = " → ".join(s.name for s in self.applied) or "nothing"
        lines.append(f"{nbands} bands of {self.band_rows} rows (+{self.halo} rows of halo): {chain}")
        return lines

    @property
    def memory(self) -> int:
        """Projected peak memory of the process in bytes."""
        rows = min(self.band_rows + 2 * self.halo, self.exposure.shape[-2])
        pixels = rows * self.exposure.shape[-1]
        # samples and their flags, what is being read; rates of each integration; images of references
        per_pixel = 7 * _samples(self.exposure) + 28 * self.exposure.nints + 40
        per_pixel += sum(s.step.scratch_bytes(self.exposure, s.references) for s in self.applied)
        kept = sum(_product_bytes(o.product, self.exposure) for o in self.outputs if o.path is None)
        return PROCESS_BYTES + self.threads * pixels * per_pixel + kept

    @property
    def advice(self) -> str:
        """What may make it fit, if it does not."""
        return f"save results to files (save_results=True streams them), or {super().advice}"


def _samples(exposure: Exposure) -> int:
    return exposure.shape[0] * exposure.shape[1] if len(exposure.shape) == 4 else 6 * exposure.nints


def _product_bytes(product: str, exposure: Exposure) -> int:
    ny, nx = exposure.shape[-2:]
    per_pixel = {
        "ramp": 5 * _samples(exposure) + 4,
        "image": 20,
        "ints": 20 * exposure.nints,
        "optional": 36 * exposure.nints * (1 + exposure.shape[1] // 2 if len(exposure.shape) == 4 else 1),
    }
    return ny * nx * per_pixel[product]


def plan_steps(steps: Sequence[BandStep], model: Any, exposure: Exposure) -> list[StepPlan]:
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


def _decide(step: BandStep, exposure: Exposure) -> StepPlan:
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
