"""What ``webbcal batch`` shows while it works: a table on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from webbcal.programme.pace import Pace, in_words

if TYPE_CHECKING:
    from webbcal.programme.job import Job


class Count:
    """Counts what has come of jobs, and how long the others will take."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.total = len(jobs)
        self.states: Counter[str] = Counter()
        self.running: dict[str, str] = {}
        #: Jobs of one kind are alike: those that are left are counted by their pipeline.
        self._left = Counter((job.pipeline, job.level) for job in jobs)
        self._pace = Pace()
        self._begin = time.monotonic()
        self._spent = 0.0

    @property
    def ended(self) -> int:
        """How many jobs have ended."""
        return self.states.total()

    def began(self, job: Job, reason: str) -> None:
        """A job was begun."""
        self.running[job.name] = reason

    def ended_one(self, job: Job, state: str, record: dict[str, Any]) -> None:
        """A job has ended."""
        self.states[state] += 1
        self.running.pop(job.name, None)
        self._left[job.pipeline, job.level] -= 1
        self._pace.learn(job.pipeline, record)
        self._spent += record.get("seconds", 0.0) * (state == "done")

    def time_left(self) -> str:
        """Return about how long the rest takes, going on as now."""
        gone = time.monotonic() - self._begin
        if not self._spent or not gone:
            return ""
        left = sum(count * self._pace.of_pipeline(*kind) for kind, count in self._left.items())
        return f", about {in_words(left * gone / self._spent)} left"


class Lines:
    """A line for each job that has ended."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._count = Count(jobs)

    def began(self, job: Job, reason: str) -> None:
        """A job was begun."""
        self._count.began(job, reason)

    def ended(self, job: Job, state: str, record: dict[str, Any], text: str) -> None:
        """Say what came of a job; of those that are kept, nothing."""
        reason = self._count.running.get(job.name, "")
        self._count.ended_one(job, state, record)
        if state == "kept":
            return
        told = f"{record['seconds']:.1f} s ({reason})" if state == "done" else text
        print(
            f"{self._count.ended}/{self._count.total} {job.name}: {state}: {told}",
            file=sys.stderr,
            flush=True,
        )

    def stop(self) -> None:
        """Nothing is left on the screen that must go."""


class Table:
    """A table on a terminal that is drawn anew (rich); failures stay above it."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._count = Count(jobs)
        self._live = Live(console=Console(stderr=True), transient=True, refresh_per_second=4)
        self._live.start()

    def began(self, job: Job, reason: str) -> None:
        """A job was begun."""
        self._count.began(job, reason)
        self._draw()

    def ended(self, job: Job, state: str, record: dict[str, Any], text: str) -> None:
        """A job has ended."""
        self._count.ended_one(job, state, record)
        if state in ("failed", "left out"):
            self._live.console.print(f"{job.name}: {state}: {text}", markup=False, highlight=False)
        self._draw()

    def stop(self) -> None:
        """Take the table away."""
        self._live.stop()

    def _draw(self) -> None:
        from rich.text import Text

        count = self._count
        states = ", ".join(f"{number} {state}" for state, number in count.states.items())
        lines = [f"{count.ended} of {count.total} jobs: {states or 'none has ended'}{count.time_left()}"]
        lines += [f"  {name}" for name in list(count.running)[:16]]
        self._live.update(Text("\n".join(lines)))


@contextmanager
def make_display(jobs: Sequence[Job]) -> Iterator[Lines | Table]:
    """Give the display that fits where stderr goes, and clear it away at the end."""
    display = Table(jobs) if sys.stderr.isatty() else Lines(jobs)
    try:
        yield display
    finally:
        display.stop()
