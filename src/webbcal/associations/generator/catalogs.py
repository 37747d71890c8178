"""Grism exposures need what level 3 makes of a direct image: the image, its catalogue and its segments."""

from __future__ import annotations

from collections.abc import Sequence

from webbcal.associations.generator.columns import Row
from webbcal.associations.generator.draft import Draft, Entry
from webbcal.associations.generator.product_names import TEMPLATE, level3_name, optical_elements


def with_catalogs(draft: Draft, members: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return members with the products of the direct image that was taken next after the science member.

    Empty, if there is no direct image.
    """
    science, directs = _of(members, "science"), _of(members, "direct_image")
    if not science or not directs:
        return ()
    return _with_products_of(_next(science[0], directs), draft, members)


def with_catalogs_of_long(draft: Draft, members: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return members with the products of the direct image of the long wavelengths, if there is one."""
    science, directs = _of(members, "science"), _of(members, "direct_image")
    if not science or not directs:
        return ()
    return _with_products_of(next((d for d in directs if "long" in d.expname), directs[0]), draft, members)


def _of(members: Sequence[Entry], role: str) -> list[Entry]:
    return [member for member in members if member.exptype == role]


def _next(science: Entry, directs: Sequence[Entry]) -> Entry:
    own = _sequence(science)
    if own is None:
        return directs[0]
    later = [
        (number, direct) for direct in directs if (number := _sequence(direct)) is not None and number > own
    ]
    return min(later, key=lambda pair: pair[0])[1] if later else directs[0]


def _sequence(member: Entry) -> int | None:
    value = None if member.row is None else member.row.values.get("expspcin")
    return int(value) if value is not None and value.isdigit() else None


def _with_products_of(direct: Entry, draft: Draft, members: Sequence[Entry]) -> tuple[Entry, ...]:
    assert direct.row is not None
    root = level3_name(draft, TEMPLATE, optical_elements(_elements(direct.row)))
    return (
        *(member for member in members if member.exptype != "direct_image"),
        Entry(None, f"{root}_i2d.fits", "direct_image"),
        Entry(None, f"{root}_cat.ecsv", "sourcecat"),
        Entry(None, f"{root}_segm.fits", "segmap"),
    )


def _elements(row: Row) -> list[list[str]]:
    columns = (
        [("filter",)] if row.values.get("instrume") == "miri" else [("filter", "band"), ("pupil", "grating")]
    )
    found = (next((row.values[c] for c in choice if c in row.values), None) for choice in columns)
    return [[value] for value in found if value is not None]
