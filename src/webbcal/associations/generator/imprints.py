"""Which imprints (leakage through NIRSpec's shutters) go with a science exposure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from webbcal.associations.generator.draft import Entry

_NEEDED = ("targetid", "bkgdtarg")


def without_other_imprints(members: Sequence[Entry]) -> list[Entry]:
    """Return members without imprints that are of other targets, or of other dithers.

    Imprints of another target go if some are of the target of the science members; if then there are more
    imprints than science members, those at other dither positions go, if some are at the same.
    """
    known = [m for m in members if m.row is not None and all(c in m.row.raw for c in _NEEDED)]
    science = [m for m in known if m.exptype == "science"]
    is_background = any(_of_background(m) for m in science)
    imprints = [m for m in known if m.exptype == "imprint" and _of_background(m) == is_background]
    kept = _alike(imprints, science, "targetid")
    dropped = {id(m) for m in imprints} - {id(m) for m in kept}
    if 1 <= len(science) < len(kept):
        dropped |= {id(m) for m in kept} - {id(m) for m in _alike(kept, science, "dithptin")}
    return [m for m in members if id(m) not in dropped]


def _of_background(member: Entry) -> bool:
    return _value(member, "bkgdtarg") == "t"


def _alike(imprints: list[Entry], science: Iterable[Entry], column: str) -> list[Entry]:
    """Return the imprints with a value that a science member has; all, if there are none."""
    values = {_value(member, column) for member in science} - {None}
    return [imprint for imprint in imprints if _value(imprint, column) in values] or imprints


def _value(member: Entry, column: str) -> str | None:
    assert member.row is not None
    return member.row.raw.get(column)
