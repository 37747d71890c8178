"""Run tests of `jwst` in the peer's environment, with `jwst` itself or with webbcal in its place.

``python inside.py jwst|webbcal TREE SELECTION RESULTS SITE``: SELECTION is a JSON list of test ids below
TREE; RESULTS gets outcome, seconds and message of each case; SITE is where pytest is, which the environment
need not have.
"""

import importlib.machinery
import importlib.util
import json
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path


class TestsFinder(MetaPathFinder):
    """Finds ``jwst.….tests.…`` in the copy; the packages above are whatever stands for `jwst`."""

    def __init__(self, tree, root, bare):
        self.tree, self.root, self.bare = tree, root, bare

    def _package_of_tests(self, fullname, parts):
        """Return an empty package for one that webbcal does not have: helpers of other tests are in it."""
        from webbcal.compat.table import places

        return None if fullname in places() else _folder(fullname, self.tree / parts[1])

    def find_spec(self, fullname, path, target=None):
        """Return the specification of a module of tests."""
        parts = fullname.split(".")
        if self.bare and len(parts) == 2 and parts[0] == "jwst" and (self.tree / parts[1] / "tests").is_dir():
            return self._package_of_tests(fullname, parts)
        if parts[0] != "jwst" or "tests" not in parts:
            return None
        place = self.tree.joinpath(*parts[1:])
        if place.is_dir():  # the file is the installed one, beside which data are looked for
            init = self.root.joinpath(*parts[1:], "__init__.py")
            if not init.is_file():  # a folder of data
                return _folder(fullname, place)
            return importlib.util.spec_from_file_location(
                fullname, init, submodule_search_locations=[str(place)]
            )
        file = place.with_suffix(".py")
        return importlib.util.spec_from_file_location(fullname, file) if file.is_file() else None


def _folder(fullname, place):
    spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
    spec.submodule_search_locations = [str(place)]
    return spec


class Recorder:
    """Keeps what came of each case."""

    def __init__(self, chosen, path):
        self.chosen, self.path, self.results = chosen, Path(path), {}

    def pytest_collection_modifyitems(self, items):
        """Keep the tests that were chosen: by the id of a case, or of a test with all its cases."""
        names = [_name(item.nodeid) for item in items]
        items[:] = [
            item
            for item, name in zip(items, names, strict=True)
            if name in self.chosen or name.partition("[")[0] in self.chosen
        ]

    def pytest_runtest_logreport(self, report):
        """Note a phase of a case; the worst counts."""
        name = _name(report.nodeid)
        before = self.results.get(name, {"outcome": "", "seconds": 0.0, "message": ""})
        outcome = before["outcome"]
        if report.when == "call" or report.outcome != "passed":
            outcome = report.outcome if outcome in ("", "passed") else outcome
        message = before["message"]
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = str(getattr(crash, "message", report.longrepr)).strip()[:600]
        self.results[name] = {
            "outcome": outcome, "seconds": round(before["seconds"] + report.duration, 2), "message": message,
        }  # fmt: skip

    def pytest_runtest_logfinish(self, nodeid, location):
        """Keep what there is, for runs that are broken off."""
        self.path.write_text(json.dumps(self.results, indent=0))

    def pytest_collectreport(self, report):
        """Note a file that cannot be collected."""
        if report.failed:
            name = _name(report.nodeid)
            self.results[name] = {
                "outcome": "failed", "seconds": 0.0, "message": str(report.longrepr).strip()[-600:]
            }  # fmt: skip


def _name(nodeid):
    return nodeid.partition("own/")[2] or nodeid


def main(which, tree, selection, results, site):
    """Run the tests."""
    sys.path.append(site)
    import pytest

    tree = Path(tree)
    root = Path(importlib.util.find_spec("jwst").origin).parent
    if which == "webbcal":
        import webbcal

        webbcal.as_jwst()
        import jwst

        jwst.__file__ = str(root / "__init__.py")  # below which data of the tests are looked for
    sys.meta_path.insert(0, TestsFinder(tree, root, which == "webbcal"))
    chosen = set(json.loads(Path(selection).read_text()))
    recorder = Recorder(chosen, results)
    files = list(
        dict.fromkeys(str(tree / name.partition("::")[0]) for name in json.loads(Path(selection).read_text()))
    )
    options = ["--import-mode=importlib", f"--rootdir={tree.parent}", "-c", str(tree.parent / "pytest.ini")]
    options += [
        "-q",
        "--no-header",
        "--continue-on-collection-errors",
        "--tb=line",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tree.parent / 'tmp'}",
    ]
    pytest.main([*options, *files], plugins=[recorder])
    Path(results).write_text(json.dumps(recorder.results, indent=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
