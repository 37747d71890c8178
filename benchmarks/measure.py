"""Measuring whole processes: wall and processor time, and peak memory of the process tree."""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One run of a command: seconds of wall clock and of processor, peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def run(
    command: Sequence[str], environment: Mapping[str, str], log: Path, codes: Sequence[int] = (0,)
) -> Measurement:
    """Run a command to its end, with one of some exit codes, and measure it; its output goes to a log.

    Peak memory is the kernel's own record of the process's peak. (That which `wait4` returns will not do: it
    counts what the parent had when it forked.) While the process has children it is the sum of the
    proportional set sizes of all, sampled twenty times a second, if that is more. With no children that is
    not asked for: the kernel walks all pages to answer, which slows a process that maps files by a tenth.

    Modules are imported from bytecode, as those of an installed package are: Python may keep it even where
    the environment forbids that, which would have a working copy compiled in each run, and the peer not.

    Raises
    ------
    RuntimeError
        If the command fails.
    """
    with log.open("w") as out:
        variables = {k: v for k, v in environment.items() if k != "PYTHONDONTWRITEBYTECODE"}
        start = time.perf_counter()
        process = subprocess.Popen(list(command), stdout=out, stderr=out, env=variables)
        peak = _Peak(process.pid)
        peak.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        peak.stop()
    if os.waitstatus_to_exitcode(status) not in codes:
        raise RuntimeError(f"{' '.join(command)} failed; see {log}\n{log.read_text()[-2000:]}")
    return Measurement(wall, usage.ru_utime + usage.ru_stime, peak.megabytes)


class _Peak(threading.Thread):
    """Watches the memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.megabytes = 0.0

    def run(self) -> None:
        """Sample until stopped."""
        while not self._ended.wait(0.05):
            pids = _tree(self._pid)
            tree = sum(_size(pid, "smaps_rollup", "Pss:") for pid in pids) if len(pids) > 1 else 0.0
            self.megabytes = max(self.megabytes, tree, _size(self._pid, "status", "VmHWM:"))

    def stop(self) -> None:
        """End the watch."""
        self._ended.set()
        self.join()


def _tree(pid: int) -> list[int]:
    try:
        tasks = Path(f"/proc/{pid}/task")
        children = [int(c) for t in tasks.iterdir() for c in (t / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(p for child in children for p in _tree(child))]


def _size(pid: int, file: str, field: str) -> float:
    """Return a size in MB from a file of /proc; 0 when the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), 0.0)


def fill_free_memory(folder: Path) -> None:
    """Fill the page cache with a sparse file, so that little memory is free.

    On virtual machines, memory that was free for some seconds goes back to the host, and touching it again is
    slow; that would punish programs that use much memory. An ordinary machine's memory is full of cache.
    """
    sparse = folder / "sparse.bin"  # stays: removing it would free the memory again
    if not sparse.exists():
        with sparse.open("wb") as file:
            file.truncate(int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 0.96))
    with sparse.open("rb", buffering=0) as file:
        buffer = bytearray(4 << 20)
        while file.readinto(buffer):
            pass


def warm(paths: Sequence[Path]) -> None:
    """Bring files into the page cache."""
    for path in paths:
        with path.open("rb", buffering=0) as file:
            buffer = bytearray(4 << 20)
            while file.readinto(buffer):
                pass


def median(values: Sequence[Measurement]) -> Measurement:
    """Return the medians of several measurements."""
    return Measurement(*(statistics.median(getattr(v, n) for v in values) for n in ("wall", "cpu", "memory")))


def compare(
    commands: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    files: Sequence[Path],
    folder: Path,
    runs: int,
    fill: bool,
) -> dict[str, Measurement]:
    """Run commands in turn, `runs` times after one to warm up (with 0, that one counts); return the medians.

    Parameters
    ----------
    commands : mapping
        Name to command; logs are called after the name's first word.
    files : sequence of Path
        What the commands read: brought into the page cache before each run.
    folder : Path
        For logs, and for the file that fills free memory.
    runs : int
    fill : bool
        Keep free memory small.
    """
    results: dict[str, list[Measurement]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            warm(files)
            if fill:
                fill_free_memory(folder)
                warm(files)
            result = run(command, environment, folder / f"{name.split()[0]}.log")
            if number or not runs:  # the first run warms caches and compiles
                results[name].append(result)
    return {name: median(values) for name, values in results.items()}


def rows(case: str, results: Mapping[str, Measurement], extra: str = "") -> list[str]:
    """Return rows of a Markdown table: theirs, ours, and the ratios; `extra` is a last column of ours."""
    theirs, ours = results.values()
    table = [
        f"| {case} | {name} | {m.wall:.2f} | {m.cpu:.2f} | {m.memory:.0f} | {last} |"
        for (name, m), last in zip(results.items(), ("", extra), strict=True)
    ]
    ratios = (theirs.wall / ours.wall, theirs.cpu / ours.cpu, theirs.memory / ours.memory)
    return [*table, f"| {case} | **ratio** | {ratios[0]:.1f} | {ratios[1]:.1f} | {ratios[2]:.1f} | |"]
