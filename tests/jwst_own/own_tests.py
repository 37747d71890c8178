"""The tests of `jwst` itself as a measure of `as_jwst()`: which count, how they are run, what is expected.

``python tests/jwst_own/own_tests.py`` runs those that count and prints counts by package; ``… --with jwst
--write`` runs those of the surface with `jwst` itself, and keeps what passes in `passing.txt`.
WEBBCAL_PEER_PYTHON names the Python that has `jwst`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from surface import Package, is_public
from tree import copy_tests

import webbcal
from webbcal import simulate

HERE = Path(__file__).parent
PASSING = HERE / "passing.txt"
#: Tests that fail on webbcal: kind (unbuilt, gap, difference, internal), reason, and the issue or page.
EXPECTED = HERE / "expected.csv"


def empty_cache(folder: Path) -> dict[str, str]:
    """Write a CRDS cache that has no references for any exposure; return the variables that set it."""
    cache = simulate.CrdsCache(folder)
    match = {"META.INSTRUMENT.DETECTOR": "NONE"}
    for instrument in ("NIRCAM", "NIRISS", "MIRI", "NIRSPEC", "FGS"):
        path = cache.path_for(instrument, "psf", match)
        path.touch()
        cache.add(path, instrument, "psf", match)
    return cache.environment


def installed(python: str) -> Path:
    """Return the folder of the `jwst` that a Python has."""
    code = "import importlib.util as u; print(u.find_spec('jwst').origin)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()).parent


def of_the_surface(package: Package) -> list[str]:
    """Return the tests that touch nothing but the public surface, as ``file::name``."""
    return [
        f"{file}::{test}"
        for file, test in package.tests()
        if (names := package.names_of(file, test)) and all(map(is_public, names))
    ]


def is_there(name: str) -> bool:
    """Tell whether webbcal has what a dotted name of the surface names (or leaves it to another library)."""
    from webbcal.compat.modules import StandIn, is_whole
    from webbcal.compat.table import places

    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        place = places().get(".".join(parts[:cut]))
        if place is not None and not place.gives_way:
            return cut == len(parts) or hasattr(StandIn(place), parts[cut])
    return not is_whole(name)


def run(python: str, which: str, tests: list[str], folder: Path) -> dict[str, dict[str, object]]:
    """Run tests with `jwst` or with webbcal; return outcome, seconds and message of each case."""
    tree = folder / "own"
    copy_tests(installed(python), tree, {test.partition("::")[0] for test in tests})
    (folder / "pytest.ini").write_text("[pytest]\n")
    selection, results = folder / "selection.json", folder / "results.json"
    selection.write_text(json.dumps(tests))
    environment = os.environ | empty_cache(folder / "crds")
    environment["PYTHONPATH"] = str(Path(webbcal.__file__).parents[1])
    site = str(Path(pytest.__file__).parents[1])
    command = [python, str(HERE / "inside.py"), which, str(tree), str(selection), str(results), site]
    with (folder / "log.txt").open("w") as log:
        subprocess.run(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=environment, check=False
        )
    if not results.is_file():
        raise RuntimeError((folder / "log.txt").read_text()[-4000:])
    found: dict[str, dict[str, object]] = json.loads(results.read_text())
    return _with_those_not_collected(found, tests)


def _with_those_not_collected(
    found: dict[str, dict[str, object]], tests: list[str]
) -> dict[str, dict[str, object]]:
    """Return results in which tests of files that could not be read have failed, each of them."""
    files = {name: found.pop(name) for name in list(found) if "::" not in name}
    seen = set(found) | {name.partition("[")[0] for name in found}
    nothing = {"outcome": "failed", "seconds": 0.0, "message": "it is not there"}
    for test in tests:
        if test not in seen:
            found[test] = files.get(test.partition("::")[0], nothing)
    return found


@dataclass(frozen=True)
class Verdict:
    """What came of a run, beside what was expected.

    Attributes
    ----------
    passed, failed, unbuilt : int
        Cases; `unbuilt` are of those that fail, as they need what webbcal does not have yet.
    unexplained : list of str
        Cases that fail, and are not listed.
    passing_now : list of str
        Tests that are listed as failing, of which all cases pass.
    """

    passed: int
    failed: int
    unbuilt: int
    unexplained: list[str]
    passing_now: list[str]

    @property
    def share(self) -> float:
        """The part that passes, of those that concern what webbcal has."""
        return self.passed / (self.passed + self.failed - self.unbuilt)


def expected() -> list[dict[str, str]]:
    """Return the rows of the list of tests that fail."""
    with EXPECTED.open(newline="") as file:
        return list(csv.DictReader(file))


def judged(results: dict[str, dict[str, object]]) -> Verdict:
    """Compare results with what was expected: a row holds for a case, or for all cases of a test."""
    rows = {row["test"]: row for row in expected()}
    failed = {
        name: result for name, result in results.items() if result["outcome"] not in ("passed", "skipped")
    }
    row_of = {name: rows.get(name) or rows.get(name.partition("[")[0]) for name in results}
    unexplained = [f"{name}: {result['message']}" for name, result in failed.items() if row_of[name] is None]
    failing_rows = {row["test"] for name in failed if (row := row_of[name]) is not None}
    unbuilt = sum((row_of[name] or {}).get("kind") == "unbuilt" for name in failed)
    passed = sum(result["outcome"] == "passed" for result in results.values())
    run = {row["test"] for row in row_of.values() if row is not None}
    return Verdict(passed, len(failed), unbuilt, unexplained, sorted(run - failing_rows))


def by_package(results: dict[str, dict[str, object]]) -> dict[str, Counter[str]]:
    """Return package -> counts of outcomes."""
    counts: dict[str, Counter[str]] = {}
    for name, result in results.items():
        counts.setdefault(name.partition("/")[0], Counter())[str(result["outcome"])] += 1
    return counts


def main() -> None:
    """Run and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--with", dest="which", choices=("jwst", "webbcal"), default="webbcal")
    parser.add_argument("--write", action="store_true", help="keep the cases that pass in passing.txt")
    parser.add_argument("--only", default="", help="only tests whose name has this (a regular expression)")
    parser.add_argument("--folder", help="where to work (default: a temporary folder)")
    given = parser.parse_args()
    python = os.environ["WEBBCAL_PEER_PYTHON"]
    if given.which == "jwst":
        package = Package(installed(python))
        surface = of_the_surface(package)
        tests = [test for test in surface if all(map(is_there, package.names_of(*_test(test))))]
        left_out = Counter(test.partition("/")[0] for test in set(surface) - set(tests))
        print(f"{len(surface)} tests of the surface; of what webbcal does not have: {dict(left_out)}")
    else:
        tests = PASSING.read_text().splitlines()
    tests = [test for test in tests if re.search(given.only, test)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.folder or temporary)
        folder.mkdir(exist_ok=True, parents=True)
        results = run(python, given.which, tests, folder)
    for name, result in results.items():
        if result["outcome"] not in ("passed", "skipped"):
            print(f"{result['outcome']:8s}{name}\n        {str(result['message']).splitlines()[-1:]}")
    for package, counts in by_package(results).items():
        print(f"{package:25s} {counts['passed']:4d} of {sum(counts.values()):4d}")
    total = Counter(str(result["outcome"]) for result in results.values())
    print(dict(total), f"{sum(float(str(r['seconds'])) for r in results.values()):.0f} s")
    if given.which == "webbcal":
        verdict = judged(results)
        print(f"{verdict.share:.1%} of what is built pass; {len(verdict.unexplained)} unexplained; "
              f"pass now: {verdict.passing_now}")  # fmt: skip
    if given.write:
        others = [name for name in PASSING.read_text().splitlines() if not re.search(given.only, name)]
        passed = [name for name, result in results.items() if result["outcome"] == "passed"]
        PASSING.write_text("\n".join(sorted([*others, *passed])) + "\n")


def _test(case: str) -> tuple[str, str]:
    """Return file and test of a case."""
    file, _, name = case.partition("::")
    return file, name.partition("[")[0]


if __name__ == "__main__":
    main()
