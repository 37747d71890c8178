"""Associations that several candidates lead to are kept once."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import PurePath

from webbcal.associations.generator.finishing import Complete
from webbcal.core.suffixes import remove_suffix


def pruned(associations: Sequence[Complete]) -> list[Complete]:
    """Return associations without those with the members of another, and those that are part of one.

    Of those with the same members in the same roles, observations are preferred to groups, and groups to what
    was discovered. Of those with one product name, the one with the most members stays, unless the roles of
    members differ.
    """
    return _without_parts(_without_doubles(associations))


def _by_candidate(associations: Iterable[Complete]) -> list[Complete]:
    return sorted(associations, key=lambda association: association.candidate.id)


def _without_doubles(associations: Sequence[Complete]) -> list[Complete]:
    kept: dict[object, Complete] = {}
    for association in reversed(_by_candidate(associations)):
        files = [member.expname for member in association.members]
        # One that lists a file twice is like no other.
        unique = len(set(files)) == len(files)
        key = frozenset((m.expname, m.exptype) for m in association.members) if unique else id(association)
        kept.setdefault(key, association)
    return list(kept.values())


def _without_parts(associations: list[Complete]) -> list[Complete]:
    names = Counter(association.name for association in associations)
    if not any(count > 1 for count in names.values()):
        return associations
    ordered = _by_candidate(associations)
    by_name: dict[str, list[Complete]] = defaultdict(list)
    for association in ordered:
        if names[association.name] > 1:
            by_name[association.name].append(association)
    dropped = {id(part) for group in by_name.values() for part in _parts(group)}
    return [association for association in ordered if id(association) not in dropped]


def _parts(group: Sequence[Complete]) -> list[Complete]:
    """Return those of one name that are part of another."""
    parts: list[Complete] = []
    for one in group:
        if any(_alike(one, part) for part in parts):
            continue
        largest = one
        for other in group:
            if any(other is part for part in parts) or _alike(largest, other):
                continue
            if _is_part(largest, other):
                smaller, largest = sorted((largest, other), key=lambda a: len(a.members))
                parts.append(smaller)
    return parts


def _is_part(one: Complete, other: Complete) -> bool:
    """Tell whether one of two has fewer members, and what they have in common has the same role in both."""
    roles, other_roles = ({m.expname: m.exptype for m in a.members} for a in (one, other))
    if len(one.members) == len(other.members):
        return False
    if len(roles) < len(one.members) or len(other_roles) < len(other.members):
        return False
    return all(other_roles.get(name, role) == role for name, role in roles.items())


def _alike(one: Complete, other: Complete) -> bool:
    """Tell whether two make the same of the same exposures, of whichever suffix."""
    return one is other or _likeness(one) == _likeness(other)


def _likeness(association: Complete) -> tuple[object, ...]:
    members = sorted((_exposure(member.expname), member.exptype) for member in association.members)
    words = frozenset(re.split("[_-]", association.name))
    return association.recipe.type, association.candidate.id[:1], words, tuple(members)


@cache
def _exposure(name: str) -> str:
    return remove_suffix(PurePath(name).stem)[0]
