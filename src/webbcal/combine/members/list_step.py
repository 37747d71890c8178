"""Steps that work on several exposures together: a list of models in, the same list out.

A list step declares its parameters, when it applies (to all exposures, and to each), and `apply`, which
changes the models and says for each what came of it. Opening the members of an association, recording and
saving are done for it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from webbcal import datamodels
from webbcal.associations import as_level3
from webbcal.associations.association import Association
from webbcal.associations.containers import association_of, is_container, is_library
from webbcal.associations.sources import is_association_name, is_model
from webbcal.combine.members.opening import check_data, open_members, warn_of_mixtures
from webbcal.combine.members.sizes import describe, sizes_of
from webbcal.core.threads import run_on_threads
from webbcal.library import ModelContainer, ModelLibrary
from webbcal.library.groups import group_of as own_group_of
from webbcal.run import record
from webbcal.run.planning import ModelPlan, Output, StepPlan, step_name, told_to_skip, working_bytes
from webbcal.run.run import Run
from webbcal.run.step import Step

log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What a step made of one exposure: applied, skipped or failed, why, and what it measured."""

    status: Literal["applied", "skipped", "failed"] = "applied"
    reason: str = "applied"
    results: dict[str, Any] = field(default_factory=dict)

    def tell(self, plan: StepPlan) -> None:
        """Tell the plan of the exposure what came of it."""
        plan.applied, plan.failed = self.status == "applied", self.status == "failed"
        plan.reason, plan.results = self.reason, self.results


class ListStep(Step):
    """A step from a list of models to the list; see the module's text."""

    takes = "list"
    #: Whether a container comes back as a library, as it does from some steps of jwst.
    gives_library: ClassVar[bool] = False

    def reason_to_skip(self, models: Sequence[Any], p: Any) -> str | None:
        """Return why the step does not apply to these exposures, or None; nothing but metadata is read."""
        return None

    def why_unusable(self, model: Any, p: Any) -> str | None:
        """Return why an exposure cannot take part, or None; the others go on without it."""
        return None

    def apply(self, models: list[Any], p: Any, run: Run) -> list[Outcome]:
        """Process those exposures that can take part, to be changed; return what came of each.

        Parameters
        ----------
        models : list of DataModel
            Arrays that are not loaded are best read through `source`, so that they do not stay in memory.
        p : Parameters
            The step's frozen parameters.
        run : Run
            The run, with what it may use.
        """
        raise NotImplementedError

    def prepare(self, models: list[Any], p: Any, run: Run) -> Callable[[int], Outcome]:
        """Return the function that processes the exposure of a number; it is called on several threads.

        By default `apply` processes all of them first.
        """
        return self.apply(models, p, run).__getitem__

    def put_down(self, run: Run, model: Any, index: int | None) -> Any:
        """Return an exposure that is finished, as it is handed on; steps may save it first."""
        return model

    def decide(self, models: Sequence[Any]) -> list[StepPlan]:
        """Decide for each exposure whether the step applies; nothing but metadata is read."""
        p = self.parameters
        reason = self.reason_to_skip(models, p)
        plans = []
        for model in models:
            unusable = self.why_unusable(model, p)
            plan = StepPlan(step_name(self), self, True, exposure=str(model.meta.filename))
            if unusable or reason:
                plan.skip(unusable or reason or "")
                plan.failed = unusable is not None
            plans.append(plan)
        return plans

    def checked(self, models: Sequence[Any], plans: list[StepPlan]) -> list[StepPlan]:
        """Return the plans; exposures that the step applies to must have data.

        Raises
        ------
        InputError
            If one has none.
        """
        for model, plan in zip(models, plans, strict=True):
            if plan.applied:
                check_data(model, str(model.meta.filename))
        return plans

    def decided(self, data: Any, *more: Any) -> list[StepPlan]:
        """Decide whether the step applies, for each exposure."""
        return self.decide(data if isinstance(data, (list, tuple)) else [data])

    def work(self, run: Run, *args: Any) -> Any:
        """Run the step on an association, a list of paths or models, or one; return the list of models.

        Models that are given are not changed (in a pipeline they are).
        """
        models = self.opened(run, args[0])
        start = time.perf_counter()
        plans = self.checked(models, self.decide(models))
        if not run.is_part:
            run.resources = self.project(run, models, plans).checked()
        first, usable = run.is_first, [k for k, plan in enumerate(plans) if plan.applied]
        process = self.prepare([models[k] for k in usable], self.parameters, run) if usable else None

        def finish(k: int) -> None:
            if process is not None and plans[k].applied:
                process(usable.index(k)).tell(plans[k])
            plans[k].seconds = time.perf_counter() - start
            self._note(models[k], plans[k], first)
            models[k] = self.put_down(run, models[k], k if len(models) > 1 else None)

        run_on_threads(finish, range(len(models)), run.resources.threads)
        run.note_done(plans)
        return models

    def run(self, *args: Any) -> Any:
        """Run the step on exposures; return them as they came: a list, library or container, or one alone."""
        result = super().run(*args)
        if not isinstance(result, list):
            return result
        if len(args) == 1 and is_container(args[0]):
            library = self.gives_library or is_library(args[0])
            held = in_their_places(args[0], result)
            if isinstance(args[0], ModelLibrary if library else ModelContainer):
                return args[0].holding(held)
            return ModelLibrary(held) if library else ModelContainer(held)
        return result[0] if len(result) == 1 and is_one(args[0]) else result

    def _note(self, model: Any, plan: StepPlan, first: bool) -> None:
        """Record what was done in a product, and warn if nothing was."""
        if not plan.applied:
            level = logging.ERROR if plan.failed else logging.WARNING
            log.log(level, "%s: %s %s: %s", model.meta.filename, plan.name, plan.status.lower(), plan.reason)
        record.append(model, [plan], None, join=not first)

    def planned(self, run: Run, *args: Any) -> ModelPlan:
        """Return the plan of running this step alone."""
        models = self.opened(run, args[0])
        return self.project(run, models, self.checked(models, self.decide(models)))

    def project(self, run: Run, models: Sequence[Any], plans: list[StepPlan]) -> ModelPlan:
        """Return the plan of this step alone, with what it writes and needs."""
        outputs = [Output(0, "image", path) for path in self.output_paths(models)]
        works = {self: sizes_of(models)} if any(plan.applied for plan in plans) else {}
        plan = ModelPlan(plans, outputs, None, run.resources, describe(models))
        return plan.fitted(lambda threads: working_bytes(works, threads))

    def open_model(self, init: Any, **kwargs: Any) -> Any:
        """Open what is given; of several exposures the first, which selects parameters."""
        if isinstance(init, (list, tuple)) or is_association(init):
            association = as_level3(self.located(init))
            member = association.products[0].science[0]
            init = member.model or association.resolve(member)
        return super().open_model(init, **kwargs)

    def opened(self, run: Run, init: Any) -> list[Any]:
        """Return models that the step may change."""
        if run.is_part and isinstance(init, (list, tuple)) and all(map(is_model, init)):
            return list(init)
        association = as_level3(self.located(init))
        models = [run.closes(model) for model in open_members(association.products[0], association)]
        warn_of_mixtures(models)
        if is_association(init):
            note_association(run, association, models)
        return models

    def opened_to_read(self, run: Run, init: Any) -> list[Any]:
        """Return models that the step only reads. A product of an association names the output."""
        if is_model(init):
            return [init]
        if isinstance(init, (list, tuple)) and init and all(map(is_model, init)):
            return list(init)
        if is_path(init) and not is_association(init):
            return [self.open_model(init)]
        association = as_level3(self.located(init))
        product = association.products[0]
        if product.name and not run.is_part:
            run.own_name = f"{product.name}{self.output_ext}"
        models = [
            member.model or run.closes(datamodels.open(association.resolve(member)))
            for member in product.science
        ]
        if is_association(init):
            note_association(run, association, models)
        return models

    def left_out(self, run: Run, model: Any) -> Any:
        """Record that a pipeline was told to leave this step out."""
        plan = told_to_skip(self)
        assert plan is not None
        join = not run.is_first
        for each in model if isinstance(model, (list, tuple)) else [model]:
            record.append(each, [plan], None, join=join)
        run.note_done([plan])
        return model


