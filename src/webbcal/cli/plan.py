"""``webbcal plan``: show what a run would do; run nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from webbcal.core.errors import ParameterError
from webbcal.run.configuration import build_from_arguments, parse_arguments
from webbcal.run.parameters import StepParameters, parameter_table
from webbcal.run.planning import RunPlan, StepPlan

USAGE = """\
usage: webbcal plan STEP INPUT... [--parameter=value] ...

Takes the arguments of webbcal run, and prints the steps with the reason why each is applied or skipped, the
parameters with the origin of their values, the references, the passes over the data, the files that would
be written, and the memory it needs. Exits with 1 if the run would be refused."""


def main(words: Sequence[str]) -> int:
    """Print a plan."""
    arguments = parse_arguments(words)
    if not arguments.target or "help" in arguments.flags:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    if not arguments.positional:
        raise ParameterError(f"no input given: webbcal plan {arguments.target} INPUT")
    step = build_from_arguments(arguments)
    found = step.plan(*arguments.positional)
    plans = found if isinstance(found, list) else [found]
    print("\n\n".join(map(describe, plans)), flush=True)
    for plan in plans:
        plan.checked()
    return 0


def describe(plan: RunPlan) -> str:
    """Return a plan as text."""
    lines = [plan.subject, f"CRDS context: {plan.context or 'none used'}", "", "steps:"]
    for number, (_, same) in enumerate(groupby(plan.steps, lambda s: s.name), start=1):
        lines += _step_lines(number, list(same))
    if plan.passes:
        lines += ["", "passes:", *(f"  {text}" for text in plan.passes)]
    written = [f"  {o.path}" for o in plan.written]
    lines += ["", "writes:", *(written or ["  nothing"])]
    most, what = plan.resources.memory, "allowed" if plan.resources.limited else "available"
    have = f" of {most / 1e6:.0f} MB {what}" if most else ""
    lines += ["", f"memory: about {plan.memory / 1e6:.0f} MB{have}, {plan.threads} threads"]
    return "\n".join(lines)


def _step_lines(number: int, plans: Sequence[StepPlan]) -> list[str]:
    """Describe a step; of one that decides for each exposure, what differs between them."""
    first = next((plan for plan in plans if plan.applied), plans[0])
    status = "apply" if first.applied else "skip "
    lines = [f"  {number:2d} {status} {first.name}" + ("" if first.applied else f": {first.reason}")]
    if not first.applied:
        return lines
    others = [plan for plan in plans if not plan.applied]
    lines += [f"        not to {plan.exposure}: {plan.reason}" for plan in others]
    return lines + _details(first)


def _details(plan: StepPlan) -> list[str]:
    """List the parameters that are the step's own or were set, and the references."""
    lines = []
    common = parameter_table(StepParameters)
    for name, value in plan.step.get_pars().items():
        default = plan.step.origin(name) == "default"
        if not default or not (name in common or name.startswith("override_")):
            lines.append(f"        {name} = {value!r}  [{plan.step.origin(name)}]")
    found = {kind: r for kind, r in plan.references.items() if r is not None}
    lines += [f"        {kind.upper()} reference: {r.name}  [{r.origin}]" for kind, r in found.items()]
    none = [kind.upper() for kind in plan.references if kind not in found]
    return lines + [f"        no reference (N/A): {', '.join(none)}"] * bool(none)
