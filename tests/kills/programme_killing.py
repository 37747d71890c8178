"""Programmes whose driver or worker is killed at random moments.

``nice python tests/kills/programme_killing.py [KILLS] [SEED]`` kills as often as one likes.

Whatever was killed, files with the name of a product are whole, and the programme goes on where it was: in
the end its products are those of one that nobody disturbed, and each is there once.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from killing import differs

from webbcal import simulate

sys.path.append(str(Path(__file__).parents[1]))
from programme_cases import exposures

WORKER = "webbcal.programme.executors.worker"


class Programme:
    """A programme of some exposures with stage 3, run by two worker processes.

    Parameters
    ----------
    uncal : Path
        An exposure, which is copied.
    folder : Path
        Where it runs; ``expected`` has the products of an undisturbed run.
    environment : dict
    count : int
        Number of exposures.
    """

    def __init__(self, uncal: Path, folder: Path, environment: dict[str, str], count: int = 3) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self.raw = exposures(uncal, folder / "raw", count)
        self.killed: Counter[str] = Counter()
        self.problems: list[str] = []
        begin = time.monotonic()
        self.finish("expected")
        self.seconds = time.monotonic() - begin

    def start(self, out: str) -> subprocess.Popen[bytes]:
        steps = ("tweakreg", "skymatch", "outlier_detection", "source_catalog")
        words = [str(self.raw), f"--output-dir={out}", "--executor=local", "--threads=2"]
        words += ["--image2.resample.skip=true", *(f"--image3.{step}.skip=true" for step in steps)]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command = [sys.executable, "-m", "webbcal", "batch", *words]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **silent)

    def finish(self, out: str) -> None:
        """Run it to its end."""
        code = self.start(out).wait()
        if code:
            raise RuntimeError(f"webbcal batch ended with {code}")

    def kill_driver(self, moments: random.Random) -> None:
        """Start it, and kill the process that drives it; look at what is there."""
        driver = self.start("out")
        time.sleep(moments.uniform(0.1, 1.0) * self.seconds)
        workers = list(workers_of(driver.pid))
        driver.kill()
        self.killed["driver"] += driver.wait() != 0
        self.check(f"after driver {self.killed['driver']} was killed")
        patience = time.monotonic() + 30
        while any(map(is_alive, workers)) and time.monotonic() < patience:
            time.sleep(0.02)
        if any(map(is_alive, workers)):
            self.problems.append("a worker has outlived its driver")

    def kill_worker(self, moments: random.Random) -> None:
        """Start it, kill one of its workers, and let it go on to its end."""
        driver = self.start("out")
        while not list(workers_of(driver.pid)) and driver.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0.0, 0.4) * self.seconds)
        workers = list(workers_of(driver.pid))
        if workers:
            os.kill(moments.choice(workers), signal.SIGKILL)
            self.killed["worker"] += 1
        if driver.wait():
            self.problems.append(f"webbcal batch ended with {driver.returncode} after a worker was killed")
        self.compare(f"after worker {self.killed['worker']} was killed")

    def check(self, when: str) -> None:
        """Look at the files that have the name of a product."""
        for path in (self.folder / "out").glob("jw*"):
            expected = self.folder / "expected" / path.name
            if difference := differs(path, expected) if expected.exists() else "should not be there":
                self.problems.append(f"{when}: {path.name}: {difference}")

    def compare(self, when: str) -> None:
        """Compare all that is there after a run that came to its end."""
        names, expected = ({p.name for p in (self.folder / o).iterdir()} for o in ("out", "expected"))
        if names != expected:
            self.problems.append(f"{when}: {sorted(names ^ expected)} are there in one of two runs only")
        self.check(when)

    def clear(self) -> None:
        """Begin with nothing again."""
        subprocess.run(["rm", "-rf", str(self.folder / "out")], check=True)


def workers_of(driver: int) -> Iterator[int]:
    """Yield the worker processes of a driver."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_text()
        except OSError:
            continue
        if parent == driver and WORKER in command:
            yield int(status.parent.name)


def is_alive(process: int) -> bool:
    """Tell whether a process runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill_often(programme: Programme, kills: int, each: int, moments: random.Random) -> None:
    """Kill that often, driver and worker in turn; begin with nothing after each so many."""
    for number in range(1, kills + 1):
        if number % 2:
            programme.kill_driver(moments)
        else:
            programme.kill_worker(moments)
        if number % each == 0 or number == kills:
            programme.finish("out")
            programme.compare(f"after kill {number} and a run to the end")
            programme.clear()


def main(kills: int = 60, seed: int = 1) -> int:
    """Kill that often; return how many things did not hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = simulate.ExposureConfig(
            detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="RAPID", ngroups=6, nints=2, seed=3,
            cosmic_rays=200.0,
        )  # fmt: skip
        world = simulate.universe(folder / "world", config, simulate.ReferenceOptions(subarray_only=True))
        environment = world.environment | {"XDG_CACHE_HOME": str(folder / "cache")}
        (folder / "programme").mkdir()
        programme = Programme(world.uncal[0], folder / "programme", environment)
        kill_often(programme, kills, 3, random.Random(seed))
    killed = ", ".join(f"{who} {times} times" for who, times in programme.killed.items())
    print(f"killed: {killed}; runs of {programme.seconds:.1f} s; {len(programme.problems)} problems")
    for problem in programme.problems:
        print(" ", problem)
    return len(programme.problems)


if __name__ == "__main__":
    sys.exit(min(1, main(*map(int, sys.argv[1:]))))
