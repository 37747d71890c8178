"""How a product was made, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from webbcal.report.account import Account, RunAccount, StepAccount
from webbcal.report.again import Recipe

#: What is to be said of runs that combine exposures.
OF_THE_FIRST = "The runs before this one are those of the first of its exposures."


def combines(run: RunAccount) -> bool:
    """Tell whether a run combines exposures: a pipeline of stage 3, or something that was given several."""
    call = run.call
    return call is not None and (len(call.inputs) > 1 or call.target.endswith("3"))


def explain(account: Account, recipe: Recipe) -> list[str]:
    """Return how a product was made, and how it is made again, as lines."""
    number = len(account.runs)
    told = {0: "nothing is said of how it was made", 1: "made by one run"}.get(
        number, f"made by {number} runs"
    )
    if number and not account.has_record:
        told = "no run record; its keywords say"
    lines = [f"{account.path}: {account.kind}, {told}"]
    for position, run in enumerate(account.runs, 1):
        lines += ["", *_of_run(run, position)]
    return [*lines, "", *again(recipe)]


def again(recipe: Recipe) -> list[str]:
    """Return how a product is made again, as lines."""
    notes = [f"  note: {note}" for note in recipe.notes]
    if not recipe.commands:
        return ["it cannot be made again by a command:", *notes]
    return ["to make it again:", *(f"  {command}" for command in recipe.commands), *notes]


def head_of(run: RunAccount) -> str:
    """Return what was run on what, in a line."""
    if run.call is None:
        return "a run"
    given = [str(item.get("file") or f"{item.get('model')} (in memory)") for item in run.call.inputs]
    more = f" and {len(given) - 3} more" if len(given) > 3 else ""
    return f"{run.call.target} of {', '.join(given[:3]) or 'an unknown input'}{more}"


def _of_run(run: RunAccount, position: int) -> Iterator[str]:
    cost = [f"{run.seconds:.1f} s"] if run.seconds is not None else []
    cost += [f"{run.threads} thread{'s' * (run.threads != 1)}"] if run.threads else []
    software = f"{run.software} {run.version}".strip()
    context = [f"CRDS context {run.context}"] if run.context else []
    yield f"{position}. {head_of(run)}"
    facts = ", ".join(part for part in [software, run.date, *context, *cost] if part)
    if facts:
        yield f"   {facts}"
    if position > 1 and combines(run):
        yield f"   {OF_THE_FIRST}"
    if run.libraries:
        yield "   " + ", ".join(f"{name} {version}" for name, version in run.libraries.items())
    for step in run.steps:
        yield from _of_step(step)
    for reference in run.references:
        yield f"   {reference.kind.upper()} reference {reference.name}"


def _of_step(step: StepAccount) -> Iterator[str]:
    yield f"   {step.status:8s}{step.name}" + (f": {step.reason}" if step.reason else "")
    if step.status == "skipped":
        return
    set_ones = [f"{p.name} = {p.value} [{p.origin}]" for p in step.parameters if not p.is_default]
    if set_ones:
        yield f"             {'; '.join(set_ones)}"
    for reference in step.references:
        if reference.name != "N/A":
            sha = f"  sha256 {reference.sha256}" if reference.sha256 else ""
            yield f"             {reference.kind.upper()} {reference.name}{_from(reference.origin)}{sha}"


def _from(origin: str) -> str:
    return f" [{origin}]" if origin else ""


def script(recipes: Sequence[Recipe]) -> list[str]:
    """Return the commands alone, a line each, to be run by a shell."""
    return [str(command) for recipe in recipes for command in recipe.commands]
