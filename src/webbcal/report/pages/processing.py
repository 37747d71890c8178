"""What was done: runs, steps, parameters, references, and how to do it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webbcal.core.html import Markup, element, folded, paragraph
from webbcal.report.account import Account, ParameterValue, ReferenceUse, RunAccount, StepAccount
from webbcal.report.again import recipe_of
from webbcal.report.explanation import OF_THE_FIRST, combines, head_of
from webbcal.report.pages.facts import size_of
from webbcal.report.pages.html import cell, section, table

_NO_RECORD = (
    "This file has no run record: webbcal did not make it, or the record was lost. What follows is what its "
    "keywords tell; reasons, parameters, times and checksums are not known."
)


def processing(account: Account) -> Markup:
    """Return the section on runs and their steps."""
    note = None if account.has_record or not account.runs else paragraph(_NO_RECORD, class_="note")
    nothing = None if account.runs else paragraph("The file says nothing of how it was made.", class_="note")
    runs = [_run(run, number) for number, run in enumerate(account.runs, 1)]
    return section("What was done", nothing, note, *runs, _again(account), id_="processing")


def _run(run: RunAccount, number: int) -> Markup:
    libraries = ", ".join(f"{name} {version}" for name, version in run.libraries.items())
    cost = [seconds(run.seconds)] if run.seconds is not None else []
    cost += [f"{run.threads} threads" if run.threads != 1 else "1 thread"] if run.threads else []
    context = [f"CRDS context {run.context}"] if run.context else []
    facts = [f"{run.software} {run.version}".strip(), run.date, *context, *cost]
    head = element("h3", f"{number}. {head_of(run)}") if run.call else None
    before = paragraph(OF_THE_FIRST, class_="facts") if number > 1 and combines(run) else None
    told = paragraph(" · ".join(part for part in facts if part), class_="facts")
    more = paragraph(libraries, class_="facts") if libraries else None
    return element("div", head, before, told, more, _steps(run.steps), class_="run")


def _steps(steps: Sequence[StepAccount]) -> Markup:
    most = max((step.seconds or 0.0 for step in steps), default=0.0)
    timed = any(step.seconds is not None for step in steps)
    columns = ["#", "step", "status", "why, and what it found"]
    columns += ["time", "peak memory"] if timed else []
    rows = []
    for number, step in enumerate(steps, 1):
        state = cell(element("span", step.status, class_=f"state {_class_of(step.status)}"))
        row: list[Any] = [number, step.name, state, _told(step)]
        if timed:
            spent = None if step.status == "skipped" and not step.seconds else step.seconds
            row += [_time(spent, most), _memory(step.peak_memory)]
        rows.append(row)
    return table(columns, rows, numbers=(0, 4, 5))


def _class_of(status: str) -> str:
    return status if status in ("applied", "skipped", "failed") else "unknown"


def _told(step: StepAccount) -> list[Any]:
    said: list[Any] = [step.reason] if step.reason else []
    if step.results:
        found = "; ".join(f"{name.replace('_', ' ')} {value_of(v)}" for name, v in step.results.items())
        said.append(element("div", found, class_="facts"))
    return said


def _time(spent: float | None, most: float) -> Markup:
    if spent is None:
        return cell("", -1)
    share = 0 if most <= 0 else round(100 * spent / most)
    bar = element("span", class_="bar", style=f"width:{share}%")
    return cell([seconds(spent), bar], spent, "number time")


def _memory(peak: int | None) -> Markup:
    return cell("" if peak is None else size_of(peak), -1 if peak is None else peak, "number")


def seconds(spent: float) -> str:
    """Return a time in words."""
    if spent < 1:
        return f"{1000 * spent:.0f} ms"
    return f"{spent:.1f} s" if spent < 120 else f"{spent / 60:.1f} min"


def value_of(value: Any) -> str:
    """Return a value as it is read best."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(value_of, value)) or "[]"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {value_of(v)}" for k, v in value.items())
    return str(value)


def _again(account: Account) -> Markup:
    recipe = recipe_of(account, "again")
    commands = [element("pre", str(command)) for command in recipe.commands]
    notes = [paragraph(note, class_="note") for note in recipe.notes]
    body = commands or [paragraph("It cannot be made again by a command.")]
    return folded("The command that makes it again", *body, *notes)


def parameters(account: Account) -> Markup | None:
    """Return the section on parameters: those that are not defaults, then all."""
    all_of = list(_parameters_of(account))
    if not all_of:
        return None
    changed = [row for row in all_of if not row[1].is_default]
    few = _table_of(changed) if changed else paragraph("All parameters have the defaults of the code.")
    return section(
        "Parameters",
        paragraph(f"{len(changed)} of {len(all_of)} parameters are not the defaults of the code."),
        few,
        folded(f"All {len(all_of)} parameters", _table_of(all_of)),
        id_="parameters",
    )


def _parameters_of(account: Account) -> Iterator[tuple[str, ParameterValue]]:
    """Yield those of pipelines and common ones (that were set), and all of steps."""
    told = {(step.name, parameter.name) for step in account.steps for parameter in step.parameters}
    for run in account.runs:
        for parameter in run.call.parameters if run.call else ():
            step, _, name = parameter.name.removeprefix("steps.").rpartition(".")
            if run.call and (step or run.call.target, name) not in told:
                yield step or run.call.target, ParameterValue(name, parameter.value, parameter.origin)
    for each in account.steps:
        yield from ((each.name, parameter) for parameter in each.parameters)


def _table_of(rows: Sequence[tuple[str, ParameterValue]]) -> Markup:
    lines = [[step, p.name, value_of(p.value), p.origin] for step, p in rows]
    return table(["step", "parameter", "value", "origin"], lines)


def references(account: Account) -> Markup | None:
    """Return the section on reference files."""
    used = [(step.name, r) for step in account.steps for r in step.references]
    used += [("", r) for run in account.runs for r in run.references]
    if not used:
        return None
    rows = [[step, r.kind.upper(), r.name, r.origin, _sha(r)] for step, r in used]
    return section(
        "Reference files", table(["step", "type", "file", "from", "sha256"], rows), id_="references"
    )


def _sha(reference: ReferenceUse) -> Markup | str:
    return element("code", reference.sha256) if reference.sha256 else ""
