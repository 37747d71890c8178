"""``webbcal demo``: from nothing to calibrated exposures and a picture of them, without data or network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from webbcal.cli.extra import need
from webbcal.cli.simulate import simulate
from webbcal.core.errors import ParameterError
from webbcal.run.configuration import parse_arguments

USAGE = """\
usage: webbcal demo [--output_dir=demo] [--subarray=FULL] [--ngroups=10] [--seed=1] ...
       webbcal demo mosaic [--instrument=nircam] [--output_dir=demo_mosaic] [--subarray=FULL] [--seed=1]

The first simulates a NIRCam exposure and its reference files, calibrates it with calwebb_detector1, and makes
a picture. It takes the options of webbcal simulate.

The second simulates four dithered exposures (of nircam, niriss or fgs; of miri rates) and a catalogue of the
bright stars, makes their mosaic and its source catalogue with webbcal mosaic, and a picture that compares
them with the truth. It takes 2 to 3 GB of disk."""


def main(words: Sequence[str]) -> int:
    """Simulate, calibrate, draw."""
    arguments = parse_arguments(["demo", *words])
    if "help" in arguments.flags:
        print(USAGE)
        return 0
    need("matplotlib", "pysiaf")
    if arguments.positional == ["mosaic"]:
        from webbcal.cli.demo_mosaic import demo_mosaic

        return demo_mosaic(arguments.parameters)
    if arguments.positional:
        raise ParameterError(f"there is no demo {arguments.positional[0]!r}; there is webbcal demo mosaic")
    folder = Path(arguments.parameters.pop("output_dir", "demo")).absolute()
    print(f"simulating an exposure and its reference files in {folder} (half a minute)", file=sys.stderr)
    # A dark in the exposure's own read pattern: the frame-by-frame one would be 0.8 GB.
    world = simulate(folder, {"grouped_dark": "true"} | arguments.parameters)
    os.environ |= world.environment
    uncal = world.uncal[0]
    print("calibrating (the first run compiles the kernels)", file=sys.stderr)
    # A process of its own, as a user would start it: its summary is not about the simulator's memory.
    command = [sys.executable, "-m", "webbcal", "run", "calwebb_detector1", str(uncal)]
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
