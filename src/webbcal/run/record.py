"""The run record: what was done to a product, in the product.

Each run appends one entry to ``meta.run_record`` (kept in the ASDF extension): the software and reference
context, and for every step whether it was applied or why not, each parameter with the origin of its value,
each reference with its name and sha256, the seconds spent, and the most memory that the process had held by
then. Of the run as a whole it tells how it was started (`webbcal.run.circumstances`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import webbcal
from webbcal.run.circumstances import circumstances
from webbcal.run.planning import peak_memory
from webbcal.run.registry import import_path
from webbcal.run.run import current

if TYPE_CHECKING:
    from webbcal.run.planning import StepPlan


def step_entry(plan: StepPlan) -> dict[str, Any]:
    """Return the record of one step."""
    return {
        "step": plan.name,
        "class": type(plan.step).__name__,
        "status": plan.status,
        "reason": plan.reason,
        "parameters": {
            name: {"value": _plain(value), "origin": plan.step.origin(name)}
            for name, value in plan.step.get_pars(full_spec=False).items()
            if name != "steps"
        },
        "references": {
            kind: {"name": r.header_name, "sha256": r.sha256, "origin": r.origin} if r else {"name": "N/A"}
            for kind, r in plan.references.items()
        }
        if plan.applied
        else {},
        **({"results": _plain(plan.results)} if plan.results else {}),
        "seconds": round(plan.seconds, 4),
        "peak_memory": peak_memory(),
    }


def append(model: Any, steps: Sequence[StepPlan], context: str | None, join: bool = False) -> None:
    """Append a run to the model's record, or join the last one, and set the keywords that summarise it."""
    entry: dict[str, Any] = {
        "software": "webbcal",
        "version": webbcal.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "crds_context": context,
        **_plain(_circumstances()),
        "steps": [step_entry(s) for s in steps],
    }
    previous = runs_of(model)
    if join and previous:
        last = previous.pop()
        entry = last | entry
        entry["steps"] = [*last["steps"], *entry["steps"]]
        entry["crds_context"] = context or last.get("crds_context")  # None is not stored
    model.meta.run_record = [*previous, entry]
    model.meta.calibration_software_version = webbcal.__version__
    model.meta.calibration_software_revision = "webbcal"
    for step in steps:
        _set_keywords(model, step)
    if context and any(s.references for s in steps):
        model.meta.ref_file.crds.context_used = context
        model.meta.ref_file.crds.sw_version = _crds_version()


@cache
def _crds_version() -> str:
    """Return the version that is installed: where references are remembered, crds is not loaded."""
    from importlib.metadata import version

    return version("crds")


def _circumstances() -> dict[str, Any]:
    run = current()
    return {} if run is None else circumstances(run)


def hand_on(source: Any, result: Any) -> None:
    """Give new models (one, or a list) that were made of another the record of what was done to that."""
    for product in result if isinstance(result, (list, tuple)) else [result]:
        if product is not source and hasattr(product, "meta") and not runs_of(product):
            product.meta.run_record = runs_of(source) or None


def runs_of(model: Any) -> list[dict[str, Any]]:
    """Return the runs recorded in a product, oldest first, as plain dictionaries."""
    record = _plain(getattr(model.meta, "run_record", None) or [])
    runs = [run for run in record if isinstance(run, dict)] if isinstance(record, list) else []
    for run in runs:
        steps = run.get("steps")  # a record that others wrote, or that was cut, may lack anything
        run["steps"] = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
        for step in run["steps"]:
            for part in ("parameters", "references"):  # empty mappings are not stored
                step[part] = step[part] if isinstance(step.get(part), dict) else {}
    return runs


def _set_keywords(model: Any, plan: StepPlan) -> None:
    name = plan.step.cal_step or plan.step.class_alias
    if name:
        setattr(model.meta.cal_step, name, plan.status)
    for kind, reference in plan.references.items():
        value = reference.header_name if reference else "N/A"
        if hasattr(model.meta.ref_file, kind):
            setattr(getattr(model.meta.ref_file, kind), "name", value)  # noqa: B010
        else:  # no keyword of its own (such as apcorr): kept in the ASDF extension only
            setattr(model.meta.ref_file, kind, {"name": value})


def _plain(value: Any) -> Any:
    """Return `value` as YAML can hold it: of a model its name, of a function what it is imported by."""
    value = getattr(value, "override_handle", value)
    value = getattr(value, "instance", value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, Sequence):
        return [_plain(v) for v in value]
    return import_path(value) or str(value)  # hooks, mostly
