"""Saturated samples: thresholds, growth to neighbours, and frames lost inside averaged groups.

A sample at or above its pixel's threshold is saturated, and so are all later ones of that integration
and their neighbours within `grow` pixels. A group that is the mean of several frames can hide a last
frame that saturated: such groups are found by looking back from the group that follows. Samples at or
below zero sit on the floor of the A/D converter.

`reference.flag_saturation` is the readable definition, `cpu.flag_saturation` the compiled one.
"""

from __future__ import annotations

#: Largest value of the 16-bit A/D converter (DN).
ATOD_LIMIT = 65535.0


def halo(grow: int) -> int:
    """Rows that a band needs on each side: the look-back grows flags that rest on grown flags."""
    return 2 * grow
