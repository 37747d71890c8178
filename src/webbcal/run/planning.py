"""Planning: what will be done, why, with which references, in how much memory; before the first byte is read.

`plan_steps` decides for each band step whether it applies and finds its references; `RunPlan` adds the bands
and the memory, and refuses what will not fit.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webbcal.core.errors import PlanError
from webbcal.run.chain import available_threads
from webbcal.run.exposure import Exposure

if TYPE_CHECKING:
    from webbcal.run.band_step import BandStep
    from webbcal.run.step import Step

#: Bytes of float32 samples that a band should hold, so that it stays in a core's cache.
BAND_BYTES = 4 << 20
#: What the interpreter and the libraries take before any data (measured, see docs/benchmarks.md).
PROCESS_BYTES = 165 << 20


@dataclass
class StepPlan:
    """One step of a run: applied or not and why, with its references."""

    name: str
    step: Any
    applied: bool
    reason: str
    references: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    #: Tried on this exposure, without success: `applied` is then False too.
    failed: bool = False
    #: What the step measured, for the run record: names and plain values.
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """COMPLETE, SKIPPED or FAILED: what the product's keyword says."""
        return "COMPLETE" if self.applied else "FAILED" if self.failed else "SKIPPED"

    def skip(self, reason: str) -> None:
        """Turn to skipped."""
        self.applied, self.reason = False, reason


@dataclass
class Output:
    """A product of a run: what is kept after which step, and where it goes (None: stays in memory)."""

    after: int
    product: str
    path: str | None


@dataclass
class RunPlan:
    """Everything that is known of a run before it starts."""

    exposure: Exposure
    steps: list[StepPlan]
    outputs: list[Output]
    context: str | None
    threads: int = field(default_factory=available_threads)

    @property
    def applied(self) -> list[StepPlan]:
        """The steps that will do something."""
        return [s for s in self.steps if s.applied]

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

    def check_memory(self) -> None:
        """Refuse a run that will not fit.

        Raises
        ------
        PlanError
            Saying how much is needed, how much there is, and what to change.
        """
        available = available_memory()
        if available is not None and self.memory > available:
            raise PlanError(
                f"this run needs about {self.memory / 1e9:.1f} GB, but {available / 1e9:.1f} GB are free: "
                "save results to files (save_results=True streams them), or use fewer threads "
                "(WEBBCAL_THREADS=1)"
            )


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


def _kilobytes(file: str, field: str) -> int | None:
    """Return a size in bytes from a file of /proc that lists kilobytes, or None."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), None)


def peak_memory() -> int:
    """Return the most bytes of memory that this process has held."""
    peak = _kilobytes("/proc/self/status", "VmHWM:")
    if peak is not None:  # what getrusage says would include the parent's memory when it forked
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def available_memory() -> int | None:
    """Return the bytes of memory that can still be used, or None where the system does not tell."""
    available = _kilobytes("/proc/meminfo", "MemAvailable:")
    if available is not None:
        return available
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


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
    name = step.class_alias or step.name
    if step.skip and step.parent is not None:
        return StepPlan(name, step, False, f"skip = True ({step.origin('skip')})")
    reason = step.reason_to_skip(exposure, step.parameters)
    return StepPlan(name, step, reason is None, reason or "applied")


def skip_without_references(plan: StepPlan) -> None:
    """Skip a step that lacks a reference that it cannot do without."""
    for kind, reference in plan.references.items():
        if reference is None and kind not in plan.step.optional_reference_types:
            plan.skip(f"no {kind.upper()} reference (N/A)")
            return


def _skip_without_input(plans: Sequence[StepPlan], exposure: Exposure) -> None:
    """Skip steps on rates when no step before them makes rates, and steps on ramps after one that does."""
    kind = "rate" if exposure.readout is None else "ramp"
    for plan in plans:
        if plan.applied and plan.step.consumes != kind:
            plan.skip(f"works on {plan.step.consumes}s, but the data are {kind}s at this point")
        elif plan.applied:
            kind = plan.step.produces


def find_references(
    steps: Sequence[Step], types: Sequence[str] | None, model: Any
) -> dict[tuple[Step, str], Any]:
    """Find the references of several steps: the user's overrides, and the best ones in one CRDS lookup.

    Returns
    -------
    dict
        (step, type) -> `Reference`, or None for N/A. Steps that use the same file share one object.
    """
    from webbcal.references.reference import Reference

    wanted = [(step, kind) for step in steps for kind in types or step.reference_file_types]
    overrides = {(s, k): s.get_ref_override(k) for s, k in wanted}
    asked = list(dict.fromkeys(k for (s, k), o in overrides.items() if o is None))
    best = _best(model, asked) if asked else {}
    shared: dict[tuple[str, Any], Any] = {}

    def reference(step: Step, kind: str) -> Any:
        override = overrides[step, kind]
        init = best[kind] if override is None else override
        if isinstance(init, str) and init.strip() in ("N/A", ""):
            return None
        key = (kind, init if isinstance(init, str) else id(init))
        if key not in shared:
            shared[key] = Reference(kind, init, "crds" if override is None else "override")
        return shared[key]

    return {(step, kind): reference(step, kind) for step, kind in wanted}


def _best(model: Any, kinds: list[str]) -> dict[str, str]:
    from webbcal.references.bestrefs import best_references

    return best_references(model.get_crds_parameters(), kinds)


def crds_context(plans: Sequence[StepPlan]) -> str | None:
    """Return the CRDS context, if any reference came from CRDS."""
    if any(r is not None and r.origin == "crds" for p in plans for r in p.references.values()):
        from webbcal.references.bestrefs import context

        return context()
    return None
