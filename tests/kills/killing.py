"""Runs that are killed at random moments, and what must hold after it.

A product is there whole or not at all; the next run sweeps up what the killed ones have left, and its
products are those of a run that nobody disturbed. Dates, and the run record that has them, may differ.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io import fits

from webbcal import simulate

_DATES = ["DATE", "CHECKSUM", "DATASUM"]


@dataclass
class Case:
    """A command, run in a folder of its own.

    Attributes
    ----------
    words : sequence of str
        What follows ``webbcal``; products go to ``out``.
    folder : Path
        Where it runs; ``expected`` has the products of an undisturbed run.
    environment : dict
        Its environment; what it writes beside its products goes to `folder`, too.
    seconds : float
        What the quickest undisturbed run has taken.
    kills, caught, left : int
        How often it was killed, how often before its end, and how many temporary files were there after that.
    problems : list of str
        What did not hold.
    """

    name: str
    words: Sequence[str]
    folder: Path
    environment: dict[str, str]
    seconds: float = float("inf")
    kills: int = 0
    caught: int = 0
    left: int = 0
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scratch.mkdir(parents=True)
        self.environment = {**os.environ, **self.environment, "TMPDIR": str(self.scratch)}
        self.environment["WEBBCAL_SCRATCH"] = str(self.scratch)
        self.run("expected")  # compiles
        self.run("expected")

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    def start(self, out: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "webbcal", *self.words, f"--output_dir={out}"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **silent)

    def run(self, out: str) -> None:
        """Run it to its end."""
        begin = time.monotonic()
        code = self.start(out).wait()
        self.seconds = min(self.seconds, time.monotonic() - begin)
        if code:
            raise RuntimeError(f"{self.name}: webbcal {' '.join(self.words)} ended with {code}")

    def kill(self, moments: random.Random) -> None:
        """Start it and kill it; look at what is there."""
        process = self.start("out")
        time.sleep(moments.uniform(0.1, 1.0) * self.seconds)
        process.kill()
        self.caught += process.wait() != 0  # those that were not at their end yet
        self.kills += 1
        self.left += len([path for path in (self.folder / "out").rglob(".*") if path.is_file()])
        self._check(self.products("out"), f"after kill {self.kills}")

    def finish(self) -> None:
        """Run it once more, undisturbed; compare all that it leaves."""
        when = f"after a run that followed kill {self.kills}"
        self.run("out")
        names, expected = ({p.name for p in (self.folder / out).iterdir()} for out in ("out", "expected"))
        if names != expected:
            self.problems.append(f"{when}: {sorted(names ^ expected)} are there in one of two runs only")
        if left := list(self.scratch.iterdir()):
            self.problems.append(f"{when}: {left} are left in scratch space")
        self._check(self.products("out"), when)

    def products(self, out: str) -> list[Path]:
        """Return the files that have the name of a product; what is told of them has hosts and times."""
        found = [path for path in (self.folder / out).glob("*") if path.is_file()]
        return [path for path in found if not path.name.startswith(".") and path.name != "manifest.json"]

    def _check(self, products: Sequence[Path], when: str) -> None:
        for path in products:
            expected = self.folder / "expected" / path.name
            if difference := differs(path, expected) if expected.exists() else "should not be there":
                self.problems.append(f"{when}: {path.name}: {difference}")


def differs(path: Path, expected: Path) -> str:
    """Return how a file differs from what is expected, in words; nothing if it does not, but for dates."""
    if path.suffix == ".fits":
        try:
            rules = {"ignore_keywords": _DATES, "ignore_fields": _DATES, "ignore_hdus": ["ASDF"]}
            report = fits.FITSDiff(path, expected, **rules)
        except OSError as error:
            return f"cannot be read ({error})"
        return "" if report.identical else report.report()
    text, wanted = (p.read_text() for p in (path, expected))
    if path.suffix == ".json":
        return "" if json.loads(text) == json.loads(wanted) else "another association"
    rows = [[line for line in t.splitlines() if not line.startswith("#")] for t in (text, wanted)]
    return "" if rows[0] == rows[1] else "another table"


def cases(folder: Path, exposures: int = 4) -> Iterator[Case]:
    """Simulate up to four small exposures; yield stage 1, image2, image3 and the mosaic of them."""
    configs = simulate.field("nircam", "SUB160")[:exposures]
    options = simulate.ReferenceOptions(subarray_only=True, grouped_dark=True)
    world = simulate.universe(folder / "world", configs, options)
    stars = folder / "stars.ecsv"
    simulate.star_catalog(configs).write(stars)
    uncal = list(map(str, world.uncal))
    environment = world.environment | {"XDG_CACHE_HOME": str(folder / "cache")}
    words = ["mosaic", *uncal, "--force", "--product-name=field", f"--image3.tweakreg.abs_refcat={stars}"]
    mosaic = Case("mosaic", words, folder / "mosaic", environment)
    made = mosaic.folder / "expected"
    rate, asn = made / Path(uncal[0]).name.replace("_uncal", "_rate"), made / "field_asn.json"
    yield Case("stage 1", ["run", "calwebb_detector1", uncal[0]], folder / "stage1", environment)
    yield Case("image2", ["run", "calwebb_image2", str(rate)], folder / "image2", environment)
    words = ["run", "calwebb_image3", str(asn), f"--steps.tweakreg.abs_refcat={stars}"]
    yield Case("image3", words, folder / "image3", environment)
    yield mosaic


def kill_often(case: Case, kills: int, each: int, moments: random.Random) -> None:
    """Kill a case so many times; let it run to its end after each so many."""
    for number in range(1, kills + 1):
        case.kill(moments)
        if number % each == 0 or number == kills:
            case.finish()
            shutil.rmtree(case.folder / "out")
