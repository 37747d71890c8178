"""Running planned block steps over an exposure, and making their products.

There is one way to run: plan, measure, stream, finish. A step alone, a pipeline, and a saved intermediate
result differ only in the list of steps and outputs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.core.errors import SkipStep
from webbcal.run import planning, record
from webbcal.run.engine.block_plan import BlockPlan, PlannedStep, plan_steps
from webbcal.run.engine.blocks import RATE_ARRAYS, Block, RateBlock
from webbcal.run.engine.operation import Operation
from webbcal.run.engine.passes import Means, Pass, run_passes
from webbcal.run.engine.rows import Emit
from webbcal.run.engine.sinks import FileSink, Layout, MemorySink, Sink
from webbcal.run.engine.sources import RampSource, RateSource, Source
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.planning import Output, StepPlan
from webbcal.run.run import Run

log = logging.getLogger(__name__)


def run_alone(step: PlannedStep, init: Any, run: Run) -> Any:
    """Run one block step on a path or model, as the field's `Step.run` does."""
    model = open_input(step, init)
    plan = _plan_model(step, model, run)
    models = run_plan(plan, model, run)
    return models[0] if len(models) == 1 else tuple(models)


def plan_alone(step: PlannedStep, init: Any, run: Run) -> BlockPlan:
    """Return the plan of running one block step on a path or model."""
    return _plan_model(step, open_input(step, init), run)


def _plan_model(step: PlannedStep, model: Any, run: Run) -> BlockPlan:
    exposure = Exposure.of_model(model)
    check_consumes(step, exposure, model)
    plan = make_plan([step], model, exposure, run)
    products = final_products(plan)
    indices = range(len(products)) if len(products) > 1 else [None]
    return plan.with_outputs(
        [
            Output(0, product, step.make_output_path(idx=index) if step.streams else None)
            for product, index in zip(products, indices, strict=True)
        ]
    )


def open_input(step: PlannedStep, init: Any) -> Any:
    """Open the input as the class of model that the step works on; never changes what was given."""
    from webbcal import datamodels

    model = step.open_model(init)
    if step.consumes == "ramp" and isinstance(model, datamodels.Level1bModel):
        return datamodels.RampModel(model)
    return model


def check_consumes(step: PlannedStep, exposure: Exposure, model: Any) -> None:
    """Refuse an input that this step cannot work on.

    Raises
    ------
    InputError
        If a ramp step is given rates or the reverse.
    """
    from webbcal.core.errors import InputError

    ramps = exposure.readout is not None
    if ramps != (step.consumes == "ramp"):
        wanted = "ramps (4-D, as in _uncal files)" if step.consumes == "ramp" else "rates (2-D or 3-D)"
        raise InputError(
            f"{exposure.filename}: {type(step).__name__} works on {wanted}, but this is a "
            f"{type(model).__name__} of shape {exposure.shape}"
        )


def make_plan(steps: Sequence[PlannedStep], model: Any, exposure: Exposure, run: Run) -> BlockPlan:
    """Plan block steps on an opened model; outputs are added by the caller."""
    plans = plan_steps(steps, model, exposure)
    extras = [
        Output(position, kind, path)
        for position, plan in enumerate(plans)
        if plan.applied
        for kind, path in plan.step.extra_products().items()
    ]
    return BlockPlan(plans, [], planning.crds_context(plans), run.resources, exposure, extras)


def final_products(plan: BlockPlan) -> list[str]:
    """Return the products that the last step leaves."""
    if plan.exposure.readout is None:
        return ["image" if len(plan.exposure.shape) == 2 else "ints"]
    return ["image", "ints"] if fits_rates(plan.steps) else ["ramp"]


def fits_rates(steps: Sequence[StepPlan]) -> bool:
    """Tell whether these steps turn ramps into rates."""
    return any(s.applied and s.step.produces == "rate" for s in steps)


