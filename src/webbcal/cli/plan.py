"""``webbcal plan``: show what a run would do; run nothing."""

from __future__ import annotations

from collections.abc import Sequence

from webbcal.core.errors import ParameterError
from webbcal.run import stream
from webbcal.run.band_step import BandStep
from webbcal.run.configuration import build_from_arguments, parse_arguments
from webbcal.run.parameters import StepParameters, parameter_table
from webbcal.run.pipeline import Pipeline
from webbcal.run.planning import RunPlan, StepPlan, available_memory
from webbcal.run.step import Step

USAGE = """\
usage: webbcal plan STEP INPUT [--parameter=value] ...

Takes the arguments of webbcal run, and prints the steps with the reason why each is applied or skipped, the
parameters with the origin of their values, the references, the passes over the data, the files that would
be written, and the memory it needs."""


def main(words: Sequence[str]) -> int:
    """Print a plan."""
    arguments = parse_arguments(words)
    if not arguments.target or "help" in arguments.flags:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    if not arguments.positional:
        raise ParameterError(f"no input given: webbcal plan {arguments.target} INPUT")
    step = build_from_arguments(arguments)
    step._streams = step.save_results
    print(describe(plan_of(step, arguments.positional[0])))
    return 0


def plan_of(step: Step, init: str) -> RunPlan:
    """Return the plan of running a step or pipeline on a file."""
    if isinstance(step, Pipeline):
        return step.plan(init)
    if isinstance(step, BandStep):
        return stream.plan_alone(step, init)
    raise ParameterError(f"{type(step).__name__} cannot be planned")


def describe(plan: RunPlan) -> str:
    """Return a plan as text."""
    e = plan.exposure
    lines = [
        f"{e.filename}: {e.instrument} {e.detector} {e.exp_type}, subarray {e.subarray}, "
        f"{' × '.join(map(str, e.shape))}",
        f"CRDS context: {plan.context or 'none used'}",
        "",
        "steps:",
    ]
    for number, step in enumerate(plan.steps, start=1):
        lines += _step_lines(number, step)
    lines += ["", "passes:", *(f"  {text}" for text in plan.passes)]
    lines += ["", "writes:", *(f"  {o.path}" for o in plan.outputs if o.path)]
    available = available_memory()
    have = f" of {available / 1e6:.0f} MB available" if available else ""
    lines += ["", f"memory: about {plan.memory / 1e6:.0f} MB{have}, {plan.threads} threads"]
    return "\n".join(lines)


def _step_lines(number: int, plan: StepPlan) -> list[str]:
    status = "apply" if plan.applied else "skip "
    lines = [f"  {number:2d} {status} {plan.name}" + ("" if plan.applied else f": {plan.reason}")]
    if not plan.applied:
        return lines
    common = parameter_table(StepParameters)
    for name, value in plan.step.get_pars().items():
        default = plan.step.origin(name) == "default"
        if not default or not (name in common or name.startswith("override_")):
            lines.append(f"        {name} = {value!r}  [{plan.step.origin(name)}]")
    for kind, reference in plan.references.items():
        where = "N/A" if reference is None else f"{reference.name}  [{reference.origin}]"
        lines.append(f"        {kind.upper()} reference: {where}")
    return lines
