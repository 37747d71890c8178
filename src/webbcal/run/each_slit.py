"""Steps that are stated for one slit, on products of any number of slits (or spectra, or exposures).

Items of a list have what a model has, so a step for a slit is a step for a model of a single one; a product
of many is the same work for each, on threads.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from webbcal.core.errors import SkipStep
from webbcal.core.threads import run_on_threads
from webbcal.datamodels.lists import items_of
from webbcal.run.model_step import ModelStep
from webbcal.run.planning import StepPlan
from webbcal.run.run import Run

log = logging.getLogger(__name__)


class EachSlit(ModelStep):
    """A step that works on one slit at a time; see the module's text."""

    def apply_slit(self, slit: Any, references: Mapping[str, Any], p: Any) -> bool | None:
        """Process a slit in place; slits are worked on side by side.

        Parameters
        ----------
        slit : DataModel or item of a list
        references : mapping
        p : Parameters

        Returns
        -------
        bool or None
            False if the slit is to be dropped from the product.

        Raises
        ------
        SkipStep
            When the slit does not allow the step: it is kept as it is.
        """
        raise NotImplementedError

    def perform(self, run: Run, model: Any, plan: StepPlan) -> Any:
        """Process all slits; the record says which were left as they were, and why.

        Raises
        ------
        SkipStep
            If none of them allows the step.
        """
        slits, p = items_of(model), self.parameters
        left: dict[str, str] = {}
        dropped: list[int] = []

        def work(numbered: tuple[int, Any]) -> None:
            number, slit = numbered
            try:
                if self.apply_slit(slit, plan.references, p) is False:
                    dropped.append(number)
            except SkipStep as reason:
                left[_name_of(slit, number)] = str(reason)

        run_on_threads(work, enumerate(slits), run.resources.threads)
        if left and len(left) == len(slits):
            raise SkipStep(next(iter(left.values())))
        for name, reason in left.items():
            log.warning("%s: %s: slit %s is left as it was: %s", model.meta.filename, plan.name, name, reason)
        for number in sorted(dropped, reverse=True):
            del slits[number]
        plan.results |= {"slits_left_out": left} if left else {}
        plan.results |= {"slits_dropped": len(dropped)} if dropped else {}
        return model


def _name_of(slit: Any, number: int) -> str:
    """Return how a slit is called in messages."""
    return str(getattr(slit, "name", None) or getattr(slit, "source_id", None) or number)
