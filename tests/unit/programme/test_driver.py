"""Driving: what is begun when, what becomes of failures and of lost workers. No pipeline runs here."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from programme_cases import Listener

from webbcal.core.errors import OutputError
from webbcal.core.locks import held
from webbcal.programme.driver import ATTEMPTS, Driver, Result
from webbcal.programme.executors.interface import Needs, Outcome, Share, Task
from webbcal.programme.executors.local import LocalExecutor
from webbcal.programme.folder import Folder
from webbcal.programme.job import Input, Job
from webbcal.programme.projection import Projection
from webbcal.programme.settings import Settings
from webbcal.programme.status import in_text, status_of

#: Where workers find this module, and what it imports.
HERE = Path(__file__).parent, Path(__file__).parents[2]
Plan = Callable[[str, int], Outcome]


def job(name: str, *makers: str, roles: str = "", problem: str = "") -> Job:
    """Return a job that reads what others make: science exposures, or with ``b`` a background."""
    inputs = [
        Input(Path(f"/{maker}.fits"), "background" if role == "b" else "science", maker)
        for maker, role in zip(makers, roles.ljust(len(makers), "s"), strict=True)
    ]
    members = [{"expname": i.path.name, "exptype": i.role} for i in inputs]
    association = {"products": [{"name": name, "members": members}]} if makers else None
    level = 1 if not makers else 3
    given = tuple(inputs) or (Input(Path(f"/{name}_uncal.fits")),)
    return Job(name, f"calwebb_{level}", level, given, association, f"{name}_asn.json", problem=problem)


class Fake:
    """Ends one task after another, as it is told for its name and the number of the attempt."""

    def __init__(self, plan: Plan, room: int = 2) -> None:
        self.plan, self.room = plan, room
        self.begun: Counter[str] = Counter()
        self.order: list[str] = []
        self.running: list[Task] = []
        self.closed = False

    def offer(self, waiting: int, needs: Needs) -> Share | None:
        return Share() if len(self.running) < self.room else None

    def submit(self, task: Task, share: Share) -> None:
        self.begun[task.name] += 1
        self.order.append(task.name)
        self.running.append(task)

    def wait(self) -> list[Outcome]:
        ended = self.running.pop(0)
        return [self.plan(ended.name, self.begun[ended.name])]

    def close(self) -> None:
        self.closed = True


def good(name: str, attempt: int) -> Outcome:
    return Outcome(name, record(name))


def record(name: str) -> dict[str, Any]:
    return {
        "state": "done", "seconds": 1.0, "threads": 1, "products": {}, "fingerprint": name, "host": "here",
        "basis": {"inputs": {}, "version": "0"}, "references": [], "context": None, "libraries": {},
        "started": "now", "peak_memory": 1, "call": {"target": "x", "inputs": [], "parameters": {}},
        "selecting": {},
    }  # fmt: skip


def bad(*names: str) -> Plan:
    """Fail for these, with a reason."""
    return lambda name, attempt: Outcome(
        name, {"state": "failed", "error": "it is bad", "seconds": 1.0} if name in names else record(name)
    )


def drive(
    out: Path, jobs: list[Job], executor: Fake, listener: Listener | None = None, **words: Any
) -> Result:
    return Driver(jobs, Settings(("x",), out, **words), listener or Listener()).run(executor)


def test_inputs_are_made_first_and_products_as_soon_as_they_are_there(tmp_path: Path) -> None:
    jobs = [job("a"), job("b"), job("c"), job("d"), job("ab", "a", "b")]
    executor = Fake(good, room=1)
    result = drive(tmp_path, jobs, executor)
    assert executor.order == ["a", "b", "ab", "c", "d"]
    assert result.is_whole and sorted(result.done) == sorted(j.name for j in jobs) and executor.closed


def test_a_failure_stays_where_it_is(tmp_path: Path) -> None:
    jobs = [job("a"), job("b"), job("c"), job("ab", "a", "b"), job("c3", "c"), job("a2", "a")]
    result = drive(tmp_path, jobs, Fake(bad("a")))
    assert result.failed == {"a": "it is bad"} and not result.is_whole
    assert sorted(result.left_out) == ["a2", "ab"] and "a was not done" in result.left_out["ab"]
    assert "--allow-missing" in result.left_out["ab"]
    assert "no science exposure is left" in result.left_out["a2"]  # no option would help
    assert sorted(result.done) == ["b", "c", "c3"]


def test_what_allows_it_goes_on_without_the_missing(tmp_path: Path) -> None:
    jobs = [job("a"), job("b"), job("ab", "a", "b"), job("a3", "a"), job("a-b", "b", "a", roles="sb")]
    executor = Fake(bad("a"))
    result = drive(tmp_path, jobs, executor, allow_missing=True)
    assert sorted(result.done) == ["a-b", "ab", "b"]
    assert "no science exposure is left" in result.left_out["a3"]


def test_what_cannot_be_done_is_not_tried_and_what_needs_it_is_left_out(tmp_path: Path) -> None:
    executor = Fake(good)
    result = drive(
        tmp_path, [job("a", problem="it is no FITS file"), job("a3", "a"), job("z3", "a3")], executor
    )
    assert result.failed == {"a": "it is no FITS file"} and list(result.left_out) == ["a3", "z3"]
    assert not executor.begun


def test_a_lost_worker_is_forgiven_some_times(tmp_path: Path) -> None:
    def lost_twice(name: str, attempt: int) -> Outcome:
        return Outcome(name, error="lost", lost=True) if attempt < ATTEMPTS else good(name, attempt)

    executor = Fake(lost_twice)
    assert drive(tmp_path, [job("a")], executor).done == ["a"]
    assert executor.begun["a"] == ATTEMPTS


def test_but_not_for_ever(tmp_path: Path) -> None:
    executor = Fake(lambda name, attempt: Outcome(name, error="its worker was lost (SIGKILL)", lost=True))
    result = drive(tmp_path, [job("a"), job("a3", "a")], executor)
    assert "its worker was lost (SIGKILL), 3 times" in result.failed["a"] and executor.begun["a"] == ATTEMPTS
    assert Folder(tmp_path).record("a")["state"] == "failed"


def test_errors_are_not_tried_again(tmp_path: Path) -> None:
    executor = Fake(lambda name, attempt: Outcome(name, error="OutputError: the disk is full"))
    assert drive(tmp_path, [job("a")], executor).failed == {"a": "OutputError: the disk is full"}
    assert executor.begun["a"] == 1


def test_one_drives_at_a_time(tmp_path: Path) -> None:
    folder, executor = Folder(tmp_path), Fake(good)
    folder.prepare()
    with held(folder.driver_lock), pytest.raises(OutputError, match="a programme is run here"):
        drive(tmp_path, [job("a")], executor)
    assert executor.closed and not executor.begun


def test_an_interruption_ends_the_workers_and_is_told_in_the_manifest(tmp_path: Path) -> None:
    def interrupted(name: str, attempt: int) -> Outcome:
        if name == "b":
            raise KeyboardInterrupt
        return good(name, attempt)

    executor = Fake(interrupted)
    with pytest.raises(KeyboardInterrupt):
        drive(tmp_path, [job("a"), job("b")], executor)
    assert executor.closed and '"b": "not done"' in Folder(tmp_path).manifest.read_text()


def test_an_interruption_that_a_library_swallows_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> None:
        if executor.begun["b"]:
            raise KeyboardInterrupt

    executor = Fake(good, room=1)
    monkeypatch.setattr("webbcal.programme.driver.raise_if_asked", asked)
    with pytest.raises(KeyboardInterrupt):
        drive(tmp_path, [job("a"), job("b"), job("c")], executor)
    assert executor.order == ["a", "b"] and executor.closed


def hold(order: dict[str, Any], share: Share) -> dict[str, Any]:
    """Be a job that takes memory for a while: write when it begins and ends."""
    name = order["job"]["name"]
    for sign in "+-":
        with (Path(order["folder"]) / "held").open("a") as file:
            file.write(f"{sign}{name[-1]}\n")
        time.sleep(0.1)
    return record(name)


def test_a_memory_budget_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of 1 to 4 GB, which could all run side by side, never take more together than is allowed."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*map(str, HERE), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr("webbcal.programme.driver.PERFORM", f"{__name__}:hold")
    monkeypatch.setattr(Projection, "of", lambda self, job, threads: int(job.name[-1]) * 10**9)
    jobs = [job(f"job{number}.{size}") for number, size in enumerate("43121432")]
    executor = LocalExecutor("3", "5GB")
    assert Driver(jobs, Settings(("x",), tmp_path), Listener()).run(executor).is_whole
    steps = [int(line) for line in (tmp_path / "held").read_text().split()]
    assert len(steps) == 2 * len(jobs) and max(accumulate(steps)) <= 5


def test_status_tells_what_failed_and_what_was_left_out(tmp_path: Path) -> None:
    jobs = [job("a", problem="it is no FITS file"), job("b"), job("ab", "a", "b")]
    listener = Listener()
    drive(tmp_path, jobs, Fake(good), listener)
    assert listener.states == {"a": "failed", "b": "done", "ab": "left out"}
    status = status_of(Folder(tmp_path))
    assert (status.states["a"], status.states["ab"], status.driver) == ("failed", "left out", None)
    assert "failed: a: it is no FITS file (logs/a.log)" in in_text(status)
    Folder(tmp_path).write_record("b", record("b"))
    assert in_text(status_of(Folder(tmp_path))).endswith("webbcal batch tries the rest again")


def test_a_product_of_an_earlier_run_is_not_taken_for_done(tmp_path: Path) -> None:
    """What an exposure that fails now was part of is left out; its product stays, and is told of."""
    folder, jobs = Folder(tmp_path), [job("a"), job("ab", "a")]
    drive(tmp_path, jobs, Fake(good))
    old = record("ab")
    old["basis"]["inputs"] = {"a.fits": {"made": "a"}}
    old["products"] = {"ab.fits": {}}
    for name, known in (("a", record("a")), ("ab", old)):
        folder.write_record(name, known)
    assert status_of(folder).states == {"a": "done", "ab": "done"}
    drive(tmp_path, [job("a", problem="it is damaged"), job("ab", "a")], Fake(good))
    assert status_of(folder).states == {"a": "failed", "ab": "left out"}
    told = json.loads(folder.manifest.read_text())
    assert list(told["products"]) == ["ab.fits"] and "a was not done" in told["not_done"]["ab"]
    with held(folder.driver_lock):
        folder.write_record("a", {"state": "running", "run": "x"})
        assert status_of(folder).states["ab"] == "waiting"


def test_a_record_that_lacks_something_is_none(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.prepare()
    for name in record("a"):
        folder.write_record("a", {key: value for key, value in record("a").items() if key != name})
        assert folder.record("a").get("state") != "done"
    folder.write_record("a", record("a"))
    assert folder.record("a") == record("a")


def test_status_tells_what_is_next(tmp_path: Path) -> None:
    def last(held_lock: Path | None = None) -> str:
        with held(held_lock) if held_lock else nullcontext():
            return in_text(status_of(folder)).splitlines()[-1]

    folder = Folder(tmp_path)
    drive(tmp_path, [job("a"), job("b")], Fake(good))
    for name in "ab":
        folder.write_record(name, record(name))
    assert last() == "it has ended: all is done"
    folder.write_record("b", {"state": "running", "run": "x"})
    assert last() == "nobody runs it: it was interrupted; webbcal batch goes on where it was"
    assert last(folder.lock("b")).startswith("nobody drives it, but workers end what they began")
    assert last(folder.driver_lock).startswith("run by process ")


def test_a_job_that_was_killed_is_not_running(tmp_path: Path) -> None:
    drive(tmp_path, [job("a")], Fake(good))
    folder = Folder(tmp_path)
    folder.write_record("a", {"state": "running", "run": "x"})
    assert status_of(folder).states == {"a": "interrupted"}
    with held(folder.lock("a")):
        assert status_of(folder).states == {"a": "running"}
