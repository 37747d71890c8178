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
        What it is given beside the data, as users' hooks and steps see it.
    beside : tuple
        What it is given after that, which they do not see: jwst does not give it.
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
    beside: tuple[Any, ...] = ()

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


@dataclass(frozen=True)
class Turn:
    """A place where a script goes on with another form of the data; nothing is computed.

    Attributes
    ----------
    into : callable
        From the data to what the script goes on with; also of data that are only planned with.
    """

    into: Callable[[Any], Any]


@dataclass(frozen=True)
class Branch:
    """A place from which on the steps work on a copy: what comes out of the script is what came here.

    Arrays are copied only if a step that follows may change them.
    """


Script = Sequence[Task | Product | Turn | Branch]


def steps_in(script: Script) -> list[Step]:
    """Return the steps of a script that take part in a run."""
    return [item.step for item in script if isinstance(item, Task) and item.takes_part]


def decide(script: Script, data: Any) -> tuple[list[StepPlan], list[Output]]:
    """Decide of each step whether it applies; return that, and the files that will be written."""
    steps: list[StepPlan] = []
    outputs: list[Output] = []
    for item in script:
        if isinstance(item, Product):
            outputs += [Output(len(steps) - 1, "image", item.path)] * item.saved
        if not isinstance(item, Task):
            data = item.into(data) if isinstance(item, Turn) else data
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
        elif isinstance(item, Turn):
            data = item.into(data)
        elif isinstance(item, Task) and item.takes_part:
            outputs += _outputs(item, data, position)
            data = data if item.aside else item.step.foresee(data)
    return outputs


def perform(script: Script, data: Any, run: Run) -> Any:
    """Run a script; return what its steps have made of the data, as far as its branch if it has one."""
    kept: list[tuple[Product, Any]] = []
    result = None
    try:
        for place, item in enumerate(script):
            if isinstance(item, Product):
                item.look(data, item.path)
                data.meta.filename = Path(item.path).name
                kept.append((item, data))
            elif isinstance(item, Branch):
                result, data = data, data.copy(shallow=not _changes(script[place:]))
            elif isinstance(item, Turn):
                data = item.into(data)
            elif item.unless is None:
                step = item.step
                made = step.start(data, *item.more, beside=item.beside, destination=item.destination).result
                data = data if item.aside else made
    finally:  # a product is there whatever becomes of the steps after it, and says what did
        for product, model in kept:
            if product.saved:
                model.save(product.path)
                run.note_saved(product.path)
    return data if result is None else result


def _changes(script: Script) -> bool:
    """Tell whether steps of a script may change arrays of what they are given; hooks and users' steps may."""
    return any(
        step.is_opaque or step.pre_hooks or step.post_hooks or not step.only_reads
        for step in steps_in(script)
    )


def _decided(task: Task, data: Any) -> list[StepPlan]:
    told = told_to_skip(task.step)
    if told is not None:
        return [told]
    if task.unless is not None:
        return [StepPlan(step_name(task.step), task.step, False, task.unless)]
    if task.step.is_opaque:
        return [opaque(task.step)]
    return task.step.decided(data, *task.more, *task.beside)


def _outputs(task: Task, data: Any, position: int) -> list[Output]:
    """Return what a step writes; what it makes for its pipeline to save is the pipeline's."""
    models = data if isinstance(data, (list, tuple)) else [data]
    made = [("image", path) for path in task.step.output_paths(models) if path != task.destination]
    return [Output(position, kind, path) for kind, path in [*made, *task.step.extra_products().items()]]
