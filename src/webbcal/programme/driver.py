"""Driving a programme: jobs are begun when their inputs are there, and what came of them is noted."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from webbcal.core.errors import OutputError
from webbcal.core.interruption import raise_if_asked
from webbcal.core.locks import held, owner_of
from webbcal.programme.basis import why
from webbcal.programme.executors.interface import Executor, Outcome, Task
from webbcal.programme.folder import Folder
from webbcal.programme.job import Job
from webbcal.programme.manifest import write_manifest
from webbcal.programme.missing import as_it_can_be
from webbcal.programme.projection import Projection
from webbcal.programme.settings import Settings
from webbcal.programme.work import PERFORM, order_of

#: How often a job is begun whose worker was lost.
ATTEMPTS = 3


class Watcher(Protocol):
    """Is told how a programme goes."""

    def began(self, job: Job, reason: str) -> None:
        """A job was begun."""

    def ended(self, job: Job, state: str, record: dict[str, Any], text: str) -> None:
        """Nothing more will come of a job: it is ``done``, ``kept``, ``failed`` or ``left out``."""


@dataclass
class Result:
    """What came of a programme: the names of jobs, and of those that were not done, why."""

    done: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all products are there."""
        return not (self.failed or self.left_out)


class Driver:
    """Does the jobs of a programme that are to be done.

    Parameters
    ----------
    jobs : sequence of Job
        Each after those that make its inputs.
    settings : Settings
    watcher : Watcher
    """

    def __init__(self, jobs: Sequence[Job], settings: Settings, watcher: Watcher) -> None:
        self.jobs, self.settings, self.watcher = jobs, settings, watcher
        self.folder = Folder(settings.output_dir)
        self.result = Result()
        self._run = uuid4().hex
        self._projection = Projection(self.folder, settings.disable_crds)
        self._records: dict[str, dict[str, Any]] = {}
        self._settled: set[str] = set()
        self._open = {job.name: len(job.makers) for job in jobs}
        self._users: dict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            for maker in job.makers:
                self._users[maker].append(job)
        self._number = {job.name: number for number, job in enumerate(jobs)}
        self._ready = deque(job for job in jobs if not job.makers)
        self._todo: list[tuple[int, int, Job, str]] = []
        self._running: dict[str, tuple[Job, str]] = {}
        self._lost: Counter[str] = Counter()

    def run(self, executor: Executor) -> Result:
        """Do all that is to be done; whatever happens, write the manifest, and end the executor.

        Raises
        ------
        OutputError
            If the folder cannot be written, or somebody else drives a programme in it.
        """
        try:
            self.folder.prepare()
            with held(self.folder.driver_lock, wait=False) as ours:
                if not ours:
                    raise OutputError(
                        f"{self.folder.path}: a programme is run here ({owner_of(self.folder.driver_lock)}); "
                        f"webbcal status {self.folder.path} shows how far it is"
                    )
                self.folder.write_graph(self.jobs)
                try:
                    self._work(executor)
                finally:
                    write_manifest(self.folder, self.jobs, self._records)
        finally:
            executor.close()
        return self.result

    def _work(self, executor: Executor) -> None:
        while True:
            raise_if_asked()
            self._look()
            self._begin(executor)
            if not self._running:
                return
            for outcome in executor.wait():
                self._note(outcome)

    def _look(self) -> None:
        """Look at jobs whose inputs are as they will be: what is to be done, what is not."""
        while self._ready:
            job = self._ready.popleft()
            job, reason = as_it_can_be(job, self._is_lost, self.settings.allow_missing)
            if reason:
                state = "failed" if job.problem else "left out"
                self._settle(job, state, {"state": state, "error": reason}, reason)
                continue
            record = self.folder.record(job.name)
            reason = "it is forced" if self.settings.force else why(job, self.folder, record)
            if reason:
                heapq.heappush(self._todo, (-job.level, self._number[job.name], job, reason))
            else:
                self._settle(job, "kept", record, "")

    def _is_lost(self, name: str) -> bool:
        return name in self.result.failed or name in self.result.left_out

    def _begin(self, executor: Executor) -> None:
        """Begin as many jobs as there is room for, those of high levels first: their inputs are fresh."""
        while self._todo:
            job, reason = self._todo[0][2:]
            share = executor.offer(len(self._todo), partial(self._projection.of, job))
            if share is None:
                return  # when one of those that run has ended, there may be room
            heapq.heappop(self._todo)
            order = order_of(job, self.folder, self._run, self.settings.force, self.settings.disable_crds)
            self._running[job.name] = job, reason
            executor.submit(Task(job.name, PERFORM, order), share)
            self.watcher.began(job, reason)

    def _note(self, outcome: Outcome) -> None:
        """Note what came of a job; one whose worker was lost is begun again, some times."""
        job, reason = self._running.pop(outcome.name)
        record = outcome.result
        if outcome.lost:
            self._lost[job.name] += 1
            if self._lost[job.name] < ATTEMPTS:
                heapq.heappush(self._todo, (-job.level, self._number[job.name], job, reason))
                return
            why_lost = f"{outcome.error}, {ATTEMPTS} times; if memory is short, set --max-memory"
            record = {"state": "failed", "error": why_lost}
        elif record is None:
            record = {"state": "failed", "error": outcome.error}
        self._settle(job, record["state"], record, record.get("error", ""))

    def _settle(self, job: Job, state: str, record: dict[str, Any], text: str) -> None:
        """Nothing more will come of a job: look at those that have waited for it."""
        if state == "failed" and not record.get("seconds"):  # it did not come to a record of its own
            record = {"state": state, "error": text, "run": self._run}
            with suppress(OutputError):
                self.folder.write_record(job.name, record)
        if state in ("done", "kept"):
            getattr(self.result, state).append(job.name)
        else:
            {"failed": self.result.failed, "left out": self.result.left_out}[state][job.name] = text
        self._records[job.name] = record
        self.watcher.ended(job, state, record, text)
        for user in self._users[job.name]:
            self._open[user.name] -= 1
            if not self._open[user.name]:
                self._ready.append(user)
