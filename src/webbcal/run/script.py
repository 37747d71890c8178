"""The script of a pipeline: its steps in order, and what each gets; stated once, walked by plan and by run.

`decide` walks a script deciding, `perform` walks it doing. What depends on the input (its kind, its
association) is decided where the script is made, from the opened input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webbcal.run.planning import Output, StepPlan, opaque, step_name, told_to_skip
from webbcal.run.run import Run
from webbcal.run.step import Step


@dataclass(frozen=True)
class Task:
    """A step of a script.

    Attributes
    ----------
    step : Step
    more : tuple
        What it is given beside the data.
    unless : str or None
        Why it has no place in this run, if it has none.
    aside : bool
        Whether the script goes on with what the step was given, not with what it made.
    destination : str or None
        Where the script saves what it makes, so that it can be written there at once.
    """

    step: Step
    more: tuple[Any, ...] = ()
    unless: str | None = None
    aside: bool = False
    destination: str | None = None

    @property
    def takes_part(self) -> bool:
        """Whether the step is run, as far as it was not told otherwise."""
        return self.unless is None and not self.step.is_left_out


@dataclass(frozen=True)
class Product:
    """A place in a script where the data are what the pipeline makes.

    Attributes
    ----------
    path : str
        It gets its name here, and is saved when the script has come to an end, well or not.
    saved : bool
        Whether it is saved.
    look : callable
        Is shown the product before it has its name, and the path.
    """

    path: str
    saved: bool
    look: Callable[[Any, str], None]


Script = Sequence[Task | Product]


def decide(script: Script, data: Any) -> tuple[list[StepPlan], list[Output]]:
    """Decide of each step whether it applies; return that, and the files that will be written."""
    steps: list[StepPlan] = []
    outputs: list[Output] = []
    for item in script:
        if isinstance(item, Product):
            outputs += [Output(len(steps) - 1, "image", item.path)] * item.saved
            continue
        plans = _decided(item, data)
        steps += plans
        if any(plan.applied for plan in plans):
            outputs += _outputs(item, data, len(steps) - 1)
        if item.takes_part and not item.aside:
            data = item.step.foresee(data)
    return steps, outputs


def outputs_of(script: Script, data: Any) -> list[Output]:
    """Return all files that a script may write, before its steps are asked whether they apply."""
    outputs: list[Output] = []
    for position, item in enumerate(script):
        if isinstance(item, Product):
            outputs += [Output(position, "image", item.path)] * item.saved
        elif item.takes_part:
            outputs += _outputs(item, data, position)
            data = data if item.aside else item.step.foresee(data)
    return outputs


def perform(script: Script, data: Any, run: Run) -> Any:
    """Run a script; return what its steps have made of the data."""
    kept: list[tuple[Product, Any]] = []
    try:
        for item in script:
            if isinstance(item, Product):
                item.look(data, item.path)
                data.meta.filename = Path(item.path).name
                kept.append((item, data))
            elif item.unless is None:
                made = item.step.start(data, *item.more, destination=item.destination).result
                data = data if item.aside else made
    finally:  # a product is there whatever becomes of the steps after it, and says what did
        for product, model in kept:
            if product.saved:
                model.save(product.path)
                run.note_saved(product.path)
    return data


def _decided(task: Task, data: Any) -> list[StepPlan]:
    told = told_to_skip(task.step)
    if told is not None:
        return [told]
    if task.unless is not None:
        return [StepPlan(step_name(task.step), task.step, False, task.unless)]
    if task.step.is_opaque:
        return [opaque(task.step)]
    return task.step.decided(data, *task.more)


def _outputs(task: Task, data: Any, position: int) -> list[Output]:
    """Return what a step writes; what it makes for its pipeline to save is the pipeline's."""
    models = data if isinstance(data, (list, tuple)) else [data]
    made = [("image", path) for path in task.step.output_paths(models) if path != task.destination]
    return [Output(position, kind, path) for kind, path in [*made, *task.step.extra_products().items()]]
