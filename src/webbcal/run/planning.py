"""Planning: what will be done, why, with which references and how much memory, before a pixel is read.

What all runs have in common: the plan of a step, of a run, and the search for references. How block steps are
planned is in `webbcal.run.engine.block_plan`; steps on models and lists of models plan themselves (`decide`).
"""

from __future__ import annotations

import logging
import math
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from webbcal.core.errors import InputError, PlanError
from webbcal.core.resources import Resources, kilobytes
from webbcal.run.naming import check_distinct
from webbcal.run.protocols import StepLike
from webbcal.run.run import Run, current

log = logging.getLogger(__name__)

#: What the interpreter and the libraries take before any data: of steps on blocks, and of steps on models,
#: which have libraries of their own beside that (`Step.library_bytes`). Measured: the peaks of runs on small
#: images (64 × 64 and 200 × 200 pixels), less their arrays.
_BLOCK_PROCESS, _MODEL_PROCESS = 172_000_000, 112_000_000
#: What crds takes where it had to be asked (what it has answered before is remembered). Measured so, too.
_CRDS = 44_000_000


def process_bytes(on_models: bool = False) -> int:
    """Return what a process takes before any data, once it has found its references."""
    return (_MODEL_PROCESS if on_models else _BLOCK_PROCESS) + _CRDS * ("crds" in sys.modules)


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
    #: What else the step works on.
    more: Sequence[Any] = ()

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
    #: Whether it is what a pipeline goes on with, or its result.
    handed_on: bool = False


@dataclass
class RunPlan:
    """Everything that is known of a run before it starts."""

    steps: list[StepPlan]
    outputs: list[Output]
    context: str | None
    resources: Resources

    @property
    def threads(self) -> int:
        """Threads that work at once."""
        return self.resources.threads

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
        if self.threads > 1:
            return "use fewer threads (--threads=1)"
        return "allow it more memory" if self.resources.limited else "run it where more is free"

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
        most = self.resources.memory
        if most is not None and self.memory > most:
            have = f"max_memory is {_size(most)}" if self.resources.limited else f"{_size(most)} are free"
            raise PlanError(f"this run needs about {_size(self.memory)}, but {have}: {self.advice}")

    def checked(self) -> Resources:
        """Return what the run may use, after making sure that it fits and that its products have own names.

        Raises
        ------
        PlanError, OutputError
            If not.
        """
        self.check_names()
        self.check_memory()
        return self.resources

    def check_names(self) -> None:
        """Refuse a run that would write two products to one file.

        Raises
        ------
        OutputError
            Naming the file.
        """
        check_distinct(str(output.path) for output in self.written)

    @property
    def written(self) -> list[Output]:
        """All files that the run writes."""
        return [output for output in self.outputs if output.path is not None]


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
        return process_bytes(on_models=True) + self.data_bytes

    def fitted(self, needs: Callable[[int], int]) -> Self:
        """Return this plan with as many threads as memory allows.

        Parameters
        ----------
        needs : callable
            From a number of threads to the bytes of data and of the steps' libraries.
        """
        for threads in range(self.resources.threads, 0, -1):
            self.resources = replace(self.resources, threads=threads)
            self.data_bytes = needs(threads)
            if self.resources.memory is None or self.memory <= self.resources.memory:
                break
        return self


@dataclass
class OpaquePlan(RunPlan):
    """The plan of a step that has a `process` of its own: nothing is known of its work before it is done."""

    title: str

    @classmethod
    def of(cls, step: StepLike, run: Run) -> OpaquePlan:
        """Return the plan of a step as part of a run."""
        plan = opaque(step)
        return cls([plan], [], None, run.resources, f"{run.name or step.name}: {plan.reason}")

    @property
    def subject(self) -> str:
        """What it works on, in words."""
        return self.title

    @property
    def memory(self) -> int:
        """What the process takes; that of the step's work is not known."""
        return process_bytes()


