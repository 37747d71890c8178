"""Running planned band steps over an exposure, and making their products.

There is one way to run: plan, measure, stream, finish. A step alone, a pipeline, and a saved intermediate
result differ only in the list of steps and outputs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.run import planning, record
from webbcal.run.band_plan import BandPlan, plan_steps
from webbcal.run.band_step import BandStep
from webbcal.run.bands import (
    RATE_ARRAYS,
    Band,
    FileSink,
    MemorySink,
    RampBand,
    RampSource,
    RateSource,
    Sink,
    Source,
)
from webbcal.run.chain import Chain, Operation, SkipStep
from webbcal.run.exposure import Exposure
from webbcal.run.planning import Output, StepPlan
from webbcal.run.run import Run

log = logging.getLogger(__name__)


def run_alone(step: BandStep, init: Any, run: Run) -> Any:
    """Run one band step on a path or model, as the field's `Step.run` does."""
    model = open_input(step, init)
    plan = _plan_model(step, model, run)
    models = run_plan(plan, model, run)
    return models[0] if len(models) == 1 else tuple(models)


def plan_alone(step: BandStep, init: Any, run: Run) -> BandPlan:
    """Return the plan of running one band step on a path or model."""
    return _plan_model(step, open_input(step, init), run)


def _plan_model(step: BandStep, model: Any, run: Run) -> BandPlan:
    exposure = Exposure.of_model(model)
    check_consumes(step, exposure, model)
    plan = make_plan([step], model, exposure, run)
    products = final_products(plan)
    indices = range(len(products)) if len(products) > 1 else [None]
    plan.outputs = [
        Output(0, product, step.make_output_path(idx=index) if step.streams else None)
        for product, index in zip(products, indices, strict=True)
    ]
    return plan


def open_input(step: BandStep, init: Any) -> Any:
    """Open the input as the class of model that the step works on; never changes what was given."""
    from webbcal import datamodels

    model = step.open_model(init)
    if step.consumes == "ramp" and isinstance(model, datamodels.Level1bModel):
        return datamodels.RampModel(model)
    return model


def check_consumes(step: BandStep, exposure: Exposure, model: Any) -> None:
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


def make_plan(steps: Sequence[BandStep], model: Any, exposure: Exposure, run: Run) -> BandPlan:
    """Plan band steps on an opened model; outputs are added by the caller."""
    plans = plan_steps(steps, model, exposure)
    return BandPlan(plans, [], planning.crds_context(plans), run.resources, exposure)


def final_products(plan: BandPlan) -> list[str]:
    """Return the products that the last step leaves."""
    if plan.exposure.readout is None:
        return ["image" if len(plan.exposure.shape) == 2 else "ints"]
    return ["image", "ints"] if fits_rates(plan.steps) else ["ramp"]


def product_of(model: Any) -> str:
    """Return which product a model is."""
    return {"CubeModel": "ints", "ImageModel": "image"}.get(type(model).__name__, "ramp")


def fits_rates(steps: Sequence[StepPlan]) -> bool:
    """Tell whether these steps turn ramps into rates."""
    return any(s.applied and s.step.produces == "rate" for s in steps)


