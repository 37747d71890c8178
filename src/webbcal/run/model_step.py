"""Steps that work on whole models: calibrated images, mosaics, catalogues.

A model step declares its parameters, its references, when it applies, and `apply`, one function from model
to model. Finding references, recording and saving are done for it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from webbcal.associations.containers import is_container, is_library, models_of
from webbcal.core.errors import FailedStep, InputError, SkipStep
from webbcal.run import record
from webbcal.run.exposure import Exposure
from webbcal.run.planning import (
    ModelPlan,
    Output,
    Sizes,
    StepPlan,
    crds_context,
    find_references,
    model_bytes,
    skip_without_references,
    step_name,
    told_to_skip,
    warn_of_repetition,
    working_bytes,
)
from webbcal.run.run import Run
from webbcal.run.step import Step

log = logging.getLogger(__name__)


class ModelStep(Step):
    """A step from model to model; see the module's text."""

    takes = "one"

    def reason_to_skip(self, model: Any, p: Any) -> str | None:
        """Return why the step does not apply to this model, or None."""
        return None

    def reference_types_of(self, model: Any) -> Sequence[str]:
        """Return the types of references that the step needs for this model."""
        return self.reference_file_types

    def apply(self, model: Any, references: Mapping[str, Any], p: Any, run: Run) -> Any:
        """Process a model, which is this step's own to change, and return the result.

        Parameters
        ----------
        model : DataModel
        references : mapping
            Reference type -> `Reference`, or None for an optional one that is N/A.
        p : Parameters
            The step's frozen parameters.

        Raises
        ------
        SkipStep
            When the data turn out not to allow the step.
        """
        raise NotImplementedError

    def check_reference(self, reference: Any, model: Any) -> None:
        """Make sure that a reference fits the model: by default, that it is of its detector and covers it."""
        reference.check(Exposure.of_model(model), model)

    def work(self, run: Run, *args: Any) -> Any:
        """Run the step on a path or model, or on each model of a container; an input model is not changed."""
        if is_container(args[0]) and not is_library(args[0]):
            made = type(args[0])([self.work(run, model, *args[1:]) for model in models_of(args[0])])
            made.asn_table = args[0].asn_table
            return made
        model = self.open_model(args[0])
        if hasattr(args[0], "meta") and not run.is_part:  # opening a model shares its contents
            model = model.copy()
        plan = self.decide(model, *args[1:])
        if not run.is_part:
            if plan.applied:
                warn_of_repetition(model, self)
            run.resources = self._project(run, model, plan).checked()
        result = model
        start = time.perf_counter()
        # That a step of a pipeline has nothing to do is no surprise; that the data do not allow it is one.
        level = logging.WARNING if plan.applied or not run.is_part else logging.INFO
        if plan.applied:
            try:
                result = self.perform(run, model, plan)
                record.hand_on(model, result)
            except SkipStep as reason:
                plan.skip(str(reason))
                plan.failed = isinstance(reason, FailedStep)
        if not plan.applied:
            log.log(level, "step %s %s: %s", plan.name, plan.status.lower(), plan.reason)
        plan.seconds = time.perf_counter() - start
        return self.recorded(run, plan, result)

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Do what was planned."""
        return self.apply(model, plan.references, self.parameters, run)

    def left_out(self, run: Run, model: Any) -> Any:
        """Record that a pipeline was told to leave this step out."""
        plan = told_to_skip(self)
        assert plan is not None
        return self.recorded(run, plan, model)

    def recorded(self, run: Run, plan: StepPlan, result: Any) -> Any:
        """Write what was done into the products; the steps of a pipeline make one entry together."""
        join = not run.is_first
        run.note_done([plan])
        for product in result if isinstance(result, (list, tuple)) else [result]:
            if hasattr(product, "meta"):
                record.append(product, [plan], crds_context([plan]), join=join)
        return result

    def save_result(self, run: Run) -> None:
        """Save the result, unless a pipeline goes on with what it gave because the step did not apply."""
        if not run.is_part or any(plan.applied for plan in run.done if plan.step is self):
            super().save_result(run)

    def decided(self, data: Any, *more: Any) -> list[StepPlan]:
        """Decide whether the step applies."""
        return [self.decide(data, *more)]

    def decide(self, model: Any, *more: Any) -> StepPlan:
        """Decide whether the step applies, and find its references; nothing but metadata is read.

        Parameters
        ----------
        model : DataModel
        *more
            What else `process` was given.
        """
        reason = self.reason_to_skip(model, self.parameters)
        plan = StepPlan(step_name(self), self, reason is None, reason or "applied")
        kinds = self.reference_types_of(model) if plan.applied else ()
        if kinds:
            found = find_references([self], kinds, model)
            plan.references = {kind: found[self, kind] for kind in kinds}
            skip_without_references(plan)
        if plan.applied:
            for reference in plan.references.values():
                if reference is not None:
                    self.check_reference(reference, model)
        return plan

    def planned(self, run: Run, *args: Any) -> ModelPlan:
        """Return the plan of running this step alone."""
        model = self.open_model(args[0])
        return self._project(run, model, self.decide(model, *args[1:]))

    def _project(self, run: Run, model: Any, step: StepPlan) -> ModelPlan:
        """Return the plan of this step alone, with what it writes and needs."""
        made = [("image", path) for path in self.output_paths([model])]
        outputs = [Output(0, kind, path) for kind, path in [*made, *self.extra_products().items()]]
        pixels = math.prod((model.shape or ())[-2:])
        sizes = {self: Sizes(1, pixels, pixels)} if step.applied else {}
        title = described(model)
        plan = ModelPlan([step], outputs, crds_context([step]), run.resources, title)
        return plan.fitted(lambda threads: model_bytes(model) + working_bytes(sizes, threads))


def described(model: Any) -> str:
    """Return a model in one line; a mosaic is no exposure of a detector."""
    try:
        return Exposure.of_model(model).description
    except InputError:
        shape = " × ".join(map(str, model.shape or ()))
        return f"{model.meta.filename}: {type(model).__name__}, {shape}"
