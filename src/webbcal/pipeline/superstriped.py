"""Superstripes in stage 1: the first steps on each position of the cycle, then the frame they make up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webbcal.core.errors import PlanError
from webbcal.run.block_step import BlockStep
from webbcal.run.engine import cycling
from webbcal.run.exposure import Exposure
from webbcal.run.pipeline import Pipeline
from webbcal.run.run import Run
from webbcal.run.superstripes import Assembly, Cycle, Woven, is_superstriped, whole_frame


class SuperstripedPipeline(Pipeline):
    """A pipeline of raw exposures: superstripes go through its first steps, and make up a frame."""

    def lead_in(self, run: Run, model: Any, exposure: Exposure) -> tuple[Any, Sequence[str]]:
        """Superstripes go through the first steps position by position, and are then put together."""
        names = self.sequence(exposure)
        if not is_superstriped(model):
            return model, names
        end = names.index("refpix") + 1
        return put_together(self, names[:end], model, run), names[end:]

    def planned_on(self, model: Any) -> Any:
        """Superstripes are planned as the frame that they make up."""
        return whole_frame(model) if is_superstriped(model) else model


def put_together(pipeline: Pipeline, names: Sequence[str], model: Any, run: Run) -> Any:
    """Run the first steps of a pipeline on superstripes, and return the ramps that they make up.

    One position goes through the steps after another, as many of its integrations at once as fit into memory.
    The ramps are in scratch space if they are large.

    Parameters
    ----------
    pipeline : Pipeline
    names : sequence of str
        The steps up to the correction with reference pixels, the last.
    model : DataModel
        The exposure.
    run : Run

    Raises
    ------
    InputError
        If the superstripes make up no frame.
    PlanError
        If a step is to work in a way that superstripes do not allow.
    """
    steps = [_checked(getattr(pipeline, name)) for name in names]
    cycle, scratch = Cycle.of_model(model), run.resources.scratch
    saving = [k for k, step in enumerate(steps[:-1]) if step.saves and not step.is_left_out]
    woven = {k: Woven(model, cycle, scratch) for k in saving}
    frame = Assembly(model, cycle, scratch)
    after = [len(steps) - 1, *saving]
    for k, cycles, (whole, *others) in cycling.through_positions(steps, model, cycle, run, after):
        frame.add(k, cycles, whole)
        for j, other in zip(saving, others, strict=True):
            woven[j].add(k, cycles, other)
    for j, some in woven.items():
        cycling.save(some.finish(), steps[j], run)
    ramp = frame.finish()
    if steps[-1].saves and not steps[-1].is_left_out:
        cycling.save(ramp, steps[-1], run)
    return ramp


def _checked(step: Any) -> BlockStep:
    """Return a step, if superstripes can go through it."""
    if not isinstance(step, BlockStep) or step.is_opaque or step.pre_hooks or step.post_hooks:
        raise PlanError(
            f"{step.name} of superstripes (SSTR_NST above 0) runs on one position of the cycle at a time: it "
            "takes no hooks and no class of the user's"
        )
    if step.class_alias == "refpix" and step.is_left_out:
        raise PlanError("superstripes (SSTR_NST above 0) are put together by refpix: it cannot be skipped")
    return step
