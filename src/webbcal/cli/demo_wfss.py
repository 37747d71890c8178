"""``webbcal demo wfss``: from nothing to the spectra of a slitless field, and a picture of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webbcal.associations.association import Member
from webbcal.cli.demo_runs import STAGE_1, association, run
from webbcal.core.errors import ParameterError
from webbcal.run.parameters import suggestion

if TYPE_CHECKING:
    from webbcal.simulate import ExposureConfig

_DEFAULTS: dict[str, Any] = {"instrument": "nircam", "sources": 7, "seed": 1, "ngroups": 0}
#: Instrument -> detector, filter, read pattern, groups, grism; sky (MJy/sr), magnitudes of the sources.
_INSTRUMENTS = {
    "nircam": (("NRCALONG", "F444W", "SHALLOW2", 10, "GRISMR"), 0.25, (17.0, 19.5)),
    "niriss": (("NIS", "F200W", "NIS", 6, "GR150R"), 0.12, (18.0, 20.5)),
    "miri": (("MIRIMAGE", "F1000W", "FASTR1", 40, "P750L"), 12.0, (15.0, 17.5)),
}
_DITHERS = [(0.0, 0.0), (2.371, 1.843)]
#: A bad pixel in the aperture would take its light away.
_FILLED = "--steps.pixel_replace.skip=false"
_QUICK = [f"--steps.{step}.skip=true" for step in ("tweakreg", "skymatch", "outlier_detection")]


def demo_wfss(options: Mapping[str, Any]) -> int:
    """Simulate a direct image and two slitless exposures, calibrate them from raw ramps to spectra, and draw.

    Raises
    ------
    ParameterError
        For an unknown option or a value that is not allowed.
    """
    given = dict(options)
    folder = Path(given.pop("output_dir", "demo_wfss")).absolute()
    chosen = _checked(given)
    exposures = _exposures(chosen)
    names = [config.rootname for config in exposures]
    product = f"{chosen['instrument']}_{exposures[0].filter}_wfss".lower()
    _simulate(folder, exposures)
    print("calibrating (the first run compiles the kernels)", file=sys.stderr)
    for words in _commands(folder, names, product, STAGE_1.get(chosen["instrument"], ())):
        if status := run(folder, *words):
            return status
    print(f"picture: {_drawn(folder, exposures, product)}")
    return 0


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    for name in given:
        if name not in _DEFAULTS:
            raise ParameterError(f"demo wfss has no option {name!r}{suggestion(name, _DEFAULTS)}")
    options = _DEFAULTS | given
    options["instrument"] = str(options["instrument"]).lower()
    if options["instrument"] not in _INSTRUMENTS:
        known = ", ".join(_INSTRUMENTS)
        raise ParameterError(f"no slitless field of {options['instrument']!r}; known: {known}")
    for name in ("sources", "seed", "ngroups"):
        try:
            options[name] = int(options[name])
        except ValueError:
            raise ParameterError(f"--{name}={options[name]}: expected an integer") from None
    return options


def _exposures(options: Mapping[str, Any]) -> list[ExposureConfig]:
    """Return the direct image and the slitless exposures of one field."""
    from webbcal.simulate import ExposureConfig, Grism, Sky, dithered, grism_field

    (detector, band, pattern, ngroups, grism), background, magnitudes = _INSTRUMENTS[options["instrument"]]
    direct = ExposureConfig(
        detector=detector,
        filter=band,
        readpatt=pattern,
        ngroups=options["ngroups"] or ngroups,
        seed=options["seed"],
        sky=Sky(background=background),
    )
    sky = grism_field(direct, options["sources"], magnitudes, galaxies=0.25, seed=options["seed"])
    direct = replace(direct, sky=sky)
    first = replace(direct, exposure=2, seed=direct.seed + 1, grism=Grism(grism), start_mjd=60000.02)
    return [direct, *dithered(first, _DITHERS)]


def _simulate(folder: Path, exposures: Sequence[ExposureConfig]) -> None:
    """Write raw exposures and their truth; set CRDS to serve them."""
    from webbcal.simulate import ReferenceOptions, universe

    print(f"simulating 3 exposures and their reference files in {folder} (a minute or two)", file=sys.stderr)
    # A dark in the exposures' own read pattern: the frame-by-frame one would be 0.8 GB.
    os.environ |= universe(folder, exposures, ReferenceOptions(grouped_dark=True)).environment


def _commands(folder: Path, names: Sequence[str], product: str, stage_1: Sequence[str]) -> list[list[str]]:
    """Return what a user would type: ramps to rates, the catalogue of the direct image, then spectra."""
    direct, *spectra = names
    image = [Member(f"{direct}_cal.fits")]
    help_of_direct = [
        Member("direct_i2d.fits", "direct_image"),
        Member("direct_cat.ecsv", "sourcecat"),
        Member("direct_segm.fits", "segmap"),
    ]
    commands = [["calwebb_detector1", str(folder / f"{name}_uncal.fits"), *stage_1] for name in names]
    commands.append(["calwebb_image2", str(folder / f"{direct}_rate.fits"), "--steps.resample.skip=true"])
    commands.append(["calwebb_image3", association(folder, "image3", "direct", image), *_QUICK])
    for name in spectra:
        members = [Member(f"{name}_rate.fits"), *help_of_direct]
        commands.append(["calwebb_spec2", association(folder, "spec2", name, members), _FILLED])
    both = [Member(f"{name}_cal.fits") for name in spectra]
    commands.append(["calwebb_spec3", association(folder, "spec3", product, both), _FILLED])
    return commands


def _drawn(folder: Path, exposures: Sequence[ExposureConfig], product: str) -> Path:
    from webbcal.report.wfss_picture import wfss_picture

    first, picture = exposures[1], folder / f"{product}.png"
    wfss_picture(first, folder / f"{first.rootname}_cal.fits", folder / f"{product}_c1d.fits", picture)
    return picture