def product_of(model: Any) -> str:
    """Return which product a model is."""
    return {"CubeModel": "ints", "ImageModel": "image"}.get(type(model).__name__, "ramp")


def run_plan(plan: BlockPlan, model: Any, run: Run) -> list[Any]:
    """Run a plan; return a model for each of its outputs. On any error nothing is left behind."""
    plan.checked()
    blocks = _BlockRun(plan, model)
    try:
        blocks.stream(Means(plan.threads, plan.kept_bytes, plan.resources.scratch, run.progress))
        models = blocks.finish()
    except BaseException:
        blocks.abort()
        raise
    finally:
        run.progress.stop()
        blocks.stages.clear()  # they refer back to it: arrays would wait for the garbage collector
    run.note_done(plan.steps)
    for output, made in zip(plan.outputs, models, strict=True):
        if output.path is not None:
            run.closes(made)
            run.note_saved(output.path)
    return models


class _BlockRun:
    """A plan while it runs: its passes, the sinks of its products, and what its steps found."""

    def __init__(self, plan: BlockPlan, model: Any) -> None:
        self.plan, self.model = plan, model
        self.source: Source = RampSource(model) if plan.exposure.readout else RateSource(model)
        self.stages = [_Stage(tiling, steps) for tiling, steps in plan.tilings]
        self.sinks: list[Sink] = []
        self.extra: list[RateBlock] = []
        self._lock = threading.Lock()

    def stream(self, means: Means) -> None:
        """Let all blocks pass through all steps, once more if a step asks for it."""
        self.sinks += (_sink(output, self.plan, self.model) for output in self.plan.outputs)
        again = True
        while again:
            self.extra.clear()
            for operation in self.operations:
                operation.result = None
            passes = [stage.made for stage in self.stages]
            run_passes(passes, self.source, means, self._prepare)
            again = any(list(map(Operation.revise, self.operations)))

    @property
    def operations(self) -> list[Operation]:
        """The operations of all passes that are made, in order."""
        return [operation for stage in self.stages for operation in stage.made.operations]

    def _prepare(self, this: Pass, source: Source) -> None:
        """Bind the steps of a pass and let them measure, before its first run."""
        number = next(k for k, stage in enumerate(self.stages) if stage.made is this)
        stage = self.stages[number]
        if not stage.bound:
            for position in stage.positions:
                self._bind(position, this, source)
            stage.bound = True
        after = self.stages[number + 1].positions[0] if number + 1 < len(self.stages) else None
        this.emit = self._emitter(this, -1 if number == 0 else stage.positions[0], after)

    def _bind(self, position: int, this: Pass, source: Source) -> None:
        step_plan = self.plan.steps[position]
        operation = Operation(
            step_plan.step, position, step_plan.step.parameters, step_plan.references, self.plan.exposure
        )
        try:
            this.append(operation, source, self.plan.threads)
        except SkipStep as reason:
            step_plan.skip(str(reason))
            log.warning("step %s skipped: %s", step_plan.name, reason)
            return
        files = ", ".join(r.name for r in step_plan.references.values() if r is not None)
        log.info("step %s%s", step_plan.name, f" with {files}" if files else "")

    def _emitter(self, this: Pass, first: int, end: int | None) -> Emit:
        """Return what takes the data after each operation of a pass to the products that are made there.

        A product is made after the last operation at or before its place in the plan.
        """
        targets: dict[int, list[tuple[str, Sink]]] = {}
        for output, sink in zip(self.plan.outputs, self.sinks, strict=True):
            if output.after >= first and (end is None or output.after < end):
                before = [k for k, op in enumerate(this.operations) if op.position <= output.after]
                targets.setdefault(max(before, default=-1), []).append((output.product, sink))

        def emit(index: int, block: Block) -> None:
            for product, sink in targets.get(index, ()):
                if block.product == product:
                    sink.put(block.interior, block.arrays(), block.leading)
            if isinstance(block, RateBlock) and block.extra is not None:
                with self._lock:
                    self.extra.append(replace(block, values={}))
                block.extra = None

        return emit

    def finish(self) -> list[Any]:
        """Complete the products."""
        for operation in self.operations:
            self.plan.steps[operation.position].seconds = operation.seconds
        models = [
            sink.finish(self._carrier(output))
            for output, sink in zip(self.plan.outputs, self.sinks, strict=True)
        ]
        self._save_extra()
        return models

    def _carrier(self, output: Output) -> Any:
        """Return the metadata of a product: keywords and record of the steps up to its position."""
        result = product_model(output.product, self.model)
        for operation in self.operations:
            if operation.position <= output.after:
                operation.step.finish(result, self.plan.exposure, operation.result, operation.state)
        record.append(result, self.plan.steps[: output.after + 1], self.plan.context)
        if output.path is not None:
            result.meta.filename = Path(output.path).name
        return result

    def _save_extra(self) -> None:
        """Let the step that made pieces of a further product save it."""
        if self.extra:
            step = next(s.step for s in self.plan.applied if s.step.produces == "rate")
            step.save_extra(self._extra_model, self.extra)

    def _extra_model(self, cls: str) -> Any:
        """Return an empty model of a class with the metadata and the record of the run."""
        model = product_model(cls, self.model)
        for operation in self.operations:
            if operation.step.produces != "rate":
                operation.step.finish(model, self.plan.exposure, operation.result, operation.state)
        record.append(model, self.plan.steps, self.plan.context)
        return model

    def abort(self) -> None:
        """Leave nothing behind."""
        for sink in self.sinks:
            sink.abort()


