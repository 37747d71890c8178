"""Programmes: a graph of thousands of exposures, and what executors cost.

``python benchmarks/programme.py [N]``. The exposures are headers without data, so that nothing but planning
is measured. What executors cost is measured with tasks that do nothing; Dask's with a scheduler and workers
in processes of their own, if it is installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


def main(count: int = 10_000) -> None:
    """Print how long everything took."""
    print(f"| {count} exposures | s |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_headers(Path(folder) / "raw", count)
        plan(Path(folder))
    print(f"\n| executor, {TASKS} tasks that do nothing | ms a task |\n|---|---|")
    overheads()


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


def overheads() -> None:
    """Print what each executor takes for a task that does nothing."""
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    for kind in ("serial", "local"):
        measure(kind, make_executor(ExecutorSettings(kind, "2")))
    try:
        from distributed import LocalCluster
    except ImportError:
        print("| dask | not installed |")
        return
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        measure("dask", make_executor(ExecutorSettings("dask", scheduler=cluster.scheduler_address)))


def measure(kind: str, executor: Executor) -> None:
    """Print what an executor takes for a task, once its workers run."""
    try:
        through(executor, 4)
        begin = time.perf_counter()
        through(executor, TASKS)
        print(f"| {kind} | {1e3 * (time.perf_counter() - begin) / TASKS:.2f} |", flush=True)
    finally:
        executor.close()


def through(executor: Executor, count: int) -> None:
    """Do tasks as a driver does."""
    waiting, ended = count, 0
    while ended < count:
        while waiting and (share := executor.offer(waiting)) is not None:
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
