"""calwebb_spec2 and calwebb_spec3 beside jwst, in one run: fields of grism spectra, and a slit.

    WEBBCAL_PEER_PYTHON=.venv-peer/bin/python python benchmarks/spectra.py [--cases wfss100 lrs …] [--runs 1]

Simulates rates, direct images, catalogues and references below .bench (once). Whole processes, start-up and
writing included. Cases:

    wfss100, wfss500   calwebb_spec2 of a NIRCam field of so many sources
    contam             the same with 100 sources and wfss_contam
    lrs                calwebb_spec2 of MIRI's slit: one nod less the other
    spec3              calwebb_spec3 of 8 exposures (--exposures) of a NIRCam field of 100 sources
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure

from webbcal import datamodels

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import grism_cases
import spectral_cases

WEBBCAL = str(Path(sys.executable).parent / "webbcal")
CASES = ("wfss100", "wfss500", "contam", "lrs", "spec3")


def made(folder: Path, maker: Callable[[Path], Any]) -> Any:
    """Return a case, simulated unless it is there."""
    kept = folder / "case.pkl"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(maker(folder)))
    return pickle.loads(kept.read_bytes())


def field(root: Path, number: int) -> Any:
    """Return a NIRCam field of so many sources."""
    return made(root / f"wfss{number}", lambda folder: grism_cases.wfss(folder, "nircam", "R", number))


def combination(case: Any, environment: dict[str, str], count: int) -> tuple[Path, list[Path]]:
    """Return an association of calibrated exposures (one, under other numbers), and these."""
    (rate,), (association,) = case.rates, case.spec2
    cal = Path(str(rate).replace("_rate.", "_cal."))
    if not cal.exists():
        command = [WEBBCAL, "run", "calwebb_spec2", str(association), f"--output_dir={case.folder}"]
        subprocess.run(command, check=True, env=environment, cwd=case.folder)
    program, visit, _, *rest = cal.name.split("_")
    paths = []
    for number in range(11, 11 + count):
        paths.append(cal.with_name("_".join([program, visit, f"{number:05d}", *rest])))
        if not paths[-1].exists():
            with datamodels.open(cal) as model:
                model.meta.observation.exposure_number = f"{number:05d}"
                model.save(paths[-1])
    members = [(path, "science") for path in paths]
    return spectral_cases.association(case.folder, "spec3", f"field{count}", members), paths


def main() -> None:
    """Run the cases, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", nargs="*", default=CASES, choices=CASES)
    parser.add_argument("--runs", type=int, default=1, help="counted runs of each (0: the first)")
    parser.add_argument("--exposures", type=int, default=8, help="of the case spec3")
    parser.add_argument("--fill", action="store_true", help="keep free memory small (on virtual machines)")
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    options = parser.parse_args()
    root = options.folder.absolute()
    print("| case | program | wall s | user + sys s | peak memory MB | |\n|---|---|---|---|---|---|")
    for name in options.cases:
        if name == "lrs":
            case = made(root / "lrs", lambda folder: spectral_cases.lrs_slit(folder, background=False))
        else:
            case = field(root, 500 if name == "wfss500" else 100)
        environment = dict(os.environ) | case.environment
        words, files = ["calwebb_spec2", str(case.spec2[0])], list(case.rates)
        if name == "spec3":
            path, files = combination(case, environment, options.exposures)
            words = ["calwebb_spec3", str(path)]
        elif name == "contam":
            words.append("--steps.wfss_contam.skip=false")
        beside(name, words, files, environment, case.folder, options)


def beside(
    name: str, words: list[str], files: list[Path], environment: dict[str, str], folder: Path, o: Any
) -> None:
    """Run a command with both packages, where the members are, and print rows of the table."""
    peer = Path(os.environ.get("WEBBCAL_PEER_PYTHON", ".venv-peer/bin/python")).absolute()
    os.chdir(folder)
    commands = {
        "jwst 3.0.0": [str(peer.parent / "strun"), *words, f"--output_dir={folder / 'out-jwst'}"],
        "webbcal": [WEBBCAL, "run", *words, f"--output_dir={folder / 'out'}"],
    }
    for command in commands.values():
        Path(command[-1].partition("=")[2]).mkdir(exist_ok=True)
    results = measure.compare(commands, environment, files, folder, o.runs, o.fill)
    print("\n".join(measure.rows(name, results)), flush=True)


if __name__ == "__main__":
    main()
