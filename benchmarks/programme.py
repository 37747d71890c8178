"""Programmes: a graph of thousands of exposures, and what executors cost.

``python benchmarks/programme.py [N [TASKS]]``. The exposures are headers without data, so that nothing but
planning is measured. What executors cost is measured with tasks that do nothing, as many for Dask as there
are exposures; its scheduler and worker are processes of their own. Processor time tells what one driver and
one scheduler can do, also where the machine has other work.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from webbcal.io.cards import Card, header_bytes
from webbcal.programme.executors.interface import Executor, Share, Task
from webbcal.programme.executors.making import make_executor
from webbcal.programme.graph import jobs_of
from webbcal.programme.grouping import group
from webbcal.programme.outlook import in_text, look_ahead
from webbcal.programme.settings import ExecutorSettings, settings_of
from webbcal.programme.sources import look

#: Exposures of an observation, one detector in some dithers; targets of a programme, in turn.
IN_OBSERVATION, TARGETS = 40, 25
TASKS = 500


def nothing(argument: Mapping[str, Any], share: Share) -> int:
    """Do nothing: what is left is what the executor takes."""
    return 0


def main(count: int = 10_000, tasks: int = TASKS) -> None:
    """Print how long everything took."""
    print(f"| {count} exposures | s |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_headers(Path(folder) / "raw", count)
        plan(Path(folder))
    print("\n| executor, tasks that do nothing | ms a task | driver: ms of processor | scheduler |")
    print("|---|---|---|---|")
    overheads(tasks, count)


def plan(folder: Path) -> None:
    """Plan a programme of all exposures of a folder."""
    settings = settings_of({"inputs": [str(folder / "raw")], "output_dir": str(folder / "out")})
    with timed("folder is read"):
        sources = look(settings.inputs)
    with timed("headers are read, exposures grouped by rules"):
        grouping = group(sources)
    with timed("graph"):
        jobs = jobs_of(sources, grouping, settings)
    with timed(f"what would be done of {len(jobs)} jobs, and why"):
        in_text(look_ahead(jobs, settings), settings)


def write_headers(folder: Path, count: int) -> None:
    """Write files with the headers of dithered exposures."""
    folder.mkdir()
    for number in range(count):
        observation, dither = divmod(number, IN_OBSERVATION)
        program, observation = divmod(observation, 900)
        root = f"jw{program + 1:05d}{observation + 1:03d}001_02101_{dither + 1:05d}_nrcalong"
        cards: dict[str, Any] = {
            "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "TELESCOP": "JWST", "INSTRUME": "NIRCAM",
            "DETECTOR": "NRCALONG", "CHANNEL": "LONG", "FILTER": "F444W", "PUPIL": "CLEAR",
            "SUBARRAY": "FULL", "EXP_TYPE": "NRC_IMAGE", "PROGRAM": f"{program + 1:05d}",
            "OBSERVTN": f"{observation + 1:03d}", "VISITGRP": "02", "ACT_ID": "01",
            "TARGNAME": f"FIELD {observation % TARGETS}", "PATT_NUM": dither + 1, "TSOVISIT": False,
            "BKGDTARG": False, "IS_PSF": False, "VISITYPE": "PRIME_TARGETED_FIXED",
        }  # fmt: skip
        path = folder / f"{root}_uncal.fits"
        path.write_bytes(header_bytes([Card(key, value, "") for key, value in cards.items()]))


def overheads(tasks: int, dask_tasks: int) -> None:
    """Print what each executor takes for a task that does nothing."""
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    for kind in ("serial", "local"):
        measure(kind, make_executor(ExecutorSettings(kind, "2")), tasks)
    if find_spec("distributed") is None:
        print("| dask | not installed | | |")
        return
    with dask_cluster(2) as (file, scheduler):
        executor = make_executor(ExecutorSettings("dask", scheduler_file=file))
        measure("dask", executor, dask_tasks, scheduler)


@contextmanager
def dask_cluster(threads: int) -> Iterator[tuple[str, int]]:
    """Start a scheduler and a worker; give the file that tells where it is, and the scheduler's process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        words = [f"--scheduler-file={file}", "--no-dashboard"]
        worker = [*words, f"--nthreads={threads}", "--no-nanny", f"--local-directory={folder}"]
        started = []
        for name, options in (("scheduler", [*words, "--port=0"]), ("worker", worker)):
            command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *options]
            started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            while not file.exists():
                time.sleep(0.1)
        try:
            yield str(file), started[0].pid
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


def measure(kind: str, executor: Executor, count: int, scheduler: int | None = None) -> None:
    """Print what an executor takes for a task, once its workers run."""
    try:
        through(executor, 4)
        begin, ours, theirs = time.perf_counter(), time.process_time(), processor_time(scheduler)
        through(executor, count)
        wall, ours = time.perf_counter() - begin, time.process_time() - ours
        theirs = processor_time(scheduler) - theirs
        costs = [f"{1e3 * seconds / count:.2f}" for seconds in (wall, ours, theirs)]
        print(f"| {kind}, {count} | {' | '.join(costs[: 3 if scheduler else 2])} |", flush=True)
    finally:
        executor.close()


def processor_time(process: int | None) -> float:
    """Return the seconds of processor time that a process has had."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def unknown(threads: int) -> int | None:
    """Tell what a task needs of which nothing is known."""
    return None


def through(executor: Executor, count: int) -> None:
    """Do tasks as a driver does."""
    waiting, ended = count, 0
    while ended < count:
        while waiting and (share := executor.offer(waiting, unknown)) is not None:
            executor.submit(Task(f"task {waiting}", "programme:nothing", {}), share)
            waiting -= 1
        ended += len(executor.wait())


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took."""
    begin = time.perf_counter()
    yield
    print(f"| {what} | {time.perf_counter() - begin:.2f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
