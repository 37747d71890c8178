"""One suite for all executors: what is given to them is done, and what goes wrong is told."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from webbcal.core.errors import ParameterError, WebbcalError
from webbcal.programme.executors.interface import Executor, Outcome, Share, Task
from webbcal.programme.executors.local import LocalExecutor
from webbcal.programme.executors.making import make_executor
from webbcal.programme.executors.serial import SerialExecutor
from webbcal.programme.settings import ExecutorSettings
from webbcal.run.planning import process_bytes


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


def sleep(argument: Mapping[str, Any], share: Share) -> Any:
    """Say which process it is, and stay."""
    Path(argument["file"]).write_text(str(os.getpid()))
    time.sleep(600)


def task(name: str, function: str = "double", needs: int = 0, **argument: Any) -> Task:
    return Task(name, f"{__name__}:{function}", argument, needs)


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
        while waiting and (share := executor.offer(len(waiting))) is not None:
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
            share = executor.offer(waiting)
            assert share is not None
            shares.append(share.threads)
            executor.submit(task(f"for {waiting}", value=1), share)
        assert shares == [2, 3, 3] and executor.offer(1) is None
    finally:
        executor.close()


def test_worker_processes_share_memory() -> None:
    executor = LocalExecutor("4", "8GB")
    try:
        first = executor.offer(4)
        assert first is not None and first.memory is not None and first.memory < 8 << 30
        needs = first.memory // 2  # of what this process, which is of no certain size, leaves
        executor.submit(task("large", value=1, needs=needs), first)
        second = executor.offer(3)
        assert second is not None and second.memory == first.memory - needs
    finally:
        executor.close()


def test_idle_workers_count_and_those_that_nothing_needs_are_ended() -> None:
    executor = LocalExecutor("3", "8GB")
    try:
        first = executor.offer(3)
        assert first is not None and first.memory is not None
        for number in range(3):
            executor.submit(task(f"task {number}", value=number), Share())
        ended = 0
        while ended < 2:
            ended += len(executor.wait())
        beside = executor.offer(2)  # of two that are idle, one gets the next task, and one keeps its memory
        if ended == 2:
            assert beside is not None and beside.memory is not None and beside.memory < first.memory
            ended += len(executor.wait())
        alone = executor.offer(1)
        assert alone is not None and alone.memory == first.memory
    finally:
        executor.close()


def test_a_task_that_is_too_large_is_done_alone() -> None:
    executor = LocalExecutor("4", "1MB")  # less than this process has
    try:
        share = executor.offer(1)
        assert share is not None and share.threads == 4
        executor.submit(task("large", value=1, needs=3_000_000_000), share)
        assert executor.offer(1) is None
        assert executor.wait()[0].result["value"] == 2
    finally:
        executor.close()


def test_what_this_process_has_kept_is_not_offered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    has = process_bytes() + 100_000_000
    monkeypatch.setattr("webbcal.programme.executors.serial.kilobytes", lambda *words: has)
    executor = SerialExecutor("2", "1GB")
    assert executor.offer(5) == Share(2, 900_000_000)
    assert SerialExecutor("2", "50MB").offer(5) == Share(2, 1)  # it says itself what it lacks
    has = 80_000_000
    assert executor.offer(5) == Share(2, 1_000_000_000)


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