def opaque(step: StepLike) -> StepPlan:
    """Return the plan of a step with a `process` of its own."""
    reason = f"{type(step).__name__} has a process of its own: webbcal cannot look inside"
    return StepPlan(step_name(step), step, True, reason)


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


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
        Threads that work at once.
    in_file : bool
        Whether the mosaic goes straight to its file.
    """

    exposures: int
    pixels: int
    output: int
    threads: int = 1
    in_file: bool = False


def working_bytes(sizes: Mapping[Any, Sizes], threads: int) -> int:
    """Return the memory that these steps take, each on data of a size: one works at a time, in their order.

    Of the libraries that were loaded so far, those of the neediest step count: steps share most of them.
    """
    most = libraries = 0
    for step, size in sizes.items():
        libraries = max(libraries, step.library_bytes)
        most = max(most, libraries + step.scratch_bytes(replace(size, threads=threads), step.parameters))
    return most


def check_sizes(run: Run, sizes: Mapping[Any, Sizes], hint: str) -> None:
    """Refuse work that will not fit, where only now its size is known and not estimated.

    Parameters
    ----------
    run : Run
        Goes on with as many threads as fit.
    sizes : mapping
        Step -> what its memory depends on.
    hint : str
        What may make it fit.

    Raises
    ------
    PlanError
        If it does not.
    """
    plan = ModelPlan([], [], None, run.resources, "", hint=hint)
    run.resources = plan.fitted(lambda threads: working_bytes(sizes, threads)).checked()


def model_bytes(model: Any) -> int:
    """Return the bytes that an image or integrations take once calibrated: six planes and the pixel areas."""
    pixels = math.prod(model.shape or ())
    return 24 * pixels + 4 * math.prod((model.shape or ())[-2:])


def told_to_skip(step: StepLike) -> StepPlan | None:
    """Return the plan of a step that its pipeline was told to leave out, or None."""
    if step.is_left_out:
        return StepPlan(step_name(step), step, False, f"skip = True ({step.origin('skip')})")
    return None


def refuse_twice(model: Any, steps: Sequence[Any]) -> None:
    """Refuse an exposure that steps of a pipeline have changed before, and would change once more.

    Raises
    ------
    InputError
        Naming the first.
    """
    for step in steps:
        name = step.cal_step or step.class_alias
        if step.only_once and not step.is_left_out and getattr(model.meta.cal_step, name, None) == "COMPLETE":
            raise InputError(
                f"{model.meta.filename}: {step.class_alias} was applied to it already; give the exposure as "
                f"it was before, or run with --steps.{step.name}.skip=true"
            )


def warn_of_repetition(model: Any, step: Any) -> None:
    """Warn if a step that runs alone was applied to its input before, and changes it once more."""
    name = step.cal_step or step.class_alias or step_name(step)  # the step of a user may have no alias
    if getattr(model.meta.cal_step, name, None) != "COMPLETE" or step.get_pars().get("inverse"):
        return
    what = "the data are changed twice" if step.only_once else step.when_repeated
    if what:
        file = model.meta.filename or "the input"
        log.warning(
            "%s: %s was applied to it already, and is applied again: %s", file, step.class_alias, what
        )


def step_name(step: StepLike) -> str:
    """Return the name of a step in plans and records."""
    return step.class_alias or step.name


def skip_without_references(plan: StepPlan) -> None:
    """Skip a step that lacks a reference that it cannot do without."""
    for kind, reference in plan.references.items():
        if reference is None and kind not in plan.step.optional_reference_types:
            plan.skip(f"No {kind.upper()} reference file found (N/A)")
            return


def find_references(
    steps: Sequence[StepLike], types: Sequence[str] | None, model: Any
) -> dict[tuple[StepLike, str], Any]:
    """Find the references of several steps: the user's overrides, and the best ones in one CRDS lookup.

    Returns
    -------
    dict
        (step, type) -> `Reference`, or None for N/A. Steps that use the same file share one object.
    """
    wanted = [(step, kind) for step in steps for kind in types or step.reference_file_types]
    return find_wanted_references(wanted, model)


def find_wanted_references(
    wanted: Sequence[tuple[StepLike, str]], model: Any
) -> dict[tuple[StepLike, str], Any]:
    """Do what `find_references` does, for pairs of a step and a type."""
    from webbcal.references.reference import Reference

    run = current()
    overrides = {(s, k): s.get_ref_override(k) for s, k in wanted}
    asked = list(dict.fromkeys(k for (s, k), o in overrides.items() if o is None))
    best = _best(model, asked) if asked else {}
    shared: dict[tuple[str, Any], Any] = {}

    def reference(step: StepLike, kind: str) -> Any:
        override = overrides[step, kind]
        init = best[kind] if override is None else override
        if isinstance(init, str) and init.strip() in ("N/A", ""):
            return None
        key = (kind, init if isinstance(init, str) else id(init))
        if key not in shared:
            shared[key] = Reference(kind, init, "crds" if override is None else "override")
            if run is not None:
                run.closes(shared[key])
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
