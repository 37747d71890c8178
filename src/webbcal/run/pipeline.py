"""Pipelines: ordered tables of steps.

A pipeline holds its steps as attributes (`pipeline.jump.rejection_threshold = 6`). Running one splits its
steps into segments of consecutive block steps, each streamed in one go; a step with hooks of its own, or one
that works on whole models, ends a segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from webbcal.core.errors import ParameterError
from webbcal.run import hooks
from webbcal.run.block_step import BlockStep
from webbcal.run.engine import stream
from webbcal.run.engine.block_plan import BlockPlan
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import suggestion
from webbcal.run.planning import Output, StepPlan
from webbcal.run.step import Step


class Pipeline(Step):
    """A step made of steps; subclasses give `step_defs` and, where it depends on the exposure, `sequence`.

    Parameters
    ----------
    steps : mapping, optional
        Parameters of the steps: ``{"jump": {"rejection_threshold": 5}}``. Others as for `Step`.
    """

    saves_itself = True
    takes = "one"
    step_defs: ClassVar[Mapping[str, type[Step]]] = {}
    #: Product -> suffix of the pipeline's own results.
    product_suffixes: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        name: str | None = None,
        parent: Step | None = None,
        config_file: Any = None,
        steps: Mapping[str, Mapping[str, Any]] | None = None,
        **parameters: Any,
    ) -> None:
        per_step = dict(steps or {})
        per_step |= {k: parameters.pop(k) for k in list(parameters) if k in self.step_defs}
        super().__init__(name, parent, config_file, **parameters)
        self._done: list[StepPlan] = []  # model steps of the present run
        for key, cls in self.step_defs.items():
            step = cls(key, parent=self, config_file=config_file, **per_step.pop(key, {}))
            object.__setattr__(self, key, step)
        if per_step:
            unknown = next(iter(per_step))
            raise ParameterError(
                f"{type(self).__name__} has no step {unknown!r}{suggestion(unknown, self.step_defs)}"
            )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.step_defs:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def sequence(self, exposure: Exposure) -> Sequence[str]:
        """Return the names of the steps in the order in which they run on this exposure."""
        return list(self.step_defs)

    def intermediate_products(self) -> Mapping[str, str]:
        """Return step name -> suffix of products saved before that step (such as a calibrated ramp)."""
        return {}

    @property
    def reference_file_types(self) -> list[str]:  # type: ignore[override]
        """The reference types of all steps that are not skipped."""
        steps = [getattr(self, name) for name in self.step_defs]
        return list(dict.fromkeys(t for s in steps if not s.skip for t in s.reference_file_types))

    def get_pars(self, full_spec: bool = True) -> dict[str, Any]:
        """Return the parameters of the pipeline and, under "steps", of its steps."""
        pars = super().get_pars(full_spec)
        pars["steps"] = {name: getattr(self, name).get_pars(full_spec) for name in self.step_defs}
        return pars

    def update_pars(self, parameters: Mapping[str, Any]) -> None:
        """Set the parameters that exist, here and in the steps."""
        super().update_pars(parameters)
        for name, values in parameters.get("steps", {}).items():
            getattr(self, name).update_pars(values)

    # ---------------------------------------------------------------- running
    def process(self, *args: Any) -> Any:
        """Run all steps; return the main product."""
        first = getattr(self, next(iter(self.step_defs)))
        model = (
            stream.open_input(first, args[0]) if isinstance(first, BlockStep) else self.open_model(args[0])
        )
        exposure = Exposure.of_model(model)
        self._done = []
        segments = _segments([getattr(self, n) for n in self.sequence(exposure)])
        plans: list[BlockPlan] = []
        for number, steps in enumerate(segments):
            last = number == len(segments) - 1
            model = self._run_segment(steps, model, last, plans)
        self.record = plans
        return model

    def plan(self, init: Any) -> Any:
        """Return the plan of a run on this input, without running anything."""
        first = getattr(self, next(iter(self.step_defs)))
        model = stream.open_input(first, init)
        exposure = Exposure.of_model(model)
        plan = stream.make_plan([getattr(self, n) for n in self.sequence(exposure)], model, exposure)
        plan.outputs = self._outputs(plan, last=True)
        return plan

    def _run_segment(self, steps: list[Step], model: Any, last: bool, plans: list[BlockPlan]) -> Any:
        (head, *_), (*_, tail) = steps, steps
        (model,) = hooks.run_pre_hooks(head, (model,))
        if not isinstance(head, BlockStep):
            return head.run(model)
        block_steps = [s for s in steps if isinstance(s, BlockStep)]
        plan = stream.make_plan(block_steps, model, Exposure.of_model(model))
        plan.outputs = self._outputs(plan, last)
        models = stream.run_plan(plan, model)
        stream.note_saved(self, plan)
        plans.append(plan)
        return hooks.run_post_hooks(tail, models[0])

    def _outputs(self, plan: BlockPlan, last: bool) -> list[Output]:
        """List the products: first what the segment hands on, then what else is saved on the way."""
        end = len(plan.steps) - 1
        outputs = [
            Output(end, product, self._product_path(product) if last and self._streams else None)
            for product in stream.final_products(plan)
        ]
        if not (last and self.save_results):
            outputs = outputs[:1]
        for position, step_plan in enumerate(plan.steps):
            outputs += self._saved_on_the_way(plan, position)
            suffix = self.intermediate_products().get(step_plan.name)
            if suffix and plan.exposure.readout:
                outputs.append(Output(position - 1, "ramp", self.make_output_path(suffix=suffix)))
        return outputs

    def _product_path(self, product: str) -> str:
        return self.make_output_path(suffix=self.product_suffixes.get(product))

    def _saved_on_the_way(self, plan: BlockPlan, position: int) -> list[Output]:
        step = plan.steps[position].step
        # A step that finds that it has nothing to do hands its input on, and that is what is saved.
        if not (step.save_results or step.output_file) or step.skip:
            return []
        step.check_output_folder()
        ramp = plan.exposure.readout and not stream.fits_rates(plan.steps[: position + 1])
        products = ["ramp"] if ramp else ["image", "ints"]
        return [
            Output(position, product, self._path_on_the_way(step, product, index, len(products)))
            for index, product in enumerate(products)
        ]

    def _path_on_the_way(self, step: Step, product: str, index: int, several: int) -> str:
        suffixes = getattr(step, "product_suffixes", {})
        if product in suffixes:
            return step.make_output_path(suffix=suffixes[product])
        return step.make_output_path(idx=index if several > 1 else None)


def _segments(steps: Sequence[Step]) -> list[list[Step]]:
    """Cut a sequence of steps where data must be a whole model in memory."""
    segments: list[list[Step]] = []
    for step in steps:
        joins = bool(segments) and isinstance(step, BlockStep) and not step.pre_hooks
        joins = joins and isinstance(segments[-1][-1], BlockStep) and not segments[-1][-1].post_hooks
        if joins:
            segments[-1].append(step)
        else:
            segments.append([step])
    return segments
