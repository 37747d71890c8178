"""One task after another, in this process."""

from __future__ import annotations

from webbcal.core.resources import Resources, resident
from webbcal.programme.executors.interface import Needs, Outcome, Share, Task, tried
from webbcal.run.planning import process_bytes


class SerialExecutor:
    """Does each task when it is waited for, with all threads and the memory that the user allows.

    Parameters
    ----------
    threads, max_memory : str, optional
        As the user gives them; of the machine by default.
    """

    def __init__(self, threads: str | None = None, max_memory: str | None = None) -> None:
        have = Resources.of_machine(threads, max_memory)
        self._share = Share(have.threads, have.memory if have.limited else None)
        self._waiting: list[tuple[Task, Share]] = []

    def offer(self, waiting: int, needs: Needs) -> Share | None:
        """Return what the next task may use; one waits at a time."""
        if self._waiting:
            return None
        most = self._share.memory
        return Share(self._share.threads, None if most is None else max(1, most - _kept()))

    def submit(self, task: Task, share: Share) -> None:
        """Remember a task."""
        self._waiting.append((task, share))

    def wait(self) -> list[Outcome]:
        """Do it."""
        return [tried(*self._waiting.pop())] if self._waiting else []

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()


def _kept() -> int:
    """Return what this process has kept of earlier tasks, beyond what each reckons with anyway."""
    return max(0, resident() - process_bytes())
