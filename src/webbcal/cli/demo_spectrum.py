"""``webbcal demo spectrum``: from nothing to the spectrum of a star in MIRI's slit, and a picture of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webbcal.associations.association import Member
from webbcal.cli.demo_runs import STAGE_1, association, run
from webbcal.core.errors import ParameterError
from webbcal.run.parameters import suggestion

if TYPE_CHECKING:
    from webbcal.simulate import Universe

_DEFAULTS = {"seed": 1, "ngroups": 30}
_NAME = "miri_p750l"
#: The images that are combined have the same depth, but for single pixels: weights by their read noise would
#: mix the flanks of the star unevenly.
_STAGE_3 = ("--steps.pixel_replace.skip=false", "--steps.resample_spec.weight_type=exptime")


def demo_spectrum(options: Mapping[str, Any]) -> int:
    """Simulate a nod pair, calibrate it from raw ramps to its spectrum, each step as a user would, and draw.

    Raises
    ------
    ParameterError
        For an unknown option or a value that is not allowed.
    """
    given = dict(options)
    folder = Path(given.pop("output_dir", "demo_spectrum")).absolute()
    world = _simulated(folder, _checked(given))
    names = [uncal.name.removesuffix("_uncal.fits") for uncal in world.uncal]
    print("calibrating (the first run compiles the kernels)", file=sys.stderr)
    for uncal in world.uncal:
        if status := run(folder, "calwebb_detector1", str(uncal), *STAGE_1["miri"]):
            return status
    for one, other in (names, names[::-1]):
        pair = [Member(f"{one}_rate.fits"), Member(f"{other}_rate.fits", "background")]
        if status := run(folder, "calwebb_spec2", association(folder, "spec2", one, pair)):
            return status
    both = [Member(f"{name}_cal.fits") for name in names]
    if status := run(folder, "calwebb_spec3", association(folder, "spec3", _NAME, both), *_STAGE_3):
        return status
    print(f"picture: {_drawn(folder, names[0], world.truth[0])}")
    return 0


def _checked(given: dict[str, Any]) -> dict[str, int]:
    for name in given:
        if name not in _DEFAULTS:
            raise ParameterError(f"demo spectrum has no option {name!r}{suggestion(name, _DEFAULTS)}")
    options = {}
    for name, value in (_DEFAULTS | given).items():
        try:
            options[name] = int(value)
        except ValueError:
            raise ParameterError(f"--{name}={value}: expected an integer") from None
    return options


def _simulated(folder: Path, options: Mapping[str, int]) -> Universe:
    """Write raw exposures of both nods and their truth; set CRDS to serve them."""
    from webbcal.cli.simulate import simulate

    print(f"simulating 2 exposures and their reference files in {folder} (a minute)", file=sys.stderr)
    words = {"filter": "P750L", "exposures": "2", "grouped_dark": "true"}
    world = simulate(folder, words | {name: str(value) for name, value in options.items()})
    os.environ |= world.environment
    return world


def _drawn(folder: Path, first: str, truth: Path) -> Path:
    from webbcal.report.spectrum_picture import spectrum_picture

    picture = folder / f"{_NAME}.png"
    images = (
        ("first nod, the second subtracted", folder / f"{first}_s2d.fits"),
        ("both nods", folder / f"{_NAME}_s2d.fits"),
    )
    spectrum_picture(images, folder / f"{_NAME}_x1d.fits", truth, picture)
    return picture
