"""How far a programme is, for whoever looks on: from its folder alone, at any moment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webbcal.core.locks import owner_of
from webbcal.programme.folder import Folder
from webbcal.programme.pace import Pace, in_words

#: States of jobs, in the order in which they are shown.
STATES = ("done", "running", "waiting", "interrupted", "failed", "left out")


@dataclass(frozen=True)
class Status:
    """How far a programme is.

    Attributes
    ----------
    driver : str or None
        Who runs it; None if nobody does.
    states : dict
        Name of a job -> one of `STATES`.
    pipelines : dict
        Name of a job -> its pipeline.
    failures : dict
        Name of a failed job -> why.
    seconds_left : float
        Of one thread, about.
    """

    driver: str | None
    states: Mapping[str, str]
    pipelines: Mapping[str, str]
    failures: Mapping[str, str]
    seconds_left: float


def status_of(folder: Folder) -> Status:
    """Look at the folder of a programme.

    Raises
    ------
    InputError
        If it is none.
    """
    graph = folder.graph()
    driver = owner_of(folder.driver_lock)
    records = {job["name"]: folder.record(job["name"]) for job in graph}
    states: dict[str, str] = {}
    pace, left = Pace(), 0.0
    for job in graph:
        pace.learn(job["pipeline"], records[job["name"]])
    for job in graph:
        state = _state(folder, job, records, states, driver is not None)
        states[job["name"]] = state
        if state in ("running", "waiting", "interrupted"):
            left += pace.of_pipeline(job["pipeline"], job["level"])
    failures = {name: records[name]["error"] for name, state in states.items() if state == "failed"}
    return Status(driver, states, {job["name"]: job["pipeline"] for job in graph}, failures, left)


def _state(
    folder: Folder,
    job: Mapping[str, Any],
    records: Mapping[str, Mapping[str, Any]],
    states: Mapping[str, str],
    driven: bool,
) -> str:
    record = records[job["name"]]
    state = str(record.get("state", "waiting"))
    if state == "running":
        return "running" if owner_of(folder.lock(job["name"])) else "interrupted"
    if state == "done" and _is_of_the_past(job, records):
        state = "waiting"
    if state == "waiting" and not driven:
        lost = [maker for maker in job["after"] if states.get(maker) in ("failed", "left out")]
        return "left out" if lost else "waiting"
    return state


def _is_of_the_past(job: Mapping[str, Any], records: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether products were made from what is not there any more: its jobs have failed, or run again."""
    versions = records[job["name"]]["basis"]["inputs"].values()
    used = {version["made"] for version in versions if "made" in version}
    return not used <= {records[maker].get("fingerprint") for maker in job["after"] if maker in records}


def in_text(status: Status) -> str:
    """Return it as text: a table of pipelines and states, and what has failed."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, state in status.states.items():
        counts[status.pipelines[name]][state] += 1
    shown = [state for state in STATES if any(found[state] for found in counts.values())]
    width = max(len(pipeline) for pipeline in counts)
    lines = [f"{'':{width}s}" + "".join(f"{state:>13s}" for state in shown)]
    for pipeline, found in counts.items():
        lines.append(f"{pipeline:{width}s}" + "".join(f"{found[state]:13d}" for state in shown))
    for name, reason in status.failures.items():
        lines.append(f"failed: {name}: {reason} (logs/{name}.log)")
    return "\n".join([*lines, _what_next(status)])


def _what_next(status: Status) -> str:
    """Return who runs it; where nobody does, how it has ended, and what running it again would do."""
    if status.driver:
        return f"run by {status.driver}; about {in_words(status.seconds_left)} of one thread are left"
    counts = Counter(status.states.values())
    if counts["running"]:
        return "nobody drives it, but workers end what they began; webbcal batch goes on where it was"
    if counts["waiting"] or counts["interrupted"]:
        return "nobody runs it: it was interrupted; webbcal batch goes on where it was"
    if counts["failed"] or counts["left out"]:
        return "it has ended, but not all is done; webbcal batch tries the rest again"
    return "it has ended: all is done"