def run_plan(plan: BandPlan, model: Any, run: Run) -> list[Any]:
    """Run a plan; return a model for each of its outputs. On any error nothing is left behind."""
    plan.checked()
    source: Source = RampSource(model) if plan.exposure.readout else RateSource(model)
    chain, positions = _measured_chain(plan, source)
    sinks: list[Sink] = []
    optional: list[Any] = []
    lock = threading.Lock()

    def after_each(index: int, band: Band) -> None:
        position = positions[index] if index >= 0 else -1
        for output, sink in zip(plan.outputs, sinks, strict=True):
            if _effective(output.after, positions) == position:
                sink.put(band.interior, band_arrays(band, output.product))
        if index >= 0 and not isinstance(band, RampBand) and band.optional is not None:
            with lock:
                optional.append((band.interior, band.optional))
            band.optional = None

    display = run.progress
    display.start("calibrating", -(-plan.exposure.shape[-2] // plan.band_rows))
    try:
        sinks += (_sink(output, plan, model) for output in plan.outputs)
        counts = chain.run(plan.band_rows, plan.threads, after_each, display)
        if chain.reviewed(counts, plan.band_rows):
            optional.clear()
            counts = chain.run(plan.band_rows, plan.threads, after_each, display)
        for operation, position in zip(chain.operations, positions, strict=True):
            plan.steps[position].seconds = operation.seconds
        models = [
            sink.finish(_finished_model(output, plan, model, chain, positions, counts))
            for output, sink in zip(plan.outputs, sinks, strict=True)
        ]
        _save_optional(plan, model, optional, chain, counts)
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise
    finally:
        display.stop()
    run.note_done(plan.steps)
    for output, made in zip(plan.outputs, models, strict=True):
        if output.path is not None:
            run.closes(made)
            run.note_saved(output.path)
    return models


def _measured_chain(plan: BandPlan, source: Source) -> tuple[Chain, list[int]]:
    """Build the chain, letting each step measure; return it and each operation's position in the plan."""
    chain, positions = Chain(source), []
    for position, step_plan in enumerate(plan.steps):
        if not step_plan.applied:
            log.info("step %s skipped: %s", step_plan.name, step_plan.reason)
            continue
        operation = Operation(step_plan.step, step_plan.step.parameters, step_plan.references, plan.exposure)
        try:
            chain.append(operation)
        except SkipStep as reason:
            step_plan.skip(str(reason))
            log.warning("step %s skipped: %s", step_plan.name, reason)
            continue
        positions.append(position)
        files = ", ".join(r.name for r in step_plan.references.values() if r is not None)
        log.info("step %s%s", step_plan.name, f" with {files}" if files else "")
    return chain, positions


def _effective(after: int, positions: list[int]) -> int:
    """Return the last applied step at or before a position (-1: the input itself)."""
    return max((p for p in positions if p <= after), default=-1)


def band_arrays(band: Band, product: str) -> dict[str, np.ndarray]:
    """Return the interior arrays of a band that belong to a product."""
    if isinstance(band, RampBand):
        return band.arrays()
    arrays = band.image if product == "image" else band.ints
    assert arrays is not None
    return arrays


def _sink(output: Output, plan: BandPlan, model: Any) -> Sink:
    if output.path is None:
        return MemorySink(plan.exposure.frame)
    return FileSink(output.path, product_model(output.product, model), _layout(output, plan, model))


def _layout(output: Output, plan: BandPlan, model: Any) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Return attribute -> (shape, dtype) of the arrays that will be streamed to a product's file."""
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
        if model.has("average_dark_current") or any(
            s.applied and s.name == "dark_current" for s in plan.steps[: output.after + 1]
        ):
            layout["average_dark_current"] = (image, np.float32)
        return layout
    full = image if product == "image" else (plan.exposure.nints, *image)
    return {name: (full, np.uint32 if name == "dq" else np.float32) for name in RATE_ARRAYS}


def product_model(product: str, model: Any) -> Any:
    """Return an empty model of a product with the input's metadata and tables."""
    from webbcal import datamodels

    classes = {
        "ramp": datamodels.RampModel,
        "image": datamodels.ImageModel,
        "ints": datamodels.CubeModel,
        "optional": datamodels.RampFitOutputModel,
    }
    cls = type(model) if product == "ramp" and isinstance(model, datamodels.RampModel) else classes[product]
    result = cls()
    result.update(model)
    tables = {"ramp": ("group", "int_times", "refout"), "ints": ("int_times",)}.get(product, ())
    for name in tables:
        if model.has(name):
            setattr(result, name, getattr(model, name))
    return result


def _finished_model(
    output: Output, plan: BandPlan, model: Any, chain: Chain, positions: list[int], counts: Any
) -> Any:
    """Return the metadata carrier of a product: keywords and record of the steps up to its position."""
    result = product_model(output.product, model)
    for operation, position in zip(chain.operations, positions, strict=True):
        if position <= output.after:
            operation.step.finish(result, plan.exposure, counts, operation.state)
    record.append(result, plan.steps[: output.after + 1], plan.context)
    if output.path is not None:
        result.meta.filename = Path(output.path).name
    return result


def _save_optional(plan: BandPlan, model: Any, results: list[Any], chain: Chain, counts: Any) -> None:
    if not results:
        return
    step = next(s.step for s in plan.applied if s.step.produces == "rate")
    optional = product_model("optional", model)
    for operation in chain.operations:
        if operation.step.produces != "rate":
            operation.step.finish(optional, plan.exposure, counts, operation.state)
    record.append(optional, plan.steps, plan.context)
    step.save_optional(optional, sorted(results, key=lambda r: r[0].y0))
