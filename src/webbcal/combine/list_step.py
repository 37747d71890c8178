"""Steps that work on several exposures together: a list of models in, the same list out.

A list step declares its parameters and `apply`, which changes the models and says for each what came of it.
Opening the members of an association, recording and saving are done for it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from webbcal import datamodels
from webbcal.associations import as_level3
from webbcal.associations.sources import is_association_name, is_model
from webbcal.run import record
from webbcal.run.planning import StepPlan
from webbcal.run.step import Step

log = logging.getLogger(__name__)

#: What else the entry of a member may say; it goes into ``meta``.
_MEMBER_KEYS = ("group_id", "tweakreg_catalog")


@dataclass
class Outcome:
    """What a step made of one exposure: applied, skipped or failed, why, and what it measured."""

    status: Literal["applied", "skipped", "failed"] = "applied"
    reason: str = "applied"
    results: dict[str, Any] = field(default_factory=dict)


class ListStep(Step):
    """A step from a list of models to the list; see the module's text."""

    def apply(self, models: list[Any], p: Any) -> list[Outcome]:
        """Process the models, which are this step's own to change; return what came of each.

        Parameters
        ----------
        models : list of DataModel
            Arrays that are not loaded are best read through `source`, so that they do not stay in memory.
        p : Parameters
            The step's frozen parameters.
        """
        raise NotImplementedError

    def process(self, *args: Any) -> list[Any]:
        """Run the step on an association, a list of paths or models, or one; return the list of models.

        Models that are given are not changed (in a pipeline they are).
        """
        models = self._own(args[0])
        start = time.perf_counter()
        outcomes = self.apply(models, self.parameters)
        seconds = time.perf_counter() - start
        together: list[StepPlan] = getattr(self.parent, "_done", [])
        first = not together
        self.record = [self._plan(outcome, seconds) for outcome in outcomes]
        for model, outcome, plan in zip(models, outcomes, self.record, strict=True):
            if outcome.status != "applied":
                log.warning("%s: %s %s: %s", model.meta.filename, plan.name, outcome.status, outcome.reason)
            record.append(model, [plan], None, join=not first)
        together.extend(self.record)
        return models

    def open_model(self, init: Any, **kwargs: Any) -> Any:
        """Open what is given; of several exposures the first, which selects parameters."""
        if isinstance(init, (list, tuple, Mapping)) or _names_association(init):
            association = as_level3(self.located(init))
            member = association.products[0].science[0]
            init = member.model or association.resolve(member)
        return super().open_model(init, **kwargs)

    def _own(self, init: Any) -> list[Any]:
        """Return models that the step may change."""
        if self.parent is not None and isinstance(init, (list, tuple)) and all(map(is_model, init)):
            return list(init)
        association = as_level3(self.located(init))
        opened = []
        for member in association.products[0].science:
            given = member.model
            model = datamodels.open(association.resolve(member)) if given is None else given.copy()
            for key in _MEMBER_KEYS:
                if member.extra.get(key):
                    value = member.extra[key]
                    setattr(model.meta, key, str(association.resolve(value)) if "catalog" in key else value)
            opened.append(model)
        return opened

    def _plan(self, outcome: Outcome, seconds: float) -> StepPlan:
        applied = outcome.status == "applied"
        plan = StepPlan(self.class_alias or self.name, self, applied, outcome.reason)
        plan.failed, plan.results, plan.seconds = outcome.status == "failed", outcome.results, seconds
        return plan

    def _skipped(self, model: Any) -> Any:
        """Record that a pipeline was told to leave this step out."""
        reason = f"skip = True ({self.origin('skip')})"
        plan = StepPlan(self.class_alias or self.name, self, False, reason)
        together: list[StepPlan] = getattr(self.parent, "_done", [])
        for each in model if isinstance(model, (list, tuple)) else [model]:
            record.append(each, [plan], None, join=bool(together))
        together.append(plan)
        return model


def group_of(model: Any) -> str:
    """Return the name of the exposure that a model is of: detectors that were read at once share it.

    ``meta.group_id`` if it is set, else made of the identifiers of the exposure, else of the file name.
    """
    if getattr(model.meta, "group_id", None):
        return str(model.meta.group_id)
    o = model.meta.observation
    parts = [
        o.program_number, o.observation_number, o.visit_number,
        o.visit_group, o.sequence_id, o.activity_id, o.exposure_number,
    ]  # fmt: skip
    if None in parts:
        return str(model.meta.filename)
    return "jw{}{}{}_{}{}{}_{}".format(*parts)


def groups_of(models: Sequence[Any]) -> dict[str, list[int]]:
    """Return group name -> positions in the list, in the order of first appearance."""
    groups: dict[str, list[int]] = {}
    for index, model in enumerate(models):
        groups.setdefault(group_of(model), []).append(index)
    return groups


def warn_of_mixtures(models: Sequence[Any], what: str) -> None:
    """Warn if the exposures are of several instruments, filters or pupils."""
    for name in ("name", "filter", "pupil"):
        values = sorted({str(getattr(m.meta.instrument, name)) for m in models})
        if len(values) > 1:
            label = "instrument" if name == "name" else name
            log.warning("%s of exposures of different %ss: %s", what, label, ", ".join(values))


def _names_association(init: Any) -> bool:
    return isinstance(init, (str, os.PathLike)) and is_association_name(init)
