"""calwebb_detector1 beside jwst, in one run: whole processes, start-up and writing included.

    WEBBCAL_PEER_PYTHON=.venv-peer/bin/python python benchmarks/detector1.py [--runs 5] [--fill] [--case full]

Simulates exposures and reference files below .bench (once), then runs jwst and webbcal in turn. Prints a
table in Markdown: wall and processor seconds and peak memory as medians, the ratios, and the memory that
`webbcal plan` projected.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import measure

from webbcal import simulate

CASES = {
    "full": {"readpatt": "SHALLOW4", "ngroups": 10},
    "full-5": {"readpatt": "SHALLOW4", "ngroups": 5},
    "full-rapid-3ints": {"readpatt": "RAPID", "ngroups": 6, "nints": 3},
    "sub640": {"subarray": "SUB640", "readpatt": "RAPID", "ngroups": 10, "nints": 5},
}


def make(case: str, root: Path) -> tuple[Path, dict[str, str]]:
    """Simulate a case unless it is there; return the exposure and the variables that calibrate it."""
    folder = root / case
    config = simulate.ExposureConfig(**CASES[case])
    if not (folder / "ready").exists():
        simulate.universe(folder, config)
        (folder / "ready").touch()
    environment = {
        "CRDS_PATH": str(folder / "crds"),
        "CRDS_SERVER_URL": "https://crds-serverless-mode.stsci.edu",
        "CRDS_CONTEXT": "jwst_0001.pmap",
        "CRDS_OBSERVATORY": "jwst",
    }
    return folder / f"{config.rootname}_uncal.fits", environment


def compare(case: str, root: Path, runs: int, fill: bool, peer: Path) -> list[str]:
    """Run a case with both packages in turn and return rows of the table."""
    uncal, crds = make(case, root)
    environment = dict(os.environ) | crds
    words = ["calwebb_detector1", str(uncal)]
    commands = {
        "jwst 3.0.0": [str(peer.parent / "strun"), *words, f"--output_dir={root / 'out-jwst'}"],
        "webbcal": [
            str(Path(sys.executable).parent / "webbcal"),
            "run",
            *words,
            f"--output_dir={root / 'out'}",
        ],
    }
    plan = [commands["webbcal"][0], "plan", *words, f"--output_dir={root / 'out'}"]
    projected = subprocess.run(plan, capture_output=True, text=True, check=True, env=environment).stdout
    files = [uncal, *(f for f in (Path(crds["CRDS_PATH"]) / "references").rglob("*.*") if f.is_file())]
    results = measure.compare(commands, environment, files, root, runs, fill)
    return measure.rows(case, results, re.search(r"memory: about (\d+) MB", projected)[1])  # type: ignore[index]


def main() -> None:
    """Compare the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each (after one to warm up)")
    parser.add_argument("--fill", action="store_true", help="keep free memory small (on virtual machines)")
    parser.add_argument("--case", action="append", choices=list(CASES), help="what to run (default: full)")
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    options = parser.parse_args()
    peer = Path(os.environ.get("WEBBCAL_PEER_PYTHON", ".venv-peer/bin/python")).absolute()
    root = options.folder.absolute()
    root.mkdir(parents=True, exist_ok=True)
    print("| case | program | wall s | user + sys s | peak memory MB | projected MB |")
    print("|---|---|---|---|---|---|")
    for case in options.case or ["full"]:
        print("\n".join(compare(case, root, options.runs, options.fill, peer)), flush=True)


if __name__ == "__main__":
    main()
