"""Running planned block steps over an exposure, and making their products.

There is one way to run: plan, measure, stream, finish. A step alone, a pipeline, and a saved intermediate
result differ only in the list of steps and outputs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.core.errors import FailedStep, SkipStep
from webbcal.core.modes import mode_of
from webbcal.run import planning, record
from webbcal.run.engine.block_plan import (
    Beside,
    BlockPlan,
    PlacedPart,
    PlannedStep,
    allowed,
    plan_steps,
)
from webbcal.run.engine.blocks import RATE_ARRAYS, Block, RateBlock
from webbcal.run.engine.operation import Operation
from webbcal.run.engine.passes import Means, Pass, run_passes
from webbcal.run.engine.rows import Emit
from webbcal.run.engine.sinks import FileSink, Layout, MemorySink, Sink
from webbcal.run.engine.sources import RampSource, RateSource, Source
from webbcal.run.exposure import Exposure
from webbcal.run.planning import Output, StepPlan, warn_of_repetition
from webbcal.run.run import Run

log = logging.getLogger(__name__)


def run_alone(step: PlannedStep, model: Any, run: Run) -> Any:
    """Run one block step on a model (`open_input`), as the field's `Step.run` does."""
    if not run.is_part:
        warn_of_repetition(model, step)
    plan = _plan_model(step, model, run)
    models = run_plan(plan, model, run)
    return models[0] if len(models) == 1 else tuple(models)


def plan_alone(step: PlannedStep, model: Any, run: Run) -> BlockPlan:
    """Return the plan of running one block step on a model."""
    return _plan_model(step, model, run)


def _plan_model(step: PlannedStep, model: Any, run: Run) -> BlockPlan:
    exposure = Exposure.of_model(model)
    check_consumes(step, exposure, model)
    exposure.warn_of_contradictions()
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
    """Open the input as the class of model that the step works on; never changes what was given.

    Raises
    ------
    InputError
        If it is several exposures.
    """
    from webbcal import datamodels
    from webbcal.core.errors import InputError

    model = step.open_model(init)
    if not hasattr(model, "meta"):
        given, takes_one = type(init).__name__, type(step).__name__
        raise InputError(f"a {given} is given to {takes_one}, which takes one exposure; run it for each")
    of_no_kind = step.consumes == "ramp" and not model.get_primary_array_name()
    if of_no_kind or (step.consumes != "rate" and isinstance(model, datamodels.Level1bModel)):
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
    if step.consumes != "any" and ramps != (step.consumes == "ramp"):
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
    resources = allowed(steps, run.resources)
    return BlockPlan(plans, [], planning.crds_context(plans), resources, exposure, extras)


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
    kinds = {"CubeModel": "ints", "ImageModel": "image", "IFUImageModel": "image"}
    return kinds.get(type(model).__name__, "ramp")


def run_plan(plan: BlockPlan, model: Any, run: Run) -> list[Any]:
    """Run a plan; return a model for each of its outputs. On any error nothing is left behind."""
    plan.checked()
    _tell_of_surprises(plan.steps)
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


def _tell_of_surprises(plans: Sequence[StepPlan]) -> None:
    """Warn of steps that somebody has asked for, or that should have worked, and that will do nothing.

    That a step of a pipeline does not apply to an exposure is no surprise.
    """
    for plan in plans:
        if not plan.applied:
            step = plan.step
            asked = step.parent is None or (not step.skip and step.origin("skip") == "user")
            level = logging.WARNING if plan.failed or asked else logging.INFO
            log.log(level, "step %s %s: %s", plan.name, plan.status.lower(), plan.reason)


