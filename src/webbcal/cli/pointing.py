"""``webbcal pointing``: the pointing keywords of exposures from the telescope's attitude."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webbcal.core.errors import ParameterError
from webbcal.core.wording import dashed
from webbcal.run.configuration import parse_arguments
from webbcal.run.parameters import suggestion

USAGE = """usage: webbcal pointing FILE [FILE ...] [--ra=DEG --dec=DEG --roll=DEG] [--of=v1|aperture]
                        [--output_dir=FOLDER] [--dry-run]

Computes RA_V1, DEC_V1, PA_V3, RA_REF, DEC_REF, ROLL_REF, PA_APER, CRVAL, PC, S_REGION and, if the file tells
the telescope's velocity, the velocity aberration; writes them into the files. No engineering database is
asked: the attitude is given here, or is the one in each file.

  --ra, --dec   where it points, degrees (ICRS); all three or none
  --roll        position angle of V3 there, degrees east of north
  --of          what points there: v1, the telescope's axis (default), or aperture, the reference position of
                each file's aperture (V2_REF, V3_REF)
  --output_dir  write the files there and leave the originals as they are
  --dry-run     print the keywords; write nothing"""

_ANGLES = ("ra", "dec", "roll")
_OPTIONS = (*_ANGLES, "of", "output_dir")


def main(words: Sequence[str]) -> int:
    """Set the pointing keywords of files."""
    given = [w for w in words if dashed(w) != "--dry-run"]
    dry_run, arguments = len(given) < len(words), parse_arguments(given)
    options = {**arguments.options, **arguments.parameters}
    if not arguments.target or "help" in arguments.flags:
        print(USAGE)
        return 0 if "help" in arguments.flags else 2
    for name in options:
        if name not in _OPTIONS:
            raise ParameterError(f"pointing has no option {name!r}{suggestion(name, _OPTIONS)}")
    angles = _angles(options)
    of = options.get("of", "v1")
    if of not in ("v1", "aperture"):
        raise ParameterError(f"--of={of}: expected v1 or aperture")
    for path in (arguments.target, *arguments.positional):
        _one_file(path, angles, of, options.get("output_dir"), dry_run)
    return 0


def _angles(options: dict[str, Any]) -> tuple[float, float, float] | None:
    """Return the attitude asked for, or None.

    Raises
    ------
    ParameterError
        If it is incomplete or out of range.
    """
    given = {name: options[name] for name in _ANGLES if name in options}
    if not given:
        return None
    missing = [f"--{name}" for name in _ANGLES if name not in given]
    if missing:
        raise ParameterError(f"an attitude is --ra, --dec and --roll; missing: {', '.join(missing)}")
    try:
        ra, dec, roll = (float(given[name]) for name in _ANGLES)
    except ValueError as error:
        raise ParameterError(f"--ra, --dec and --roll are numbers in degrees: {error}") from None
    if not (abs(ra) <= 360 and abs(dec) <= 90 and abs(roll) <= 360):
        raise ParameterError(f"no such attitude: ra {ra}, dec {dec}, roll {roll} degrees")
    return ra, dec, roll


def _one_file(
    path: str, angles: tuple[float, float, float] | None, of: str, output_dir: str | None, dry_run: bool
) -> None:
    from webbcal import datamodels
    from webbcal.wcs.attitude import Attitude
    from webbcal.wcs.keywords import ApertureKeywords, attitude_of, set_pointing

    with datamodels.open(path) as model:
        if angles is None:
            attitude = attitude_of(model, of)
        elif of == "v1":
            attitude = Attitude.from_v1(*angles)
        else:
            aperture = ApertureKeywords.of_model(model)
            attitude = Attitude.from_reference(aperture.v2_ref, aperture.v3_ref, *angles)
        values = set_pointing(model, attitude)
        print(path)
        for where, value in values.items():
            print(f"  {where:35s}{value}")
        if not dry_run:
            if output_dir:
                Path(output_dir).mkdir(parents=True, exist_ok=True)
            saved = model.save(path, dir_path=output_dir)
            print(f"  saved {saved}")
