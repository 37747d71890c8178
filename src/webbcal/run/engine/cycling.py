"""Steps on superstripes: one position of the cycle after another, as exposures in stripes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from webbcal.core.errors import InputError
from webbcal.run.engine import stream
from webbcal.run.engine.block_plan import PlannedStep
from webbcal.run.exposure import Exposure
from webbcal.run.planning import Output, warn_of_repetition
from webbcal.run.run import Run
from webbcal.run.superstripes import Assembly, Cycle, Woven, position

log = logging.getLogger(__name__)


def run_alone(step: PlannedStep, model: Any, run: Run) -> Any:
    """Run one step on a model of superstripes; return them, or the ramps that they make up.

    Raises
    ------
    InputError
        If the step works on the frame that superstripes make up.
    """
    check_takes(step, model)
    if not run.is_part:
        warn_of_repetition(model, step)
    cycle, scratch = Cycle.of_model(model), run.resources.scratch
    whole = Assembly(model, cycle, scratch) if step.joins_superstripes else Woven(model, cycle, scratch)
    for k, cycles, (part,) in through_positions([step], model, cycle, run, [0]):
        whole.add(k, cycles, part)
    made = whole.finish()
    if step.streams:
        save(made, step, run)
    return made


def check_takes(step: PlannedStep, model: Any) -> None:
    """Refuse superstripes to a step that works on the frame that they make up.

    Raises
    ------
    InputError
        If it does.
    """
    if not (step.takes_superstripes or step.joins_superstripes):
        name, count = model.meta.filename or "input model", model.meta.subarray.num_superstripe
        raise InputError(
            f"{name}: each of its integrations reads other stripes (SSTR_NST = {count}), and "
            f"{step.class_alias} works on the frame that they make up; refpix puts it together: run the "
            "steps up to refpix first, or calwebb_detector1"
        )


def through_positions(
    steps: Sequence[PlannedStep], model: Any, cycle: Cycle, run: Run, after: Sequence[int]
) -> Iterator[tuple[int, range, list[Any]]]:
    """Take superstripes through some steps, as many integrations of a position at once as fit into memory.

    Parameters
    ----------
    steps : sequence of step
    model : DataModel
    cycle : Cycle
    run : Run
    after : sequence of int
        Positions in `steps` after which the ramps are wanted.

    Yields
    ------
    int
        Position in the cycle.
    range
        Cycles.
    list of RampModel
        Their ramps, one for each of `after`.
    """
    for k, cycles in product(range(len(cycle)), cycle.stretches(model.source("data").shape)):
        log.info("superstripe %d of %d, cycles %d-%d", k + 1, len(cycle), cycles.start + 1, cycles.stop)
        part = position(model, cycle, k, cycles)
        plan = stream.make_plan(steps, part, Exposure.of_model(part), run)
        outputs = [Output(number, "ramp", None, number == len(steps) - 1) for number in after]
        yield k, cycles, stream.run_plan(plan.with_outputs(outputs), part, run)


def save(model: Any, step: PlannedStep, run: Run) -> None:
    """Save the product of a step; the model keeps its name."""
    step.check_output_folder()
    path, name = step.make_output_path(), model.meta.filename
    model.meta.filename = Path(path).name
    model.save(path)
    model.meta.filename = name
    run.note_saved(path)
