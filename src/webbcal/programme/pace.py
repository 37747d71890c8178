"""How long jobs take: as those took that are done, else as they took where webbcal is built."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any

from webbcal.programme.job import Job

#: Seconds for a megabyte of input on one thread, and for a job of any size, by level: rough, from single
#: runs of docs/benchmarks.md, for programmes of which nothing is done yet.
_USUAL = {1: (0.045, 0.5), 2: (0.03, 0.7), 3: (0.08, 1.0)}


class Pace:
    """Learns from jobs how long others will take."""

    def __init__(self) -> None:
        self._seen: dict[str, list[float]] = defaultdict(list)

    def learn(self, pipeline: str, record: Mapping[str, Any]) -> None:
        """Take notice of a job that is done."""
        if record.get("state") == "done":
            insort(self._seen[pipeline], record["seconds"] * record["threads"])

    def of(self, job: Job) -> float:
        """Return the seconds that a job is going to take on one thread."""
        return self.of_pipeline(job.pipeline, job.level, _megabytes(job))

    def of_pipeline(self, pipeline: str, level: int, megabytes: float = 0.0) -> float:
        """Return the same, for a job of which no more is known."""
        seen = self._seen.get(pipeline)
        if seen:
            return median(seen)
        each, least = _USUAL[level]
        return least + each * megabytes


def _megabytes(job: Job) -> float:
    """Return the size of a job's inputs; those that are not made yet are taken for a full frame's."""
    sizes = [given.path.stat().st_size if given.path.is_file() else 84e6 for given in job.inputs]
    return sum(sizes) / 1e6


def in_words(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
