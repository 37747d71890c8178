"""Exposures that were read at once by several detectors are a group."""

from __future__ import annotations

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


def numbered(index: int) -> str:
    """Return the name of a group of which only the place in the container is known."""
    return f"exposure{index + 1:04d}"
