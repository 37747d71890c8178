"""One suite for all executors: what is given to them is done, and what goes wrong is told."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from webbcal.core.errors import ParameterError, WebbcalError
from webbcal.programme.executors import local
from webbcal.programme.executors.interface import Executor, Outcome, Share, Task
from webbcal.programme.executors.local import LocalExecutor
from webbcal.programme.executors.making import make_executor
from webbcal.programme.executors.serial import SerialExecutor
from webbcal.programme.settings import ExecutorSettings
from webbcal.run.planning import process_bytes

GB = 10**9


# ---------------------------------------------------------------- what is done, in whichever process
def double(argument: Mapping[str, Any], share: Share) -> Any:
    """Return twice a number."""
    return {"value": 2 * argument["value"], "threads": share.threads}


def fail(argument: Mapping[str, Any], share: Share) -> Any:
    """Raise an error."""
    raise ValueError("as it was told")


def die(argument: Mapping[str, Any], share: Share) -> Any:
    """Take the process along."""
    os.kill(os.getpid(), 9)


def process(argument: Mapping[str, Any], share: Share) -> Any:
    """Return which process it is."""
    return os.getpid()


def sleep(argument: Mapping[str, Any], share: Share) -> Any:
    """Say which process it is, and stay."""
    Path(argument["file"]).write_text(str(os.getpid()))
    time.sleep(600)


def task(name: str, function: str = "double", **argument: Any) -> Task:
    return Task(name, f"{__name__}:{function}", argument)


def unknown(threads: int) -> int | None:
    """Tell what a task needs of which nothing is known."""
    return None


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers find what is done here."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.fixture(params=["serial", "local", "dask"])
def executor(request: pytest.FixtureRequest, _importable: None) -> Iterator[Executor]:
    """Each kind; that of Dask has a cluster of two processes."""
    if request.param != "dask":
        made = make_executor(ExecutorSettings(request.param, "2"))
        yield made
        made.close()
        return
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        made = make_executor(ExecutorSettings("dask", scheduler=cluster.scheduler_address))
        yield made
        made.close()


def done(executor: Executor, *tasks: Task) -> dict[str, Outcome]:
    """Do tasks as a driver does."""
    waiting, outcomes = list(tasks), dict[str, Outcome]()
    while len(outcomes) < len(tasks):
        while waiting and (share := executor.offer(len(waiting), unknown)) is not None:
            executor.submit(waiting.pop(0), share)
        outcomes |= {outcome.name: outcome for outcome in executor.wait()}
    return outcomes


def test_results_come_back_by_name(executor: Executor) -> None:
    outcomes = done(executor, *(task(f"task {n}", value=n) for n in range(7)))
    assert {name: o.result["value"] for name, o in outcomes.items()} == {f"task {n}": 2 * n for n in range(7)}
    assert not any(o.error or o.lost for o in outcomes.values())


def test_an_error_is_told_and_the_others_go_on(executor: Executor) -> None:
    outcomes = done(executor, task("bad", "fail"), task("good", value=1), task("better", value=2))
    assert "ValueError: as it was told" in outcomes["bad"].error and not outcomes["bad"].lost
    assert outcomes["good"].result["value"] == 2 and outcomes["better"].result["value"] == 4


def test_a_lost_worker_is_told_and_replaced(executor: Executor) -> None:
    """Dask takes those that waited at the lost worker for lost, too: like a driver, begin them again."""
    if isinstance(executor, SerialExecutor):
        pytest.skip("its worker is this process")
    others = {f"task {n}": task(f"task {n}", value=n) for n in range(4)}
    outcomes = done(executor, task("last", "die"), *others.values())
    last = outcomes.pop("last")
    assert last.lost and last.result is None and last.error
    outcomes |= done(executor, *(others[name] for name, outcome in outcomes.items() if outcome.lost))
    assert {name: o.result["value"] for name, o in outcomes.items()} == {f"task {n}": 2 * n for n in range(4)}


def test_nothing_is_waited_for_where_nothing_runs(executor: Executor) -> None:
    assert executor.wait() == []


# ---------------------------------------------------------------- of single kinds
def test_worker_processes_share_cores() -> None:
    executor = LocalExecutor("8")
    try:
        shares = []
        for waiting in (3, 2, 1):
            share = executor.offer(waiting, unknown)
            assert share is not None
            shares.append(share.threads)
            executor.submit(task(f"for {waiting}", value=1), share)
        assert shares == [2, 3, 3] and executor.offer(1, unknown) is None
    finally:
        executor.close()


@pytest.fixture()
def sizes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Let this process have 2 GB, and each worker 1 GB."""
    have = {"self": 2 * GB}
    monkeypatch.setattr(local, "resident", lambda process: have.get(str(process), GB))
    return have


