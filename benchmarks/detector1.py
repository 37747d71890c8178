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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure

from webbcal import simulate


@dataclass(frozen=True)
class Case:
    """What to simulate, and with what parameters both run."""

    config: simulate.ExposureConfig
    words: tuple[str, ...] = ()


def _nircam(*words: str, **config: Any) -> Case:
    return Case(simulate.ExposureConfig(**{"readpatt": "SHALLOW4", "ngroups": 10} | config), words)


CASES = {
    "full": _nircam(),
    "full-5": _nircam(ngroups=5),
    "full-rapid-3ints": _nircam(readpatt="RAPID", ngroups=6, nints=3),
    "sub640": _nircam(subarray="SUB640", readpatt="RAPID", nints=5),
    "snowballs": _nircam("--steps.jump.expand_large_events=true", snowballs=0.05),
    "likely": _nircam("--steps.ramp_fit.algorithm=LIKELY"),
    "flicker": _nircam("--steps.clean_flicker_noise.skip=false"),
    "miri": Case(
        simulate.ExposureConfig(detector="MIRIMAGE", filter="F770W", readpatt="FASTR1", ngroups=40, nints=2)
    ),
    "irs2": Case(
        simulate.ExposureConfig(detector="NRS1", filter="F290LP", readpatt="NRSIRS2RAPID", ngroups=10)
    ),
    "soss": Case(
        simulate.ExposureConfig(
            detector="NIS",
            subarray="SUBSTRIP256",
            filter="F200W",
            readpatt="NISRAPID",
            ngroups=6,
            nints=50,
            soss=simulate.Soss(),
        )
    ),
}


def make(case: str, root: Path) -> tuple[Path, dict[str, str]]:
    """Simulate a case unless it is there; return the exposure and the variables that calibrate it."""
    folder = root / case
    config = CASES[case].config
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
    words = ["calwebb_detector1", str(uncal), *CASES[case].words]
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
