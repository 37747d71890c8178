"""What differs in how two products were made: steps, parameters, references, versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webbcal.report.account import Account

#: What is said where one of them does not tell.
UNKNOWN = "not recorded"
#: Versions that every run has.
_ALWAYS = ("software", "CRDS context")


@dataclass(frozen=True)
class ProcessingDifference:
    """Something that is not the same in both: a value of each, as text."""

    name: str
    first: str
    second: str


def compare_steps(a: Account, b: Account) -> list[ProcessingDifference]:
    """Return the steps that did not fare alike."""
    return _differences(_steps(a), _steps(b))


def compare_parameters(a: Account, b: Account) -> list[ProcessingDifference]:
    """Return the parameters of steps that were applied in both, and had other values.

    Where a product has no record of parameters (as those of jwst), there is nothing to compare.
    """
    if not (a.has_record and b.has_record):
        return []
    return [d for d in _differences(_parameters(a), _parameters(b)) if UNKNOWN not in (d.first, d.second)]


def compare_references(a: Account, b: Account) -> list[ProcessingDifference]:
    """Return the references that are not the same; files of one name may differ by their sha256."""
    one, other = _references(a), _references(b)
    found = []
    for kind in dict.fromkeys([*one, *other]):
        first, second = one.get(kind, ("N/A", "")), other.get(kind, ("N/A", ""))
        if first[0] != second[0]:
            found.append(ProcessingDifference(kind, first[0], second[0]))
        elif first[1] and second[1] and first[1] != second[1]:
            found.append(ProcessingDifference(kind, f"{first[0]} ({first[1]})", f"{second[0]} ({second[1]})"))
    return found


def compare_versions(a: Account, b: Account) -> list[ProcessingDifference]:
    """Return the software, libraries and contexts that are not the same.

    Of libraries a run records those that it has loaded, which depends on what was cached before; one that is
    not in both records is no difference.
    """
    found = _differences(_versions(a), _versions(b))
    return [d for d in found if UNKNOWN not in (d.first, d.second) or d.name.startswith(_ALWAYS)]


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[ProcessingDifference]:
    pairs = ((name, a.get(name, UNKNOWN), b.get(name, UNKNOWN)) for name in dict.fromkeys([*a, *b]))
    return [ProcessingDifference(name, str(x), str(y)) for name, x, y in pairs if x != y]


def _steps(account: Account) -> dict[str, str]:
    return {step.name: step.status for step in account.steps}


def _parameters(account: Account) -> dict[str, Any]:
    applied = (step for step in account.steps if step.status == "applied")
    return {f"{step.name}.{p.name}": p.value for step in applied for p in step.parameters}


def _references(account: Account) -> dict[str, tuple[str, str]]:
    used = {r.kind: (r.name, r.sha256) for r in account.references}
    return {kind: found for kind, found in used.items() if found[0] != "N/A"}


def _versions(account: Account) -> dict[str, str]:
    found = {}
    for number, run in enumerate(account.runs, 1):
        which = f" of run {number}" if len(account.runs) > 1 else ""
        found[f"software{which}"] = f"{run.software} {run.version}".strip()
        if run.context:
            found[f"CRDS context{which}"] = run.context
        found |= {f"{name}{which}": version for name, version in run.libraries.items()}
    return found