class _BlockRun:
    """A plan while it runs: its passes, the sinks of its products, and what its steps found."""

    def __init__(self, plan: BlockPlan, model: Any) -> None:
        self.plan, self.model = plan, model
        self.source: Source = RampSource(model) if plan.exposure.readout else RateSource(model)
        self.stages = [_Stage(Pass(tiling), parts) for tiling, parts in plan.tilings]
        self.sinks: list[Sink] = []
        self.extra: list[RateBlock] = []
        self.beside: dict[tuple[int, str], _Beside] = {}
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
            again = self._revised()

    def _revised(self) -> bool:
        """Let steps judge what blocks told; return whether one asks for another run.

        Passes behind one that changes measure anew.
        """
        again = False
        for stage in self.stages:
            if again:
                stage.made.operations.clear()
                stage.bound = False
            else:
                again = any(list(map(Operation.revise, stage.made.operations)))
        return again

    @property
    def operations(self) -> list[Operation]:
        """The operations of all passes that are made, in order."""
        return [operation for stage in self.stages for operation in stage.made.operations]

    def _prepare(self, this: Pass, source: Source) -> None:
        """Bind the steps of a pass and let them measure, before its first run."""
        number = next(k for k, stage in enumerate(self.stages) if stage.made is this)
        stage = self.stages[number]
        if not stage.bound:
            for placed in stage.parts:
                self._bind(placed, this, source)
            stage.bound = True
        after = self.stages[number + 1].first if number + 1 < len(self.stages) else None
        this.emit = self._emitter(this, -1 if number == 0 else stage.first, after)

    def _bind(self, placed: PlacedPart, this: Pass, source: Source) -> None:
        step_plan = self.plan.steps[placed.position]
        if not step_plan.applied:  # a part before has found that the data do not allow the step
            return
        operation = Operation(
            placed.part, placed.position, placed.parameters, step_plan.references, placed.exposure
        )
        try:
            this.append(operation, source, self.plan.threads, self.plan.resources.scratch)
        except SkipStep as reason:
            step_plan.skip(str(reason))
            step_plan.failed = isinstance(reason, FailedStep)
            log.warning("step %s %s: %s", step_plan.name, step_plan.status.lower(), reason)
            return
        self._open_beside(placed)
        files = ", ".join(r.name for r in step_plan.references.values() if r is not None)
        log.info("step %s%s", step_plan.name, f" with {files}" if files else "")

    def _open_beside(self, placed: PlacedPart) -> None:
        """Begin the products that a step makes beside the ramps."""
        step = placed.plan.step
        for kind, path in step.extra_products().items():
            layout = step.extra_layout(kind, placed.exposure, placed.plan.references)
            if layout is not None and (placed.position, kind) not in self.beside:
                sink = FileSink(path, product_model(layout.model, self.model), layout.arrays)
                self.beside[placed.position, kind] = _Beside(layout, sink, path)

    def _emitter(self, this: Pass, first: int, end: int | None) -> Emit:
        """Return what takes the data after each operation of a pass to the products that are made there.

        A product is made after the last operation at or before its place in the plan.
        """
        targets: dict[int, list[tuple[str, Sink]]] = {}
        for output, sink in zip(self.plan.outputs, self.sinks, strict=True):
            if output.after >= first and (end is None or output.after < end):
                before = [k for k, op in enumerate(this.operations) if op.position <= output.after]
                targets.setdefault(max(before, default=-1), []).append((output.product, sink))

        positions = [operation.position for operation in this.operations]  # it must not refer to the pass

        def emit(index: int, block: Block) -> None:
            for product, sink in targets.get(index, ()):
                if block.product == product:
                    sink.put(block.interior, block.arrays(), block.leading)
            for piece in block.pieces:
                sink = self.beside[positions[index], piece.kind].sink
                sink.put(piece.pixels, piece.arrays, piece.leading)
            block.pieces = ()
            if isinstance(block, RateBlock) and block.extra is not None:
                with self._lock:
                    self.extra.append(replace(block, values={}))
                block.extra = None

        return emit

    def finish(self) -> list[Any]:
        """Complete the products."""
        for operation in self.operations:
            step_plan = self.plan.steps[operation.position]
            step_plan.seconds += operation.seconds
            operation.step.conclude(operation.exposure, operation.result, operation.state)
        models = [
            sink.finish(self._carrier(output))
            for output, sink in zip(self.plan.outputs, self.sinks, strict=True)
        ]
        self._save_beside()
        self._save_extra()
        return models

    def _carrier(self, output: Output) -> Any:
        """Return the metadata of a product: keywords and record of the steps up to its position."""
        model = product_model(output.product, self.model, in_file=output.path is not None)
        return self._described(model, output.after, output.path)

    def _described(self, model: Any, after: int, path: str | None) -> Any:
        """Set what the steps up to a position say of a product, their record, and the product's name."""
        for operation in self.operations:
            if operation.position <= after:
                operation.step.finish(model, operation.exposure, operation.result, operation.state)
        record.append(model, self.plan.steps[: after + 1], self.plan.context)
        if path is not None:
            model.meta.filename = Path(path).name
        return model

    def _save_beside(self) -> None:
        """Complete the products that steps have made beside the ramps."""
        for (position, _), beside in self.beside.items():
            if not self.plan.steps[position].applied:  # another run has found that the data do not allow it
                beside.sink.abort()
                continue
            model = self._described(product_model(beside.layout.model, self.model), position, beside.path)
            _set_metadata(model, beside.layout.meta)
            beside.sink.finish(model).close()
            self.plan.steps[position].step.note_saved(beside.path)

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
                operation.step.finish(model, operation.exposure, operation.result, operation.state)
        record.append(model, self.plan.steps, self.plan.context)
        return model

    def abort(self) -> None:
        """Leave nothing behind."""
        for sink in [*self.sinks, *(beside.sink for beside in self.beside.values())]:
            sink.abort()


