"""A cluster that a batch system starts: what is told of it in TOML, and the script of its jobs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from webbcal.core.errors import ParameterError
from webbcal.programme.executors.dask import job_script
from webbcal.programme.executors.interface import Outcome, Task
from webbcal.programme.executors.making import make_executor
from webbcal.programme.settings import ExecutorSettings

pytest.importorskip("dask_jobqueue")
HERE = Path(__file__).parent
SLURM = {
    "kind": "slurm", "jobs": 20, "cores": 8, "processes": 8, "memory": "64GB", "walltime": "04:00:00",
    "queue": "normal", "job_script_prologue": ["export CRDS_PATH=/shared/crds"],
}  # fmt: skip


def script(**words: Any) -> str:
    return job_script(ExecutorSettings("dask", jobqueue={**SLURM, **words}))


def test_the_script_is_what_the_table_says() -> None:
    lines = script().splitlines()
    assert {"#SBATCH -p normal", "#SBATCH -t 04:00:00", "export CRDS_PATH=/shared/crds"} <= set(lines)
    assert "--nworkers 8" in lines[-1] and "--nthreads 1" in lines[-1]


def test_other_batch_systems_are_known_by_their_names() -> None:
    assert "#PBS -q normal" in script(kind="PBS").splitlines()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"kind": "slum"}, "executor.jobqueue.kind = 'slum': must be one of .*slurm"),
        ({"kind": ""}, "executor.jobqueue.kind = ''"),
        ({"jobs": 0}, "executor.jobqueue.jobs"),
        ({"colour": "red"}, "executor.jobqueue: .*colour"),
        ({"cores": None}, "executor.jobqueue: .*cores"),
    ],
)
def test_tables_that_make_no_sense_are_refused(words: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        script(**words)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Slurm that runs each job at once, here; the file has what it was asked."""
    calls, commands = tmp_path / "calls", tmp_path / "bin"
    commands.mkdir()
    submit = f'cp "$1" {tmp_path}/job\nsetsid sh {tmp_path}/job >/dev/null 2>&1 &\necho "batch job $!"'
    for name, what in (("sbatch", submit), ("scancel", "kill -- -$1")):
        (commands / name).write_text(f"#!/bin/sh\necho {name} >> {calls}\n{what}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    calls.touch()
    return calls


@pytest.fixture
def _in_time() -> Iterator[None]:
    """End a test whose workers do not come."""

    def late(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError("no worker came in two minutes")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_in_time")
def test_workers_are_asked_for_when_there_is_work(calls: Path) -> None:
    words = {
        "kind": "slurm", "cores": 1, "processes": 1, "memory": "2GB", "walltime": "00:10:00",
        "scheduler_options": {"host": "127.0.0.1", "dashboard_address": None},
    }  # fmt: skip
    executor = make_executor(ExecutorSettings("dask", jobqueue=words))
    try:
        share = executor.offer(1, lambda threads: None)
        assert share is not None and calls.read_text() == ""
        executor.submit(Task("a", "test_executors:double", {"value": 4}), share)
        assert executor.wait() == [Outcome("a", {"value": 8, "threads": 1})]
    finally:
        executor.close()
    assert calls.read_text().split() == ["sbatch", "scancel"]