def test_worker_processes_share_memory(sizes: dict[str, int]) -> None:
    executor = LocalExecutor("4", "10GB")
    try:
        first = executor.offer(4, lambda threads: 3 * GB * threads)
        assert first == Share(1, 8 * GB, 3 * GB)
        executor.submit(task("large", value=1), first)
        assert executor.offer(3, lambda threads: 6 * GB) is None
        assert executor.offer(3, lambda threads: 5 * GB) == Share(1, 5 * GB, 5 * GB)
        sizes["self"] = 4 * GB  # has grown by what it had to load
        assert executor.offer(3, lambda threads: 5 * GB) is None
        assert executor.offer(3, unknown) == Share(1, 3 * GB)
    finally:
        executor.close()


def test_what_this_process_loads_to_know_the_needs_counts(sizes: dict[str, int]) -> None:
    def needs(threads: int) -> int:
        sizes["self"] = 5 * GB
        return GB

    executor = LocalExecutor("1", "10GB")
    try:
        assert executor.offer(1, needs) == Share(1, 5 * GB, GB)
    finally:
        executor.close()


def test_a_worker_that_has_more_than_it_was_to_need_counts_with_that(sizes: dict[str, int]) -> None:
    executor = LocalExecutor("2", "10GB")
    try:
        executor.submit(task("small", value=1), Share(needs=GB // 2))
        assert executor.offer(1, unknown) == Share(1, 7 * GB)
    finally:
        executor.close()


def test_idle_workers_count_and_those_that_nothing_needs_are_ended(sizes: dict[str, int]) -> None:
    executor = LocalExecutor("3", "10GB")
    try:
        for number in range(3):
            executor.submit(task(f"task {number}", value=number), Share())
        ended = 0
        while ended < 2:
            ended += len(executor.wait())
        # Of two that are idle, one gets the task, and one keeps its memory.
        beside = executor.offer(2, unknown)
        if ended == 2:
            assert beside is not None and beside.memory == 6 * GB
            ended += len(executor.wait())
        alone = executor.offer(1, unknown)
        assert alone is not None and alone.memory == 8 * GB
    finally:
        executor.close()


def test_an_idle_worker_that_has_kept_too_much_is_ended(sizes: dict[str, int]) -> None:
    executor = LocalExecutor("1", "2.5GB")
    try:
        executor.submit(task("first", "process"), Share())
        first = executor.wait()[0].result
        share = executor.offer(1, unknown)
        assert share == Share(1, GB // 2)
        executor.submit(task("second", "process"), share)
        assert executor.wait()[0].result != first
    finally:
        executor.close()


def test_a_task_that_is_too_large_is_done_alone() -> None:
    executor = LocalExecutor("4", "1MB")  # less than this process has
    try:
        share = executor.offer(1, lambda threads: 3 * GB)
        assert share == Share(4, 1, 3 * GB)
        executor.submit(task("large", value=1), share)
        assert executor.offer(1, unknown) is None
        assert executor.wait()[0].result["value"] == 2
    finally:
        executor.close()


def test_what_this_process_has_kept_is_not_offered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    has = process_bytes() + 100_000_000
    monkeypatch.setattr("webbcal.programme.executors.serial.resident", lambda *words: has)
    executor = SerialExecutor("2", "1GB")
    assert executor.offer(5, unknown) == Share(2, 900_000_000)
    assert SerialExecutor("2", "50MB").offer(5, unknown) == Share(2, 1)  # it says itself what it lacks
    has = 80_000_000
    assert executor.offer(5, unknown) == Share(2, 1_000_000_000)


def test_workers_end_with_their_executor(tmp_path: Path) -> None:
    executor, told = LocalExecutor("1"), tmp_path / "process"
    executor.submit(task("long", "sleep", file=str(told)), Share())
    while not (told.exists() and told.read_text()):
        time.sleep(0.02)
    executor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ExecutorSettings("dask"), "Dask needs a scheduler"),
        (ExecutorSettings("dask", scheduler="tcp://127.0.0.1:1"), "no Dask scheduler answers"),
    ],
)
def test_dask_without_a_scheduler_is_refused(settings: ExecutorSettings, said: str) -> None:
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ParameterError, match=said),
    ):
        make_executor(settings)


def test_a_scheduler_that_has_gone_is_told_of() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(1, processes=False, dashboard_address=None) as cluster:
        made = make_executor(ExecutorSettings("dask", scheduler=cluster.scheduler_address))
        made._client.close()  # type: ignore[attr-defined]  # as Dask does when it has tried for long
        with pytest.raises(WebbcalError, match="the Dask scheduler is gone"):
            made.submit(task("late", value=1), Share())
        made.close()


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"a"'])
def test_the_file_of_a_scheduler_is_not_waited_for(tmp_path: Path, content: str | None) -> None:
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ParameterError, match="is no file of a Dask scheduler"):
        make_executor(ExecutorSettings("dask", scheduler_file=str(file)))


def test_without_dask_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ParameterError, match=r"pip install 'webbcal\[dask\]'"):
        make_executor(ExecutorSettings("dask", scheduler="tcp://127.0.0.1:1"))