def is_path(init: Any) -> bool:
    """Tell whether an input is the path of a file."""
    return isinstance(init, (str, os.PathLike))


def in_their_places(held: Any, results: list[Any]) -> list[Any]:
    """Return the members of a container with results in the place of those that are science.

    Backgrounds and the like stay as they are.
    """
    members = association_of(held).products[0].members
    if sum(member.exptype == "science" for member in members) != len(results):
        return results
    rest = iter(results)
    return [next(rest) if member.exptype == "science" else member.model for member in members]


def is_one(init: Any) -> bool:
    """Tell whether an input is one exposure: a model, or the path of one."""
    return is_model(init) or (is_path(init) and not is_association(init))


def is_association(init: Any) -> bool:
    """Tell whether an input is an association: a file, what is in one, or a container of its models."""
    named = isinstance(init, (str, os.PathLike)) and is_association_name(init)
    return named or isinstance(init, Mapping) or is_container(init)


def note_association(run: Run, association: Association, models: Sequence[Any]) -> None:
    """Tell exposures, and the names of products, which association they are of."""
    run.asn_id = association.asn_id or run.asn_id
    for model in models:
        model.meta.asn.table_name, model.meta.asn.pool_name = association.filename, association.asn_pool


def group_of(model: Any) -> str:
    """Return the name of the exposure that a model is of: detectors that were read at once share it.

    ``meta.group_id`` if it is set, else made of the identifiers of the exposure, else of the file name.
    """
    return own_group_of(model) or str(model.meta.filename)


def groups_of(models: Sequence[Any]) -> dict[str, list[int]]:
    """Return group name -> positions in the list, in the order of first appearance."""
    groups: dict[str, list[int]] = {}
    for index, model in enumerate(models):
        groups.setdefault(group_of(model), []).append(index)
    return groups
