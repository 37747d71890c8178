"""Pipelines: ordered tables of steps.

A pipeline holds its steps as attributes (`pipeline.jump.rejection_threshold = 6`). Running one splits its
steps into segments of consecutive block steps, each streamed in one go; a step with hooks of its own, or one
that works on whole models, ends a segment.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from webbcal.core.errors import ParameterError
from webbcal.run import hooks
from webbcal.run.block_step import BlockStep
from webbcal.run.configuration import parameters_of_step
from webbcal.run.engine import stream
from webbcal.run.engine.block_plan import BlockPlan
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import suggestion
from webbcal.run.planning import Output, opaque, refuse_twice, told_to_skip
from webbcal.run.run import Run
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
        per_step = parameters_of_step("steps", steps or {})
        per_step |= {k: parameters.pop(k) for k in list(parameters) if k in self.step_defs}
        super().__init__(name, parent, config_file, **parameters)
        for key, cls in self.step_defs.items():
            given = parameters_of_step(key, per_step.pop(key, {}))
            step = cls(key, parent=self, config_file=config_file, **given)
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

    def lead_in(self, run: Run, model: Any, exposure: Exposure) -> tuple[Any, Sequence[str]]:
        """Do what must be done before steps can stream.

        Returns
        -------
        DataModel
            What to go on with.
        sequence of str
            The steps that are left.
        """
        return model, self.sequence(exposure)

    def planned_on(self, model: Any) -> Any:
        """Return a model to plan with: what `lead_in` would return, without its data."""
        return model

    def intermediate_products(self) -> Mapping[str, str]:
        """Return step name -> suffix of products saved before that step (such as a calibrated ramp)."""
        return {}

    @property
    def reference_file_types(self) -> list[str]:  # type: ignore[override]
        """The reference types of all steps that are not skipped."""
        steps = [getattr(self, name) for name in self.step_defs]
        return list(dict.fromkeys(t for s in steps if not s.is_left_out for t in s.reference_file_types))

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

    def arranged(self, origin: str, **parameters: Any) -> Self:
        """Return this pipeline with other parameters for a run; its steps are those of the new one."""
        other = super().arranged(origin, **parameters)
        if other is not self:
            for name in self.step_defs:
                step = copy.copy(getattr(self, name))
                step.parent = other
                object.__setattr__(other, name, step)
        return other

    # ---------------------------------------------------------------- running
    def work(self, run: Run, *args: Any) -> Any:
        """Run all steps; return the main product."""
        model, names = self.lead_in(run, *self._first_opened(args[0]))
        segments = _segments([getattr(self, n) for n in names])
        models = [model]
        for number, steps in enumerate(segments):
            last = number == len(segments) - 1
            models = [made for model in models for made in self._run_segment(run, steps, model, last)]
        tail = segments[-1][-1]
        if self.streams and (tail.post_hooks or not _streams(tail)):
            self._save_products(run, models)
        run.others = models[1:]
        return models[0]

    def planned(self, run: Run, *args: Any) -> Any:
        """Return the plan of a run on this input, without running anything."""
        model = self.planned_on(self._first_opened(args[0])[0])
        exposure = Exposure.of_model(model)
        steps = [getattr(self, n) for n in self.sequence(exposure)]
        plan = stream.make_plan([s for s in steps if _streams(s)], model, exposure, run)
        plan = plan.with_outputs(self._outputs(plan, last=True))
        for position, step in enumerate(steps):
            if not _streams(step):
                plan.steps.insert(position, told_to_skip(step) or opaque(step))
        return plan

    def _first_opened(self, init: Any) -> tuple[Any, Exposure]:
        """Open the input as the first step takes it."""
        first = getattr(self, next(iter(self.step_defs)))
        model = stream.open_input(first, init) if isinstance(first, BlockStep) else self.open_model(init)
        exposure = Exposure.of_model(model).complete()
        refuse_twice(model, [getattr(self, name) for name in self.sequence(exposure)])
        return model, exposure

    def _run_segment(self, run: Run, steps: list[Step], model: Any, last: bool) -> list[Any]:
        """Run consecutive steps; return what they made: the main product, then others that are kept."""
        (head, *_), (*_, tail) = steps, steps
        block_steps = [s for s in steps if isinstance(s, BlockStep) and _streams(s)]
        if not block_steps:
            made = head.run(model)
            return list(made) if isinstance(made, tuple) else [made]
        (model,) = hooks.run_pre_hooks(head, (model,))
        plan = stream.make_plan(block_steps, model, Exposure.of_model(model), run)
        plan = plan.with_outputs(self._outputs(plan, last))
        handed_on = sum(output.after == len(plan.steps) - 1 and output.handed_on for output in plan.outputs)
        made = stream.run_plan(plan, model, run)[:handed_on]
        if not tail.post_hooks:
            return made
        made = [hooks.run_post_hooks(tail, product) for product in made]
        for output in self._saved_on_the_way(plan, len(plan.steps) - 1):
            changed = next((m for m in made if stream.product_of(m) == output.product), None)
            if changed is not None and output.path is not None:
                changed.save(output.path)
                run.note_saved(output.path)
        return made if self._keeps_all else made[:1]

    @property
    def _keeps_all(self) -> bool:
        """Whether all products are needed: they are saved, or a step saves what hooks may change."""
        steps = [getattr(self, name) for name in self.step_defs]
        hooked = any(step.pre_hooks or step.post_hooks for step in steps)
        return self.saves or (hooked and any(step.saves for step in steps))

    def _outputs(self, plan: BlockPlan, last: bool) -> list[Output]:
        """List the products: first what the segment hands on, then what else is saved on the way."""
        end = len(plan.steps) - 1
        written = last and self.streams and not plan.steps[end].step.post_hooks
        outputs = [
            Output(end, product, self._product_path(product) if written else None, True)
            for product in stream.final_products(plan)
        ]
        if not self._keeps_all:
            outputs = outputs[:1]
        for position, step_plan in enumerate(plan.steps):
            if position < end or not step_plan.step.post_hooks:  # what hooks change is saved after them
                outputs += self._saved_on_the_way(plan, position)
            suffix = self.intermediate_products().get(step_plan.name)
            if suffix and plan.exposure.readout:
                outputs.append(Output(position - 1, "ramp", self.make_output_path(suffix=suffix)))
        return outputs

    def _product_path(self, product: str) -> str:
        return self.make_output_path(suffix=self.product_suffixes.get(product))

    def save_result(self, run: Run) -> None:
        """Save what hooks have changed, or what is not streamed: each product under its own name."""
        if self.is_opaque and not self.product_suffixes:  # a user's own may return several
            super().save_result(run)
        else:
            self._save_products(run, [run.result, *run.others])

    def _save_products(self, run: Run, models: Sequence[Any]) -> None:
        for model in models:
            if hasattr(model, "save"):
                path = self._product_path(stream.product_of(model))
                model.meta.filename = Path(path).name
                model.save(path)
                run.note_saved(path)

    def _saved_on_the_way(self, plan: BlockPlan, position: int) -> list[Output]:
        step = plan.steps[position].step
        # A step that finds that it has nothing to do hands its input on, and that is what is saved.
        if not step.saves or step.is_left_out:
            return []
        step.check_output_folder()
        fitted = not plan.exposure.readout or stream.fits_rates(plan.steps[: position + 1])
        # Numbers tell products apart, also where a hook has cut the pipeline and each goes its own way.
        numbers: dict[str, int | None] = {"image": 0, "ints": 1} if fitted else {"ramp": None}
        made = stream.final_products(plan) if fitted else numbers
        return [
            Output(position, product, self._path_on_the_way(step, product, number))
            for product, number in numbers.items()
            if product in made
        ]

    def _path_on_the_way(self, step: Step, product: str, number: int | None) -> str:
        suffixes = getattr(step, "product_suffixes", {})
        if product in suffixes:
            return step.make_output_path(suffix=suffixes[product])
        return step.make_output_path(idx=number)


def _streams(step: Step) -> bool:
    """Tell whether a step can be streamed together with others."""
    return isinstance(step, BlockStep) and not step.is_opaque


def _segments(steps: Sequence[Step]) -> list[list[Step]]:
    """Cut a sequence of steps where data must be a whole model in memory."""
    segments: list[list[Step]] = []
    for step in steps:
        joins = bool(segments) and _streams(step) and not step.pre_hooks
        joins = joins and _streams(segments[-1][-1]) and not segments[-1][-1].post_hooks
        if joins:
            segments[-1].append(step)
        else:
            segments.append([step])
    return segments
