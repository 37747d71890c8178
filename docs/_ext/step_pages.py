"""What the pages of steps and pipelines say that the code knows: no Sphinx here, so tests can use it too.

A page is ``steps/<alias>.md`` or ``pipelines/<alias>.md``. Steps of modes not calibrated yet share one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from webbcal.pipeline.other_modes import OtherModeStep
from webbcal.run.parameters import ParameterInfo, StepParameters, parameter_table
from webbcal.run.pipeline import Pipeline
from webbcal.run.registry import STEPS, step_class

DOCS = Path(__file__).resolve().parent.parent
#: How a page names a parameter: {par}`jump.rejection_threshold`.
PARAMETER = re.compile(r"\{par\}`(\w+)\.(\w+)`")


def classes() -> dict[str, Any]:
    """Return alias -> class of everything that the command line can run."""
    return {alias: step_class(alias) for alias in STEPS}


def pipelines() -> dict[str, Any]:
    """Return alias -> class of pipelines."""
    return {alias: cls for alias, cls in classes().items() if issubclass(cls, Pipeline)}


def steps() -> dict[str, Any]:
    """Return alias -> class of the steps that exist."""
    return {alias: cls for alias, cls in classes().items() if not issubclass(cls, (Pipeline, OtherModeStep))}


def planned_steps() -> dict[str, Any]:
    """Return alias -> class of the steps whose modes are not calibrated yet."""
    return {alias: cls for alias, cls in classes().items() if issubclass(cls, OtherModeStep)}


def page_of(alias: str) -> Path:
    """Return the page of a step or pipeline."""
    folder = "pipelines" if alias in pipelines() else "steps"
    name = "not_yet" if alias in planned_steps() else alias
    return DOCS / folder / f"{name}.md"


def own_parameters(cls: Any) -> list[ParameterInfo]:
    """Return the parameters that a class declares itself, or declares anew."""
    common = parameter_table(StepParameters)
    return [info for name, info in parameter_table(cls.Parameters).items() if common.get(name) != info]


def users_of(cls: Any) -> list[str]:
    """Return the pipelines that have a step."""
    return [alias for alias, pipeline in pipelines().items() if cls in pipeline.step_defs.values()]


def references_of(cls: Any) -> list[str]:
    """Return the types of references that a step may use, those that it can do without in brackets."""
    optional = cls.optional_reference_types
    return [f"({kind})" if kind in optional else kind for kind in cls.reference_file_types]


def documented_parameters() -> Iterator[tuple[Path, str, str]]:
    """Yield page, alias and name of each parameter that pages mention by its role."""
    for page in sorted(DOCS.rglob("*.md")):
        if "_build" not in page.parts:
            for alias, name in PARAMETER.findall(page.read_text()):
                yield page, alias, name


def default_of(info: ParameterInfo) -> str:
    """Return a default as a user would write it."""
    return "required" if info.required else repr(info.default)


def allowed(info: ParameterInfo) -> str:
    """Return what values a parameter takes."""
    if info.options:
        text = ", ".join(str(o) for o in info.options)
    else:
        text = " or ".join("any" if kind is object else kind.__name__ for kind in info.types)
        text += f" of {info.element.__name__}" if info.element else ""
    bounds = [f"{sign} {b:g}" for sign, b in (("≥", info.ge), ("≤", info.le)) if b is not None]
    return ", ".join([text, *bounds, *(["None"] if info.optional else [])])
