"""What came of the steps of runs, for people; as plain values, so that records of programmes can hold it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from webbcal.run.planning import StepPlan

#: What came of a step: ``step``, its name; ``status``, COMPLETE, SKIPPED or FAILED; ``said``, what is to be
#: said of single exposures, "" if nothing is.
Outcome = Mapping[str, str]
_BEST = {"COMPLETE": 2, "FAILED": 1, "SKIPPED": 0}


def outcomes_of(plans: Iterable[StepPlan]) -> list[Outcome]:
    """Return what came of the steps of a run."""
    return [{"step": plan.name, "status": plan.status, "said": _said(plan)} for plan in plans]


def _said(plan: StepPlan) -> str:
    if not plan.step.tells_each or plan.status == "SKIPPED":
        return ""
    return f"{plan.exposure}: {plan.reason if plan.applied else f'{plan.status}: {plan.reason}'}"


def told(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what is to be said of single exposures, a line each."""
    return [f"{one['step']}: {one['said']}" for one in outcomes if one["said"]]


def counted(outcomes: Sequence[Outcome]) -> str:
    """Return how many steps did what; one that decides for each exposure counts once."""
    status: dict[str, str] = {}
    for one in outcomes:
        name = one["step"]
        status[name] = max(one["status"], status.get(name, one["status"]), key=lambda word: _BEST[word])
    counts = Counter(status.values())
    failed = f", {counts['FAILED']} failed" if counts["FAILED"] else ""
    return f"{counts['COMPLETE']} steps applied, {counts['SKIPPED']} skipped{failed}"
