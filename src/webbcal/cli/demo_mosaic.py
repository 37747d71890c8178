"""``webbcal demo mosaic``: from nothing to a mosaic with its catalogue and a picture of both."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webbcal.core.errors import ParameterError
from webbcal.run.parameters import suggestion

if TYPE_CHECKING:
    from webbcal.simulate import ExposureConfig

#: Particles that stage 1 leaves in rates, as a share of all: where rates are simulated, not ramps.
_LEFT = 0.02
_DEFAULTS = {"instrument": "nircam", "subarray": "FULL", "seed": 1}


def demo_mosaic(options: Mapping[str, Any]) -> int:
    """Simulate four dithered exposures, make their mosaic in a process of its own, and draw it.

    Raises
    ------
    ParameterError
        For an unknown option or a value that is not allowed.
    """
    from webbcal.simulate import field, star_catalog

    given = dict(options)
    folder = Path(given.pop("output_dir", "demo_mosaic")).absolute()
    exposures = field(**_checked(given))
    print(f"simulating 4 exposures and their reference files in {folder} (a minute or two)", file=sys.stderr)
    files, truths = _simulated(folder, exposures)
    stars = folder / "stars.ecsv"
    star_catalog(exposures).write(stars, overwrite=True)
    name = "_".join(w for w in (exposures[0].instrument, exposures[0].filter) if w != "N/A").lower()
    words = [*map(str, files), f"--product-name={name}", f"--output_dir={folder}"]
    words.append(f"--image3.tweakreg.abs_refcat={stars}")
    print("making their mosaic (the first run compiles the kernels)", file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-m", "webbcal", "mosaic", *words], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        return done.returncode
    print(f"{done.stdout.strip()}; picture: {_drawn(folder, name, truths)}")
    return 0


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    for name in given:
        if name not in _DEFAULTS:
            raise ParameterError(f"demo mosaic has no option {name!r}{suggestion(name, _DEFAULTS)}")
    options: dict[str, Any] = _DEFAULTS | given
    try:
        options["seed"] = int(options["seed"])
    except ValueError:
        raise ParameterError(f"--seed={options['seed']}: expected an integer") from None
    return options


def _simulated(
    folder: Path, exposures: Sequence[ExposureConfig]
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Write exposures, raw if their ramps can be simulated, and their truth; set CRDS to serve them."""
    from webbcal.simulate import RateOptions, ReferenceOptions, rate_universe, universe

    part = exposures[0].subarray != "FULL"
    if exposures[0].instrument == "MIRI":
        rates = rate_universe(folder, exposures, RateOptions(rays=_LEFT), part)
        os.environ |= rates.environment
        return rates.rate, rates.truth
    # A dark in the exposures' own read pattern: the frame-by-frame one would be 0.8 GB.
    ramps = universe(folder, exposures, ReferenceOptions(subarray_only=part, grouped_dark=True))
    os.environ |= ramps.environment
    return ramps.uncal, ramps.truth


def _drawn(folder: Path, name: str, truths: Sequence[Path]) -> Path:
    from webbcal.report.mosaic_picture import mosaic_picture

    picture = folder / f"{name}.png"
    mosaic_picture(folder / f"{name}_i2d.fits", folder / f"{name}_cat.ecsv", truths, picture)
    return picture
