"""``webbcal demo``: from nothing to calibrated exposures and a picture of them, without data or network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webbcal.cli.demo_runs import STAGE_1
from webbcal.cli.extra import need
from webbcal.cli.simulate import simulate
from webbcal.core.errors import ParameterError
from webbcal.run.configuration import parse_arguments

USAGE = """\
usage: webbcal demo [detector1] [--instrument=nircam] [--output_dir=demo] [--subarray=FULL] [--ngroups=10] ...
       webbcal demo mosaic [--instrument=nircam] [--output_dir=demo_mosaic] [--subarray=FULL] [--seed=1]
       webbcal demo spectrum [--output_dir=demo_spectrum] [--ngroups=30] [--seed=1]
       webbcal demo wfss [--instrument=nircam] [--output_dir=demo_wfss] [--sources=7] [--seed=1]

The first simulates an exposure of an instrument ({instruments}) and its reference files, calibrates it
with calwebb_detector1, and makes a picture. It takes the options of webbcal simulate.

The second simulates four dithered exposures (of nircam, niriss or fgs; of miri rates) and a catalogue of the
bright stars, makes their mosaic and its source catalogue with webbcal mosaic, and a picture that compares
them with the truth. It takes 2 to 3 GB of disk.

The third simulates a star with emission lines at two places of MIRI's slit (P750L), brings both from raw
ramps to one spectrum (calwebb_detector1, calwebb_spec2, calwebb_spec3), and draws it beside the truth. It
takes 1.5 GB of disk.

The fourth simulates a field without a slit (nircam, niriss or miri): a direct image and two dithered
exposures through a grism. From raw ramps it makes the catalogue of the direct image and the spectra of its
sources (calwebb_detector1, calwebb_image2, calwebb_image3, calwebb_spec2, calwebb_spec3), and draws them
beside the truth. It takes 3 GB of disk."""

#: What is simulated for each instrument, where the user says nothing else: options of webbcal simulate.
INSTRUMENTS: dict[str, dict[str, str]] = {
    "nircam": {},
    "niriss": {
        "detector": "NIS",
        "filter": "F277W",
        "readpatt": "NISRAPID",
        "subarray": "SUBSTRIP256",
        "ngroups": "6",
        "nints": "6",
        "soss": "true",
    },
    "fgs": {"detector": "GUIDER1", "filter": "N/A", "readpatt": "FGS", "ngroups": "6"},
    "miri": {"detector": "MIRIMAGE", "filter": "F770W", "readpatt": "FASTR1", "ngroups": "20"},
    "nirspec": {"detector": "NRS1", "filter": "F290LP", "readpatt": "NRSIRS2RAPID", "ngroups": "6"},
}


def main(words: Sequence[str]) -> int:
    """Simulate, calibrate, draw."""
    arguments = parse_arguments(["demo", *words])
    if "help" in arguments.flags:
        print(USAGE.format(instruments=", ".join(INSTRUMENTS)))
        return 0
    need("matplotlib", "pysiaf")
    if arguments.positional == ["mosaic"]:
        from webbcal.cli.demo_mosaic import demo_mosaic

        return demo_mosaic(arguments.parameters)
    if arguments.positional == ["spectrum"]:
        from webbcal.cli.demo_spectrum import demo_spectrum

        return demo_spectrum(arguments.parameters)
    if arguments.positional == ["wfss"]:
        from webbcal.cli.demo_wfss import demo_wfss

        return demo_wfss(arguments.parameters)
    if arguments.positional not in ([], ["detector1"]):
        raise ParameterError(
            f"there is no demo {arguments.positional[0]!r}; there are detector1, mosaic, spectrum and wfss"
        )
    return demo_detector1(arguments.parameters)


def demo_detector1(parameters: dict[str, Any]) -> int:
    """Simulate an exposure of an instrument, calibrate it in a process of its own, and draw."""
    instrument = parameters.pop("instrument", "nircam").lower()
    if instrument not in INSTRUMENTS:
        raise ParameterError(f"no demo of instrument {instrument!r}; known: {', '.join(INSTRUMENTS)}")
    folder = Path(parameters.pop("output_dir", "demo")).absolute()
    print(f"simulating an exposure and its reference files in {folder} (half a minute)", file=sys.stderr)
    # A dark in the exposure's own read pattern: the frame-by-frame one would be 0.8 GB.
    world = simulate(folder, {"grouped_dark": "true"} | INSTRUMENTS[instrument] | parameters)
    os.environ |= world.environment
    uncal = world.uncal[0]
    print("calibrating (the first run compiles the kernels)", file=sys.stderr)
    # A process of its own, as a user would start it: its summary is not about the simulator's memory.
    asked = STAGE_1.get(instrument, ())
    if asked:
        print(f"with {' '.join(asked)}", file=sys.stderr)
    command = [sys.executable, "-m", "webbcal", "run", "calwebb_detector1", str(uncal), *asked]
    done = subprocess.run(
        [*command, f"--output_dir={folder}"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        return done.returncode
    picture = draw(uncal, world.truth[0], folder)
    print(f"{done.stdout.strip()}; picture: {picture}")
    return 0


def draw(uncal: Path, truth: Path, folder: Path) -> Path:
    """Draw raw data, rate, cosmic rays and the comparison with the truth; return the picture's path."""
    from webbcal.report.pictures import stage1_picture

    rate = Path(str(uncal).replace("_uncal", "_rate"))
    picture = folder / "demo.png"
    stage1_picture(uncal, rate, picture, truth)
    return picture
