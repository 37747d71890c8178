"""Time series: time and peak memory of calwebb_detector1 against the number of integrations.

    python benchmarks/series.py [--ints 50 400] [--case soss|strip] [--peer]

Makes exposures of any length on the fly: a few integrations are simulated, and longer series repeat them with
noise of their own. Prints a table in Markdown: size, wall and processor seconds, nanoseconds a sample, and
peak memory. With ``--peer``, jwst runs on the shortest, too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import measure
import numpy as np

from webbcal import datamodels, simulate
from webbcal.datamodels.product_writer import ProductWriter

CASES = {
    "soss": simulate.ExposureConfig(
        detector="NIS", subarray="SUBSTRIP256", filter="F277W", readpatt="NISRAPID", ngroups=6, nints=2
    ),
    "strip": simulate.ExposureConfig(
        detector="NIS", subarray="SUBSTRIP256", filter="F277W", readpatt="NISRAPID", ngroups=2, nints=2
    ),
}
#: Rows of the exposure that are kept.
ROWS = {"strip": 32}


def environment_of(folder: Path) -> dict[str, str]:
    """Return the variables that calibrate the exposures of a folder."""
    return {
        "CRDS_PATH": str(folder / "crds"),
        "CRDS_SERVER_URL": "https://crds-serverless-mode.stsci.edu",
        "CRDS_CONTEXT": "jwst_0001.pmap",
        "CRDS_OBSERVATORY": "jwst",
    }


def lengthened(path: Path, nints: int, rows: int | None = None) -> Path:
    """Write an exposure of `nints` integrations beside another: its own, over and over, with more noise."""
    target = path.with_name(path.name.replace("_uncal", f"-{nints}x{rows or 'all'}_uncal"))
    if target.exists():
        return target
    rng = np.random.default_rng(nints)
    with datamodels.Level1bModel(str(path)) as model:
        data = model.data if rows is None else model.data[:, :, 100 : 100 + rows]
        longer = datamodels.Level1bModel()
        longer.update(model)
        longer.meta.exposure.nints = longer.meta.exposure.integration_end = nints
        if rows is not None:
            longer.meta.subarray.ysize = rows
            longer.meta.subarray.ystart = model.meta.subarray.ystart + 100
        longer.meta.filename = target.name
        writer = ProductWriter(target, longer, arrays={"data": ((nints, *data.shape[1:]), np.uint16)})
        for number in range(nints):
            ramp = data[number % len(data)].astype(np.int32)
            ramp += rng.integers(-4, 5, ramp.shape, np.int32)
            writer.write("data", ramp.clip(0, 65535).astype(np.uint16), slice(number, number + 1))
        writer.commit(longer)
    return target


def make(case: str, root: Path) -> Path:
    """Simulate the few integrations of a case, unless they are there."""
    folder = root / f"series-{case}"
    if not (folder / "ready").exists():
        simulate.universe(folder, CASES[case], simulate.ReferenceOptions(subarray_only=True))
        (folder / "ready").touch()
    return folder / f"{CASES[case].rootname}_uncal.fits"


def row(name: str, uncal: Path, command: list[str], log: Path) -> str:
    """Run a command on an exposure; return a row of the table."""
    environment = dict(os.environ) | environment_of(uncal.parent)
    subprocess.run(["cat", str(uncal)], stdout=subprocess.DEVNULL, check=True)
    found = measure.run(command, environment, log)
    with datamodels.open(uncal) as model:
        samples = int(np.prod(model.shape))
        shape = " × ".join(map(str, model.shape))
    size = uncal.stat().st_size / 1e6
    cells = [f"{size:.0f}", f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{1e9 * found.wall / samples:.0f}"]
    return " | ".join([f"| {name}", shape, *cells, f"{found.memory:.0f} |"])


def main() -> None:
    """Measure the chosen lengths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ints", type=int, nargs="+", default=[50, 400])
    parser.add_argument("--case", choices=list(CASES), default="soss")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    options = parser.parse_args()
    root = options.folder.absolute()
    root.mkdir(parents=True, exist_ok=True)
    few = make(options.case, root)
    webbcal = [str(Path(sys.executable).parent / "webbcal"), "run", "calwebb_detector1"]
    print("| program | exposure | MB on disk | wall s | user + sys s | ns a sample | peak memory MB |")
    print("|---|---|---|---|---|---|---|")
    for number in options.ints:
        uncal = lengthened(few, number, ROWS.get(options.case))
        command = [*webbcal, str(uncal), f"--output_dir={root / 'out'}"]
        print(row("webbcal", uncal, command, root / "series.log"), flush=True)
    if options.peer:
        peer = Path(os.environ.get("WEBBCAL_PEER_PYTHON", ".venv-peer/bin/python")).absolute()
        uncal = lengthened(few, min(options.ints), ROWS.get(options.case))
        command = [
            str(peer.parent / "strun"),
            "calwebb_detector1",
            str(uncal),
            f"--output_dir={root / 'out-jwst'}",
        ]
        print(row("jwst 3.0.0", uncal, command, root / "series.log"), flush=True)


if __name__ == "__main__":
    main()
