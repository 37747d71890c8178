"""Exposures that were read at once by several detectors are a group."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def exposure_name(observation: Any) -> str | None:
    """Return the name of an exposure, whatever the detector, as ``meta.observation`` says it, or None."""
    names = (
        *("program_number", "observation_number", "visit_number"),
        *("visit_group", "sequence_id", "activity_id", "exposure_number"),
    )
    parts = [getattr(observation, name, None) for name in names]
    return None if None in parts else "jw{}{}{}_{}{}{}_{}".format(*parts)


def group_of(model: Any) -> str | None:
    """Return ``meta.group_id`` if it is set, else the name of the exposure; None if nothing tells."""
    own = getattr(model.meta, "group_id", None)
    return str(own) if own not in (None, "") else exposure_name(model.meta.observation)


def group_in(model: Any, index: int) -> str:
    """Return the group of a model in a container; if nothing tells, it is named after its place."""
    return group_of(model) or f"exposure{index + 1:04d}"


def places_of(role: str, roles: Iterable[str]) -> list[int]:
    """Return the places of the members that have a role."""
    return [place for place, found in enumerate(roles) if found.lower() == role.lower()]


def first_science(roles: Iterable[str]) -> int:
    """Return the place of the first science member; of the first, if there is none."""
    return next(iter(places_of("science", roles)), 0)
