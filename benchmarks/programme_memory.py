"""A programme in a memory budget: the most that its driver and workers have had together.

``python benchmarks/programme_memory.py [BUDGET...]``: four simulated exposures of 640 × 640 pixels through
stages 1 to 3 on four threads, once for each budget. Memory is the sum of the proportional set sizes (PSS) of
all processes, looked at twenty times a second.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from measure import run

from webbcal import simulate
from webbcal.core.resources import parse_size

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from programme_cases import exposures


def main(*budgets: str) -> None:
    """Print a line for each budget."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = simulate.ExposureConfig(
            detector="NRCB1", subarray="SUB640", filter="F200W", readpatt="RAPID", ngroups=6, nints=2, seed=3
        )
        world = simulate.universe(folder / "world", config, simulate.ReferenceOptions(subarray_only=True))
        environment = {**os.environ, **world.environment, "XDG_CACHE_HOME": str(folder / "cache")}
        raw = exposures(world.uncal[0], folder / "raw", 4)
        print("| budget | most that was taken | s | done | failed |\n|---|---|---|---|---|", flush=True)
        for budget in budgets or ("600MB", "1GB", "2GB"):
            out = folder / budget
            words = ["batch", str(raw), f"--output-dir={out}", "--threads=4", f"--max-memory={budget}"]
            command = [sys.executable, "-m", "webbcal", *words, "--image3.tweakreg.skip=true"]
            took = run(command, environment, folder / "log", codes=(0, 1))  # 1: some jobs need more than that
            told = f"{took.memory * 1.048576:.0f} MB | {took.wall:.0f}"
            states = [json.loads(path.read_text())["state"] for path in (out / ".webbcal/jobs").glob("*")]
            counts = f"{states.count('done')} | {states.count('failed')}"
            print(f"| {parse_size(budget) / 1e6:.0f} MB | {told} | {counts} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