class _Stage:
    """A pass, and the positions in the plan of the steps that it is made of."""

    def __init__(self, tiling: Tiling, steps: Sequence[tuple[int, StepPlan]]) -> None:
        self.made = Pass(tiling)
        self.positions = [position for position, _ in steps]
        self.bound = False


def _sink(output: Output, plan: BlockPlan, model: Any) -> Sink:
    layout = _layout(output, plan, model)
    if output.path is None:
        return MemorySink(plan.exposure.frame, layout)
    return FileSink(output.path, product_model(output.product, model), layout)


def _layout(output: Output, plan: BlockPlan, model: Any) -> Layout:
    """Return the arrays of a product."""
    product = output.product
    shape, image = plan.exposure.shape, plan.exposure.shape[-2:]
    if product == "ramp":
        layout: dict[str, tuple[tuple[int, ...], Any]] = {
            "data": (shape, np.float32),
            "pixeldq": (image, np.uint32),
            "groupdq": (shape, np.uint8),
        }
        if model.has("zeroframe"):
            layout["zeroframe"] = ((shape[0], *image), np.float32)
        added = {name for s in plan.steps[: output.after + 1] if s.applied for name in s.step.adds}
        if model.has("average_dark_current") or "average_dark_current" in added:
            layout["average_dark_current"] = (image, np.float32)
        return layout
    full = image if product == "image" else (plan.exposure.nints, *image)
    return {name: (full, np.uint32 if name == "dq" else np.float32) for name in RATE_ARRAYS}


def product_model(product: str, model: Any) -> Any:
    """Return an empty model of a product (or of a class) with the input's metadata and tables."""
    from webbcal import datamodels

    classes = {
        "ramp": datamodels.RampModel,
        "image": datamodels.ImageModel,
        "ints": datamodels.CubeModel,
    }
    cls = classes.get(product) or getattr(datamodels, product)
    result = type(model)() if product == "ramp" and isinstance(model, datamodels.RampModel) else cls()
    result.update(model)
    tables = {"ramp": ("group", "int_times", "refout"), "ints": ("int_times",)}.get(product, ())
    for name in tables:
        if model.has(name):
            setattr(result, name, getattr(model, name))
    return result
