"""Worker processes of this machine, which share its cores and memory."""

from __future__ import annotations

import json
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from webbcal.core.resources import Resources, resident
from webbcal.programme.executors.interface import Needs, Outcome, Share, Task

#: Seconds in which a worker that is told to end must have cleaned up.
_GRACE = 10.0


@dataclass(eq=False)
class _Worker:
    """A process that does one task at a time; it ends with this process, however that ends.

    It is told what to do by a line on its stdin, and answers by a line on its stdout.
    """

    process: subprocess.Popen[bytes] = field(default_factory=lambda: _started())
    task: Task | None = None
    share: Share = Share()

    def begin(self, task: Task, share: Share) -> None:
        """Send it a task; if it is dead, its answer will be that nothing comes."""
        self.task, self.share = task, share
        words = {
            "function": task.function, "argument": task.argument, "threads": share.threads,
            "memory": share.memory,
        }  # fmt: skip
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(words).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            self.process.kill()

    def answer(self) -> Outcome:
        """Return what came of its task; wait until it is there."""
        assert self.process.stdout is not None and self.task is not None
        line = self.process.stdout.readline()
        name, self.task = self.task.name, None
        if line.endswith(b"\n"):
            said: Mapping[str, Any] = json.loads(line)
            return Outcome(name, said.get("result"), said.get("error", ""))
        code = self.process.wait()
        what = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Outcome(name, error=f"its worker was lost ({what})", lost=True)

    @property
    def resident(self) -> int:
        """The bytes of memory that it has, as far as that is known."""
        return resident(self.process.pid)

    def dismiss(self) -> None:
        """End it while it has no task: without its stdin it goes at once."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.end()

    def end(self) -> None:
        """Wait for its end; what it does was interrupted, and leaves nothing partial."""
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for file in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                if file is not None:
                    file.close()


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "webbcal.programme.executors.worker"]
    # Not in our group: Ctrl-C comes to us, and we end the workers.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


class LocalExecutor:
    """Does as many tasks side by side as there are cores, and as there is memory for.

    Parameters
    ----------
    threads, max_memory : str, optional
        Of all tasks together, as the user gives them; of the machine by default.
    """

    def __init__(self, threads: str | None = None, max_memory: str | None = None) -> None:
        have = Resources.of_machine(threads, max_memory)
        self._cores, self._memory, self._limited = have.threads, have.memory, have.limited
        self._workers: list[_Worker] = []

    @property
    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.task is not None]

    def offer(self, waiting: int, needs: Needs) -> Share | None:
        """Return an even share of the free cores, and the memory that no other is going to need."""
        free = self._cores - sum(worker.share.threads for worker in self._busy)
        if free < 1:
            return None
        threads = max(1, free // max(1, waiting))
        wanted = needs(threads) or 0  # asked first: what this process loads to know it counts, too
        left = self._left(waiting)
        if left is not None and self._busy and max(1, wanted) > left:
            return None
        # A task that has all there is says itself what it lacks.
        return Share(threads, left if left is None else max(1, left), wanted)

    def _left(self, waiting: int) -> int | None:
        """Return the memory that neither tasks are going to need nor workers keep; None if unlimited.

        The first idle worker gets the next task, unless it has kept more than there is. Those that no task
        waits for, or that stand beside a task that is alone, are ended.
        """
        if self._memory is None:
            return None
        own = resident("self") if self._limited else 0
        left = self._memory - own - sum(max(worker.share.needs, worker.resident) for worker in self._busy)
        idle = [worker for worker in self._workers if worker.task is None]
        for worker in idle[max(1, waiting) if self._busy else 1 :]:
            self._dismiss(worker)
        left -= sum(worker.resident for worker in idle[1:] if worker in self._workers)
        if idle and idle[0].resident > left:
            self._dismiss(idle[0])
        return max(0, left)

    def _dismiss(self, worker: _Worker) -> None:
        worker.dismiss()
        self._workers.remove(worker)

    def submit(self, task: Task, share: Share) -> None:
        """Give a task to a worker that has none, or to a new one."""
        idle = next((worker for worker in self._workers if worker.task is None), None)
        if idle is None:
            idle = _Worker()
            self._workers.append(idle)
        idle.begin(task, share)

    def wait(self) -> list[Outcome]:
        """Wait for workers; those that were lost are replaced when there is work."""
        busy = self._busy
        if not busy:
            return []
        with selectors.DefaultSelector() as selector:
            for worker in busy:
                assert worker.process.stdout is not None
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            ready = [key.data for key, _ in selector.select()]
        outcomes = [worker.answer() for worker in ready]
        for worker in [worker for worker in self._workers if worker.process.poll() is not None]:
            worker.end()
            self._workers.remove(worker)
        return outcomes

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()
        self._workers.clear()
