"""A step or pipeline in a notebook: its parameters, each with the origin of its value."""

from __future__ import annotations

from typing import Any

from webbcal.core.html import Markup, folded, paragraph
from webbcal.notebook.html import aside, page, shortened, table
from webbcal.run.parameters import ParameterInfo, StepParameters, parameter_table


def step_html(step: Any) -> str:
    """Return a step as HTML: what it does, its own parameters, those that all have, and its steps."""
    kind = type(step).__name__
    title = kind if step.name == kind else f"{kind}: {step.name}"
    steps = [_part(getattr(step, name)) for name in step.step_defs]
    return page(title, paragraph(shortened(_said(step))), *_parameters(step, opened=not steps), *steps)


def _said(step: Any) -> str:
    return (type(step).__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _part(step: Any) -> Markup:
    """Return a step of a pipeline, folded; what was set is told in its line."""
    changed = [n for n in step.parameter_infos() if step.origin(n) != "default"]
    told = ", ".join(f"{name} = {getattr(step, name)}" for name in changed)
    line = [f"{step.name} ", aside(told or "defaults")]
    inner = [_part(getattr(step, name)) for name in step.step_defs]
    return folded(line, paragraph(shortened(_said(step))), *_parameters(step), *inner)


def _parameters(step: Any, opened: bool = False) -> list[Markup]:
    common = parameter_table(StepParameters)
    infos = step.parameter_infos()
    own = [info for name, info in infos.items() if common.get(name) != info]
    shared = [info for name, info in infos.items() if common.get(name) == info]
    parts = [folded("parameters", _table(step, own), opened=opened)] if own else []
    return [*parts, folded("parameters of all steps", _table(step, shared))]


def _table(step: Any, infos: list[ParameterInfo]) -> Markup:
    rows = [
        (
            info.name,
            getattr(step, info.name),
            step.origin(info.name),
            info.help + (f" [{info.unit}]" if info.unit else ""),
        )
        for info in infos
    ]
    changed = [step.origin(info.name) != "default" for info in infos]
    return table(("parameter", "value", "origin", "meaning"), rows, changed)
