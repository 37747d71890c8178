"""Planning: what will be done, why, with which references and how much memory, before a pixel is read.

What all runs have in common: the plan of a step, of a run, and the search for references. How block steps are
planned is in `webbcal.run.engine.block_plan`; steps on models and lists of models plan themselves (`decide`).
"""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from webbcal.core.errors import PlanError
from webbcal.core.resources import available_memory, available_threads, kilobytes

if TYPE_CHECKING:
    from webbcal.run.step import Step

#: What the interpreter and the libraries take before any data (measured, see docs/benchmarks.md).
PROCESS_BYTES = 165 << 20
#: The same of steps on models, which have libraries of their own (`Step.library_bytes`).
MODEL_PROCESS_BYTES = 125_000_000


@dataclass
class StepPlan:
    """One step of a run: applied or not and why, with its references."""

    name: str
    step: Any
    applied: bool
    reason: str = "applied"
    references: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    #: Tried on this exposure, without success: `applied` is then False too.
    failed: bool = False
    #: What the step measured, for the run record: names and plain values.
    results: dict[str, Any] = field(default_factory=dict)
    #: Of steps that decide for each exposure: which one.
    exposure: str = ""

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

    steps: list[StepPlan]
    outputs: list[Output]
    context: str | None
    _: KW_ONLY
    threads: int = field(default_factory=available_threads)

    @property
    def subject(self) -> str:
        """What it works on, in words."""
        raise NotImplementedError

    @property
    def passes(self) -> list[str]:
        """What is read, in order, as sentences."""
        return []

    @property
    def memory(self) -> int:
        """Projected peak memory of the process in bytes."""
        raise NotImplementedError

    @property
    def advice(self) -> str:
        """What may make it fit, if it does not."""
        return "use fewer threads (WEBBCAL_THREADS=1)"

    @property
    def applied(self) -> list[StepPlan]:
        """The steps that will do something."""
        return [s for s in self.steps if s.applied]

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
                f"{self.advice}"
            )


@dataclass
class ModelPlan(RunPlan):
    """The plan of steps that work on whole models.

    Attributes
    ----------
    title : str
        What it works on, in words.
    data_bytes : int
        Memory of data and of the steps' libraries, beside that of the process.
    notes : list of str
        What else there is to say.
    hint : str
        What may make it fit into memory, if it does not.
    """

    title: str
    data_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    hint: str = ""

    @property
    def subject(self) -> str:
        """What it works on, in words."""
        return "\n".join([self.title, *self.notes])

    @property
    def advice(self) -> str:
        """What may make it fit, if it does not."""
        return f"{self.hint}{super().advice}"

    @property
    def memory(self) -> int:
        """Projected peak memory of the process in bytes."""
        return MODEL_PROCESS_BYTES + self.data_bytes


def peak_memory() -> int:
    """Return the most bytes of memory that this process has held."""
    peak = kilobytes("/proc/self/status", "VmHWM:")
    if peak is not None:  # what getrusage says would include the parent's memory when it forked
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@dataclass(frozen=True)
class Sizes:
    """What the memory of steps on models depends on.

    Attributes
    ----------
    exposures : int
        Number of images that are combined.
    pixels : int
        Rows times columns of the largest.
    output : int
        Pixels of the mosaic.
    threads : int
    """

    exposures: int
    pixels: int
    output: int
    threads: int = field(default_factory=available_threads)


def working_bytes(sizes: Mapping[Any, Sizes]) -> int:
    """Return the memory that these steps take, each on data of a size: one works at a time.

    Of the libraries, those of the neediest step count: steps share most of them.
    """
    libraries = max((step.library_bytes for step in sizes), default=0)
    return libraries + max((step.scratch_bytes(n, step.parameters) for step, n in sizes.items()), default=0)


def model_bytes(model: Any) -> int:
    """Return the bytes that an image or integrations take once calibrated: six planes and the pixel areas."""
    pixels = math.prod(model.shape or ())
    return 24 * pixels + 4 * math.prod((model.shape or ())[-2:])


def told_to_skip(step: Step) -> StepPlan | None:
    """Return the plan of a step that its pipeline was told to leave out, or None."""
    if step.skip and step.parent is not None:
        return StepPlan(step_name(step), step, False, f"skip = True ({step.origin('skip')})")
    return None


def step_name(step: Step) -> str:
    """Return the name of a step in plans and records."""
    return step.class_alias or step.name


def skip_without_references(plan: StepPlan) -> None:
    """Skip a step that lacks a reference that it cannot do without."""
    for kind, reference in plan.references.items():
        if reference is None and kind not in plan.step.optional_reference_types:
            plan.skip(f"no {kind.upper()} reference (N/A)")
            return


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
