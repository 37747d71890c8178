"""Damaged files by the thousand: each either works or is refused with a sentence that names it.

    python tests/fuzz/run.py --cases 10000 --seed 1

A case is a sound file with some damage (`mutators`), and what users do with files: open, touch all arrays,
save, open again; ``webbcal info``; read as an association or as parameters; for some, plan or run a step. A
case fails if it ends in another error than one of webbcal's own that names the file, takes over 20 s or over
4 GB, or executes code that is in the file.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import mutators
import seeds

from webbcal import datamodels
from webbcal.associations.reading import load_association
from webbcal.cli import info
from webbcal.core.errors import WebbcalError
from webbcal.references.parameter_file import ParameterFile

SECONDS, BYTES = 20, 4 << 30


def describe(path: Path) -> None:
    """What ``webbcal info`` does."""
    info.describe(str(path), with_tree=True)


def product(path: Path) -> None:
    """Open, touch, save, and open what was saved."""
    with datamodels.open(path) as model:
        for _ in model.items():
            pass
        if hasattr(model.meta, "wcs"):
            str(model.meta.wcs)
        out = model.save(path.with_name("saved.fits"))
    with datamodels.open(out) as again:
        list(again.keys())


def as_asdf(path: Path) -> None:
    """Open, and save as ASDF."""
    with datamodels.open(path) as model:
        out = model.save(path.with_name("saved.asdf"))
    with datamodels.open(out) as again:
        list(again.keys())


def untouched(path: Path) -> None:
    """Open and save without a look."""
    with datamodels.open(path) as model:
        model.save(path.with_name("saved.fits"))


def association(path: Path) -> None:
    """Read an association."""
    for entry in load_association(path).products:
        list(entry.members)


def parameters(path: Path) -> None:
    """Read a parameter file."""
    ParameterFile.read(path)


def plan(path: Path) -> None:
    """Plan a step."""
    from webbcal.cli import plan

    plan.main(["dq_init", str(path)])


def step(path: Path) -> None:
    """Run a step."""
    from webbcal.run.registry import step_class

    step_class("group_scale").call(str(path))


OPERATIONS: dict[str, list[Callable[[Path], None]]] = {
    "fits": [product, product, product, untouched, untouched, describe, describe, as_asdf],
    "asdf": [product, describe, parameters, as_asdf],
    "json": [association, describe],
    "ecsv": [describe],
    "cfg": [parameters, describe],
    "exposure": [plan, step],
}


@dataclass
class Outcome:
    """What came of many cases."""

    passed: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


class Hang(BaseException):
    """A case takes too long."""


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Limit the time and memory of a case."""

    def stop(*_: object) -> None:
        raise Hang

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, hard))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def run(cases: int, seed: int, exposure: Path | None = None, first: int = 0) -> Outcome:
    """Run cases; with an exposure, one in fifty is planned or run."""
    outcome = Outcome()
    home = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="webbcal-fuzz-") as name:
        folder = Path(name)
        (folder / "seeds").mkdir()
        files = seeds.make(folder / "seeds")
        os.chdir(folder)
        try:
            for number in range(first, first + cases):
                _case(folder, files, exposure, random.Random(f"{seed}-{number}"), f"{seed}-{number}", outcome)
        finally:
            os.chdir(home)
    return outcome


def _case(
    folder: Path,
    files: dict[str, tuple[str, bytes]],
    exposure: Path | None,
    rng: random.Random,
    label: str,
    outcome: Outcome,
) -> None:
    if exposure is not None and rng.random() < 0.02:
        name, kind, content = "case_uncal.fits", "exposure", exposure.read_bytes()
    else:
        name = rng.choice(sorted(files))
        kind, content = files[name]
        name = f"case_{name}"
    content = mutators.mutated(rng, "fits" if kind == "exposure" else kind, content)
    path = folder / name
    path.write_bytes(content)
    operation = rng.choice(OPERATIONS[kind])
    problem = _problem(operation, path, outcome)
    if (folder / "executed").exists():
        (folder / "executed").unlink()
        problem = "executed what stood in the file"
    if problem:
        outcome.failures.append(f"case {label} ({operation.__name__} of {name}): {problem}")
    outcome.kinds[kind] += 1


def _problem(operation: Callable[[Path], None], path: Path, outcome: Outcome) -> str | None:
    """Return what is wrong with the way that a case ends."""
    try:
        with limits(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            operation(path)
        outcome.passed += 1
    except WebbcalError as error:
        if path.name not in str(error) and "saved." not in str(error):
            return f"{type(error).__name__} that does not name the file: {error}"
        outcome.refused += 1
    except Hang:
        return f"takes over {SECONDS} s\n{traceback.format_exc(limit=-8)}"
    except Exception:
        return traceback.format_exc(limit=-8)
    return None


def main() -> int:
    """Run cases by hand."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case, to repeat one")
    parser.add_argument(
        "--exposure", type=Path, help="an uncal file of 64 x 64 pixels to plan and run steps on"
    )
    words = parser.parse_args()
    exposure = None if words.exposure is None else words.exposure.absolute()
    outcome = run(words.cases, words.seed, exposure, words.first)
    for failure in outcome.failures:
        print(failure)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome.kinds.items()))
    print(
        f"{words.cases} cases ({kinds}): {outcome.passed} worked, {outcome.refused} were refused by name, "
        f"{len(outcome.failures)} failed"
    )
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
