"""A small programme that is disturbed, and what must hold of its folder after it was resumed."""

import json
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from killing import differs

from webbcal import simulate
from webbcal.cli.main import main as webbcal
from webbcal.core.locks import owner_of
from webbcal.programme.folder import Folder

sys.path.append(str(Path(__file__).parents[1]))
from programme_cases import exposures

WORKER = "webbcal.programme.executors.worker"
_STEPS = ("tweakreg", "skymatch", "outlier_detection", "source_catalog")


class Driver(Protocol):
    """A process that drives a programme."""

    pid: int

    def kill(self) -> None: ...
    def wait(self) -> int: ...
    def poll(self) -> int | None: ...


class Forked:
    """A driver that has loaded all libraries when it starts: a copy of this process.

    Parameters
    ----------
    words : list of str
        What follows ``webbcal``.
    said : Path
        Where its output goes.
    largest_file : int, optional
        Bytes; no file can grow beyond.
    """

    def __init__(self, words: list[str], said: Path, largest_file: int | None = None) -> None:
        self._words, self._said, self._largest = words, said, largest_file
        self._process = multiprocessing.get_context("fork").Process(target=self._run)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def _run(self) -> None:
        with self._said.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        if self._largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._largest, self._largest))
        sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        sys.exit(webbcal(self._words))

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode or 0

    def poll(self) -> int | None:
        return self._process.exitcode


class Programme:
    """A programme of some exposures with stage 3.

    Parameters
    ----------
    uncal : Path
        An exposure, which is copied.
    folder : Path
        Where it runs; ``expected`` has the products of an undisturbed run.
    count : int
        Number of exposures.

    Attributes
    ----------
    environment : dict
        The settings of CRDS and of caches that it was made with.
    seconds : float
        What a job takes, about.
    resumed : int
        How often it was driven to its end after a disturbance.
    problems : list of str
        What did not hold.
    """

    def __init__(self, uncal: Path, folder: Path, count: int = 3) -> None:
        self.folder = folder
        self.raw = exposures(uncal, folder / "raw", count)
        self.environment = {n: v for n, v in os.environ.items() if n.startswith(("CRDS_", "XDG_"))}
        self.resumed = 0
        self.problems: list[str] = []
        self._checked: set[tuple[str, int, int]] = set()
        assert webbcal(self.words("expected")) == 0  # here: those that are forked have compiled kernels
        begin = time.monotonic()
        assert self.start("again", "serial").wait() == 0
        self.seconds = (time.monotonic() - begin) / self.jobs
        shutil.rmtree(folder / "again")

    @property
    def jobs(self) -> int:
        return len(Folder(self.folder / "expected").graph())

    def words(self, out: str, kind: str = "serial", *more: str) -> list[str]:
        """Return what follows ``webbcal``."""
        place = [
            f"--output-dir={self.folder / out}",
            f"--executor={kind}",
            f"--threads={1 + (kind == 'local')}",
        ]
        skipped = ["--image2.resample.skip=true", *(f"--image3.{step}.skip=true" for step in _STEPS)]
        return ["batch", str(self.raw), *place, *skipped, *more]

    def said(self, out: str) -> Path:
        """Return where what a driver says is found."""
        return self.folder / f"{out}.said"

    def start(self, out: str, kind: str, *more: str, largest_file: int | None = None) -> Driver:
        """Start to drive it."""
        return Forked(self.words(out, kind, *more), self.said(out), largest_file)

    def left(self, out: str) -> int:
        """Return how many jobs are not done."""
        folder = Folder(self.folder / out)
        done = [json.loads(path.read_text()) for path in (folder.path / ".webbcal/jobs").glob("*.json")]
        return self.jobs - sum(record["state"] == "done" for record in done)

    def wait_for(self, driver: Driver, moments: random.Random) -> None:
        """Wait until some random part of what is left is done."""
        done = self.left("out")
        wanted = moments.randrange(done) if done else 0
        while driver.poll() is None and done - self.left("out") < wanted:
            time.sleep(0.005)
        time.sleep(moments.uniform(0.0, 1.2) * self.seconds)

    def finish_and_compare(self, out: str, when: str) -> None:
        """Drive it to its end, undisturbed; compare all that is there; remove it."""
        self.resumed += 1
        if code := self.start(out, "serial").wait():
            said = self.said(out).read_text()[-1000:]
            self.problems.append(f"{when}: the resumed run ended with {code}: {said}")
        self.check_products(out, when)
        self._check_folder(Folder(self.folder / out), when)
        shutil.rmtree(self.folder / out)
        self._checked.clear()

    def check_products(self, out: str, when: str) -> None:
        """Compare files that have the name of a product with those that nobody has disturbed."""
        for path in (self.folder / out).glob("jw*"):
            status, expected = path.stat(), self.folder / "expected" / path.name
            if (version := (path.name, status.st_ino, status.st_mtime_ns)) in self._checked:
                continue
            self._checked.add(version)
            if difference := differs(path, expected) if expected.exists() else "should not be there":
                self.problems.append(f"{when}: {path.name}: {difference}")

    def _check_folder(self, folder: Folder, when: str) -> None:
        """Nothing is lost, there twice, left, or locked."""
        whole = Folder(self.folder / "expected")
        names, expected = ({str(p.relative_to(f.path)) for p in f.path.rglob("*")} for f in (folder, whole))
        if names != expected:
            self.problems.append(f"{when}: {sorted(names ^ expected)} are there in one of two runs only")
        if locked := [str(path) for path in folder.path.rglob("*.lock") if owner_of(path)]:
            self.problems.append(f"{when}: {locked} are locked")
        told, wanted = (set(json.loads(f.manifest.read_text())["products"]) for f in (folder, whole))
        if told != wanted:
            self.problems.append(f"{when}: the manifest has {sorted(told ^ wanted)} in one of two runs only")


def simulated(folder: Path, count: int = 3) -> Programme:
    """Return a programme of small simulated exposures, with CRDS and caches set to its folder."""
    config = simulate.ExposureConfig(
        detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="RAPID", ngroups=6, nints=2, seed=3,
        cosmic_rays=200.0,
    )  # fmt: skip
    world = simulate.universe(folder / "world", config, simulate.ReferenceOptions(subarray_only=True))
    os.environ |= world.environment | {"XDG_CACHE_HOME": str(folder / "cache")}
    (folder / "programme").mkdir()
    return Programme(world.uncal[0], folder / "programme", count)


def workers_of(driver: int) -> Iterator[int]:
    """Yield the worker processes of a driver."""
    tree = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(driver)], capture_output=True, text=True)
    for line in tree.stdout.splitlines():
        process, _, command = line.strip().partition(" ")
        if WORKER in command:
            yield int(process)


def alive(process: int) -> bool:
    """Tell whether a process runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
