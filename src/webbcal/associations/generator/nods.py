"""Nods: exposures at other positions of a pattern are each other's background."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from webbcal.associations.generator.columns import Row
from webbcal.associations.generator.draft import Entry
from webbcal.core.suffixes import remove_suffix

#: In five positions along NIRSpec's wide slit, the spectra of neighbours overlap.
_WIDE_SLIT, _POSITIONS = "s1600a1", 5


def overlaps(science: Row | None, background: Row | None) -> bool:
    """Tell whether the source would be in its own background.

    Known for slits and shutters of NIRSpec only: the position along the slit is the number in the pattern
    without the subpixel dithers.
    """
    if science is None or background is None or science.exp_type not in ("nrs_fixedslit", "nrs_msaspec"):
        return False
    in_slit = science.exp_type == "nrs_fixedslit"
    targets = science.raw.get("targetid"), background.raw.get("targetid")
    if None not in targets and targets[0] != targets[1]:
        return True
    own, other, count = _position(science), _position(background), _number(science, "numdthpt")
    if own is None or other is None or count is None:
        return in_slit
    if own[0] == other[0]:
        return True
    return (
        in_slit
        and science.raw.get("fxd_slit") == _WIDE_SLIT
        and count // own[1] == _POSITIONS
        and abs(own[0] - other[0]) <= 1
    )


def _position(row: Row) -> tuple[int, int] | None:
    """Return the position along the slit, and how many subpixel dithers there are at each."""
    number = _number(row, "patt_num")
    dithers = _number(row, "subpxpts")
    if dithers is None:
        dithers = _number(row, "subpxpns")
    return None if number is None or not dithers else ((number - 1) // dithers, dithers)


def _number(row: Row, column: str) -> int | None:
    try:
        return int(row.raw[column])
    except (KeyError, ValueError):
        return None


def nod_backgrounds(members: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return members, and the spectrum of each science member as background of the others."""
    science = [member for member in members if member.exptype == "science"]
    if len(science) < 2:
        return tuple(members)
    spectra = (m.as_("background", f"{remove_suffix(PurePath(m.expname).stem)[0]}_x1d.fits") for m in science)
    return (*members, *spectra)
