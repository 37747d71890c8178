"""Charge migration ("brighter-fatter"): groups too bright to trust, with their neighbours.

From the first group above a signal threshold on, a pixel and its four neighbours are rejected for the
rest of the integration.
"""

from __future__ import annotations

#: Rows needed beyond the band.
HALO = 1

#: Fewest groups of an integration for which the flags make sense: the slope must keep some groups.
MIN_GROUPS = 3


def skip_reason(ngroups: int) -> str | None:
    """Return why charge migration is not flagged for such a ramp, or None."""
    return None if ngroups >= MIN_GROUPS else f"too few groups per integration ({ngroups} < {MIN_GROUPS})"