@dataclass(frozen=True)
class _Beside:
    """A product that a step makes beside the ramps, while it is written."""

    layout: Beside
    sink: FileSink
    path: str


@dataclass
class _Stage:
    """A pass, and the parts of steps that it is made of."""

    made: Pass
    parts: Sequence[PlacedPart]
    bound: bool = False

    @property
    def first(self) -> int:
        """Position of its first step in the plan."""
        return self.parts[0].position


def _sink(output: Output, plan: BlockPlan, model: Any) -> Sink:
    layout = _layout(output, plan, model)
    if output.path is None:
        return MemorySink(plan.exposure_at(output.after + 1).frame, layout)
    return FileSink(output.path, product_model(output.product, model, in_file=True), layout)


def _layout(output: Output, plan: BlockPlan, model: Any) -> Layout:
    """Return the arrays of a product."""
    product, shape = output.product, plan.exposure_at(output.after + 1).shape
    image = shape[-2:]
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
    made = plan.exposure.readout is not None  # rates that were given keep the arrays that they have
    names = [name for name in RATE_ARRAYS if made or model.has(name)]
    return {name: (full, np.uint32 if name == "dq" else np.float32) for name in names}


def _is_ifu(model: Any) -> bool:
    """Tell whether light came through slices of the field (NIRSpec: lamps say so elsewhere)."""
    lamp = str(model.meta.instrument.lamp_mode or "") == "IFU"
    exp_type = model.meta.exposure.type
    return mode_of(exp_type).optics == "ifu" or (lamp and exp_type in ("NRS_AUTOWAVE", "NRS_LAMP"))


def product_model(product: str, model: Any, in_file: bool = False) -> Any:
    """Return an empty model of a product (or of a class) with the input's metadata and tables.

    With `in_file`, what the input has in its file is not read: for a product that is written before the input
    is closed.
    """
    from webbcal import datamodels
    from webbcal.datamodels.undeclared import take_over

    classes = {
        "ramp": datamodels.RampModel,
        "image": datamodels.IFUImageModel if _is_ifu(model) else datamodels.ImageModel,
        "ints": datamodels.CubeModel,
    }
    cls = classes.get(product) or getattr(datamodels, product)
    result = type(model)() if product == "ramp" and isinstance(model, datamodels.RampModel) else cls()
    result.update(model)
    if isinstance(model, type(result)):  # a copy of it, but for the arrays
        take_over(result, model)
    times = ("int_times", "int_times_stripe")
    tables = {"ramp": ("group", *times, "refout"), "ints": times}.get(product, ())
    for name in tables:
        if in_file and model.has(name):
            result.contents.tree[name] = model.contents.tree[name]
        elif model.has(name):
            setattr(result, name, getattr(model, name))
    return result


def _set_metadata(model: Any, values: Mapping[str, Any]) -> None:
    """Set metadata by dotted path below ``meta``."""
    for path, value in values.items():
        node = model.meta
        *parents, name = path.split(".")
        for parent in parents:
            node = getattr(node, parent)
        setattr(node, name, value)
