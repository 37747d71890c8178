"""What a programme would do, and why: its graph, tasks, memory and time, before anything is done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webbcal.core.resources import Resources
from webbcal.programme.basis import why
from webbcal.programme.folder import Folder
from webbcal.programme.job import Job
from webbcal.programme.missing import as_it_can_be
from webbcal.programme.pace import Pace, in_words
from webbcal.programme.projection import Projection
from webbcal.programme.settings import Settings


@dataclass(frozen=True)
class Expected:
    """What is going to come of a job.

    Attributes
    ----------
    job : Job
    runs : bool
    reason : str
        Why it runs, or why it cannot; "" if its products are there.
    memory : int or None
        Bytes on one thread; None if that is not known before its inputs are made.
    seconds : float
        On one thread.
    """

    job: Job
    runs: bool
    reason: str
    memory: int | None = None
    seconds: float = 0.0


def look_ahead(jobs: Sequence[Job], settings: Settings) -> list[Expected]:
    """Return what is going to come of each job, if all goes well."""
    folder = Folder(settings.output_dir)
    projection, pace = Projection(folder, settings.disable_crds), Pace()
    records = {job.name: folder.record(job.name) for job in jobs}
    for job in jobs:
        pace.learn(job.pipeline, records[job.name])
    expected: dict[str, Expected] = {}

    def is_lost(name: str) -> bool:
        return bool(expected[name].reason) and not expected[name].runs

    for planned in jobs:
        job, problem = as_it_can_be(planned, is_lost, settings.allow_missing)
        if problem:
            expected[job.name] = Expected(job, False, problem)
            continue
        anew = [maker for maker in job.makers if expected[maker].runs]
        reason = "it is forced" if settings.force else _why(job, folder, records[job.name], anew)
        if reason:
            expected[job.name] = Expected(job, True, reason, projection.of(job, 1), pace.of(job))
        else:
            expected[job.name] = Expected(job, False, "")
    return list(expected.values())


def _why(job: Job, folder: Folder, record: dict[str, Any], anew: Sequence[str]) -> str:
    """Return why a job would run, "" if it would not; jobs in `anew` make its inputs anew."""
    if record and anew:
        return f"{anew[0]} runs"
    return why(job, folder, record)


def in_text(expected: Sequence[Expected], settings: Settings) -> str:
    """Return what is going to be done as text: a line for each job, then sums."""
    lines = [_line(one) for one in expected]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in expected:
        counts[one.job.pipeline][_word(one)] += 1
    sums = [
        f"{pipeline}: " + ", ".join(f"{count} {word}" for word, count in found.items())
        for pipeline, found in counts.items()
    ]
    return "\n".join([*lines, "", *sums, *_cost(expected, settings)])


def _line(one: Expected) -> str:
    text = f"{_word(one):5s} {one.job.name}"
    if one.runs:
        memory = f"{one.memory / 1e6:.0f} MB" if one.memory else "memory known when its inputs are there"
        text += f"  ({memory}, about {in_words(one.seconds)})"
    return text + (f": {one.reason}" if one.reason else "")


def _word(one: Expected) -> str:
    return "run" if one.runs else "never" if one.reason else "keep"


def _cost(expected: Sequence[Expected], settings: Settings) -> list[str]:
    if not any(one.runs for one in expected):
        return ["nothing would run"]
    have = settings.executor
    seconds = sum(one.seconds for one in expected)
    memory = max((one.memory or 0 for one in expected), default=0)
    lines = [
        f"work: about {in_words(seconds)} of one thread; largest job that is known: {memory / 1e6:.0f} MB"
    ]
    if have.kind != "dask":
        machine = Resources.of_machine(have.threads, have.max_memory)
        room = f" and {machine.memory / 1e9:.1f} GB" if machine.memory else ""
        lines.append(
            f"executor {have.kind}: about {in_words(seconds / machine.threads)} on "
            f"{machine.threads} threads{room}"
        )
    return lines
