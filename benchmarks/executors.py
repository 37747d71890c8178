"""One programme with each executor: the same products, and how long it takes.

``python benchmarks/executors.py [N]``: N small exposures (24) through stages 1 to 3, with two processes where
there are several; Dask's are those of a cluster on this machine, if it is installed. Products are compared
pixel by pixel and card by card, but for dates and the run records that have them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS), str(TESTS / "kills")]

from killing import differs  # noqa: E402
from programme_cases import exposures, run, settings  # noqa: E402

from webbcal import simulate  # noqa: E402


def main(count: int = 24) -> int:
    """Print a line for each executor; return how many products are not the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = exposures(simulated(folder), folder / "raw", count)
        run(settings(sorted(raw.iterdir())[:2], folder / "first"))  # compiles
        print(f"| {count} exposures, executor | s | jobs | products | that differ |\n|---|---|---|---|---|")
        wrong = 0
        for kind, words in executors():
            begin = time.perf_counter()
            result = run(settings(raw, folder / kind, executor=words))
            seconds = time.perf_counter() - begin
            names = [path.name for path in (folder / "serial").glob("jw*")]
            bad = [n for n in names if differs(folder / kind / n, folder / "serial" / n)]
            bad += sorted({path.name for path in (folder / kind).glob("jw*")} - set(names))
            print(f"| {kind} | {seconds:.1f} | {len(result.done)} | {len(names)} | {len(bad)} |", flush=True)
            wrong += len(bad) + (not result.is_whole)
    return wrong


def simulated(folder: Path) -> Path:
    """Simulate an exposure and its references; set CRDS and caches to them."""
    config = simulate.ExposureConfig(
        detector="NRCB1", subarray="SUB64P", filter="F200W", readpatt="RAPID", ngroups=6, nints=2, seed=3
    )
    world = simulate.universe(folder / "world", config, simulate.ReferenceOptions(subarray_only=True))
    os.environ |= world.environment | {"XDG_CACHE_HOME": str(folder / "cache")}
    return world.uncal[0]


def executors() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name of each executor, and what is said of it."""
    yield "serial", {"kind": "serial", "threads": "1"}
    yield "local", {"kind": "local", "threads": "2"}
    with cluster() as address:
        if address:
            yield "dask", {"kind": "dask", "scheduler": address}


@contextmanager
def cluster() -> Iterator[str]:
    """Give the address of a Dask cluster of two processes; nothing if Dask is not installed."""
    try:
        from distributed import LocalCluster
    except ImportError:
        yield ""
        return
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as made:
        yield made.scheduler_address


if __name__ == "__main__":
    sys.exit(min(1, main(*map(int, sys.argv[1:]))))
