"""calwebb_image2 and calwebb_image3 beside jwst, in one run; and against the number of exposures.

    WEBBCAL_PEER_PYTHON=.venv-peer/bin/python python benchmarks/imaging.py [--runs 3] [--fill] [--scaling]

Simulates dithered full-frame NIRCam rates and their references below .bench (once). Whole processes, start-up
and writing included: image2 on one exposure, with and without its quick-look mosaic; image3 on four, that is,
on the `_cal` files that our image2 makes of them. With ``--scaling``, webbcal alone on 4, 16 and 64 exposures
(the 64 are the 16 under other names, four times each), and a picture of the curve.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import measure
import numpy as np

from webbcal import simulate
from webbcal.associations import asn_from_list

EXPOSURES = 16
SCALING = (4, 16, 64)
WEBBCAL = str(Path(sys.executable).parent / "webbcal")


def make(root: Path, number: int) -> tuple[list[Path], dict[str, str]]:
    """Simulate rates of a field of stars unless they are there; return them and the environment."""
    folder = root / f"imaging-{number}"
    angle, radius = 2.4 * np.arange(number), 8.0 * np.sqrt((np.arange(number) + 0.5) / number)  # a sunflower
    offsets = [(float(r * np.cos(a)), float(r * np.sin(a))) for a, r in zip(angle, radius, strict=True)]
    configs = simulate.dithered(simulate.ExposureConfig(seed=7), offsets)
    rng = np.random.default_rng(7)
    options = [simulate.RateOptions(pointing_error=tuple(rng.normal(0, 0.03, 2)), rays=0.05) for _ in configs]
    if not (folder / "ready").exists():
        simulate.rate_universe(folder, configs, options)
        (folder / "ready").touch()
    crds = {
        "CRDS_PATH": str(folder / "crds"),
        "CRDS_SERVER_URL": "https://crds-serverless-mode.stsci.edu",
        "CRDS_CONTEXT": "jwst_0001.pmap",
        "CRDS_OBSERVATORY": "jwst",
    }
    return [folder / f"{config.rootname}_rate.fits" for config in configs], dict(os.environ) | crds


def calibrated(rates: list[Path], environment: dict[str, str]) -> list[Path]:
    """Calibrate rates with image2 unless that was done; return the `_cal` files."""
    cals = [Path(str(rate).replace("_rate.", "_cal.")) for rate in rates]
    for rate, cal in zip(rates, cals, strict=True):
        if not cal.exists():
            words = ["run", "calwebb_image2", str(rate), f"--output_dir={rate.parent}"]
            subprocess.run([WEBBCAL, *words, "--steps.resample.skip=true"], check=True, env=environment)
    return cals


def association(cals: list[Path], number: int, folder: Path) -> Path:
    """Write an association of so many exposures; repeated ones are links under other names."""
    members = []
    for k in range(number):
        cal = cals[k % len(cals)]
        if k >= len(cals):
            link = folder / cal.name.replace("_02101_", f"_{k // len(cals) + 21:02d}101_")
            link.unlink(missing_ok=True)
            link.symlink_to(cal)
            cal = link
        members.append(str(cal))
    path = folder / f"mosaic-{number}_asn.json"
    text = asn_from_list(members, product_name=f"mosaic-{number}").dump()[1]
    path.write_text(text)
    return path


def beside(
    name: str, words: list[str], files: list[Path], environment: dict[str, str], o: argparse.Namespace
) -> None:
    """Run a command with both packages and print rows of the table."""
    strun = str(
        Path(os.environ.get("WEBBCAL_PEER_PYTHON", ".venv-peer/bin/python")).absolute().parent / "strun"
    )
    commands = {
        "jwst 3.0.0": [strun, *words, f"--output_dir={o.folder / 'out-jwst'}"],
        "webbcal": [WEBBCAL, "run", *words, f"--output_dir={o.folder / 'out'}"],
    }
    results = measure.compare(commands, environment, files, o.folder, o.runs, o.fill)
    print("\n".join(measure.rows(name, results)), flush=True)


def scaling(cals: list[Path], environment: dict[str, str], o: argparse.Namespace) -> None:
    """Run image3 on more and more exposures; print the table and draw the curve."""
    found = {}
    for number in SCALING:
        path = association(cals, number, cals[0].parent)
        out = o.folder / "out-scaling"
        command = [WEBBCAL, "run", "calwebb_image3", str(path), f"--output_dir={out}"]
        found[number] = measure.compare({"webbcal": command}, environment, cals[:number], o.folder, 1, o.fill)
        m = found[number]["webbcal"]
        print(
            f"| {number} | {m.wall:.1f} | {m.wall / number:.2f} | {m.cpu:.1f} | {m.memory:.0f} |", flush=True
        )
        for file in out.glob("*_crf.fits"):
            file.unlink()
    draw({number: result["webbcal"] for number, result in found.items()}, o.folder / "scaling.png")


def draw(found: dict[int, measure.Measurement], path: Path) -> None:
    """Draw time and memory against the number of exposures."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
    numbers = list(found)
    left.plot(numbers, [m.wall for m in found.values()], "o-", color="#1f6f8b")
    left.set(xlabel="exposures", ylabel="wall clock (s)", xscale="log", yscale="log", title="time")
    left.set_ylim(0.5 * min(m.wall for m in found.values()), 2 * max(m.wall for m in found.values()))
    right.plot(numbers, [m.memory for m in found.values()], "o-", color="#b5543a")
    right.set(xlabel="exposures", ylabel="peak memory (MB)", xscale="log", title="memory")
    right.set_ylim(0, 1.3 * max(m.memory for m in found.values()))
    for axes in (left, right):
        axes.set_xticks(numbers, [str(n) for n in numbers], minor=False)
        axes.minorticks_off()
        for line in axes.lines:
            for place in line.get_xydata():
                axes.annotate(f"{place[1]:.0f}", place, (0, 6), textcoords="offset points", ha="center")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    print(f"curve: {path}")


def main() -> None:
    """Compare, or measure the scaling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each (after one to warm up)")
    parser.add_argument("--fill", action="store_true", help="keep free memory small (on virtual machines)")
    parser.add_argument("--scaling", action="store_true", help="4, 16 and 64 exposures, webbcal alone")
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    options = parser.parse_args()
    options.folder = options.folder.absolute()
    options.folder.mkdir(parents=True, exist_ok=True)
    rates, environment = make(options.folder, EXPOSURES)
    cals = calibrated(rates, environment)
    references = [f for f in (Path(environment["CRDS_PATH"]) / "references").rglob("*.*") if f.is_file()]
    if options.scaling:
        print("| exposures | wall s | s an exposure | user + sys s | peak memory MB |\n|---|---|---|---|---|")
        scaling(cals, environment, options)
        return
    print("| case | program | wall s | user + sys s | peak memory MB | |\n|---|---|---|---|---|---|")
    image2 = ["calwebb_image2", str(rates[0])]
    beside("image2", image2, [rates[0], *references], environment, options)
    skip = [*image2, "--steps.resample.skip=true"]
    beside("image2 without resample", skip, [rates[0], *references], environment, options)
    asn = association(cals[:: EXPOSURES // 4], 4, cals[0].parent)
    beside("image3, 4 exposures", ["calwebb_image3", str(asn)], cals[:: EXPOSURES // 4], environment, options)


if __name__ == "__main__":
    main()
