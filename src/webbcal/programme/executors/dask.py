"""The workers of a Dask cluster: one that runs, or one that a batch system starts for us."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from webbcal.core.errors import ParameterError, WebbcalError
from webbcal.core.resources import parse_size, positive
from webbcal.programme.executors.interface import Needs, Outcome, Share, Task, called
from webbcal.programme.settings import ExecutorSettings

#: Tasks that are with the scheduler at once, for each thread of its workers and at least.
_AHEAD, _LEAST = 4, 100
#: Seconds for which it is known how many workers there are.
_MOMENT = 1.0


class DaskExecutor:
    """Hands tasks to a Dask scheduler; it starts those of lost workers again, some times.

    Parameters
    ----------
    settings : ExecutorSettings
        Where the scheduler is; ``threads`` and ``max_memory`` are those of one task.
    """

    def __init__(self, settings: ExecutorSettings) -> None:
        distributed = imported("distributed")
        self._lost: tuple[type[BaseException], ...] = (distributed.KilledWorker, CancelledError)
        self._cluster: Any
        self._cluster, self._jobs = cluster_of(settings) if settings.jobqueue else (None, 0)
        where = self._cluster or address_of(settings)
        if not where:
            raise ParameterError(
                "Dask needs a scheduler: --scheduler=tcp://HOST:PORT, --scheduler-file=FILE, or a table "
                "[executor.jobqueue] in the TOML file"
            )
        try:
            self._client = distributed.Client(where)
        except (OSError, ValueError) as error:
            raise ParameterError(f"no Dask scheduler answers at {where} ({error}); is it running?") from error
        memory = parse_size(settings.max_memory, "max_memory") if settings.max_memory else None
        self._share = Share(positive(settings.threads or 1, "threads"), memory)
        self._futures: dict[Any, str] = {}
        self._known, self._asked = 0, float("-inf")
        #: Each future is looked at once, when it has ended: there may be thousands.
        self._ended = distributed.as_completed(loop=self._client.loop)

    def offer(self, waiting: int, needs: Needs) -> Share | None:
        """Return what each task may use, unless the scheduler has enough to do."""
        there = len(self._futures)
        return self._share if there < _LEAST or there < _AHEAD * self._threads() else None

    def _threads(self) -> int:
        """Return how many threads the workers have, or had a moment ago: asking is as dear as a task."""
        now = time.monotonic()
        if now > self._asked + _MOMENT:
            with _reached():
                self._known, self._asked = sum(self._client.nthreads().values()), now
        return self._known

    def submit(self, task: Task, share: Share) -> None:
        """Send a task to the scheduler; a batch system is asked for workers when there is one."""
        if self._cluster is not None and self._jobs:
            self._cluster.scale(jobs=self._jobs)
            self._jobs = 0
        with _reached():
            future = self._client.submit(done_by_worker, task, share, pure=False)
        self._futures[future] = task.name
        self._ended.add(future)

    def wait(self) -> list[Outcome]:
        """Wait for the cluster."""
        if not self._futures:
            return []
        return [self._outcome(future) for future in self._ended.next_batch()]

    def _outcome(self, future: Any) -> Outcome:
        name = self._futures.pop(future)
        try:
            return Outcome(name, future.result())
        except self._lost as error:
            return Outcome(name, error=f"its worker was lost ({error})", lost=True)
        except Exception as error:
            return Outcome(name, error=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Take back what was not done; end the cluster if it is ours."""
        with suppress(Exception):  # of a scheduler that is gone, nothing is left to take back
            self._client.cancel(list(self._futures))
            self._client.close()
        if self._cluster is not None:
            self._cluster.close()


@contextmanager
def _reached() -> Iterator[None]:
    """Say so where the scheduler is gone."""
    try:
        yield
    except Exception as error:
        raise WebbcalError(
            f"the Dask scheduler is gone ({error}); start it again, and webbcal batch goes on where it was"
        ) from error


def address_of(settings: ExecutorSettings) -> str:
    """Return the address of the scheduler that settings name; "" if they name none.

    Raises
    ------
    ParameterError
        If the file that has it cannot be read: Dask would wait for it for ever.
    """
    if settings.scheduler or not settings.scheduler_file:
        return settings.scheduler
    file = Path(settings.scheduler_file)
    try:
        return str(json.loads(file.read_text("utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{file}: is no file of a Dask scheduler ({type(error).__name__}: {error}); does dask scheduler "
            f"--scheduler-file={file} run?"
        ) from error


def done_by_worker(task: Task, share: Share) -> Any:
    """Call the function of a task on a worker, with its part of the worker's memory."""
    worker = import_module("distributed").get_worker()
    limit = worker.memory_manager.memory_limit
    if share.memory is None and limit:
        share = Share(share.threads, int(limit) // worker.state.nthreads)
    return called(task, share)


def job_script(settings: ExecutorSettings) -> str:
    """Return the script of each job that a batch system would be given."""
    cluster, _ = cluster_of(settings)
    try:
        return str(cluster.job_script())
    finally:
        cluster.close()


def cluster_of(settings: ExecutorSettings) -> tuple[Any, int]:
    """Return the cluster that a table ``[executor.jobqueue]`` describes, and how many jobs it is to have.

    Raises
    ------
    ParameterError
        If there is no such kind, or its class does not take what is said.
    """
    words = dict(settings.jobqueue)
    kind, jobs = str(words.pop("kind", "")), positive(words.pop("jobs", 1), "executor.jobqueue.jobs")
    module = imported("dask_jobqueue")
    classes = {n.removesuffix("Cluster").lower(): n for n in dir(module) if n.endswith("Cluster")}
    classes.pop("jobqueue", None)  # what the others have in common
    if kind.lower() not in classes:
        raise ParameterError(f"executor.jobqueue.kind = {kind!r}: must be one of {', '.join(classes)}")
    try:
        return getattr(module, classes[kind.lower()])(**words), jobs
    except (TypeError, ValueError) as error:
        raise ParameterError(f"executor.jobqueue: {error}") from error


def imported(name: str) -> Any:
    """Return a library that webbcal does not need otherwise.

    Raises
    ------
    ParameterError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise ParameterError(
            f"--executor=dask needs {name.replace('_', '-')}: pip install 'webbcal[dask]'"
        ) from None
