"""Interference with a fixed frequency: found by the phase at which each pixel is sampled, and subtracted.

- `reference` and `cpu`: what passes over the samples.
- `waves`: periodic waves as tables and as splines.
- `joint`: phase and amplitude of a known wave, fitted together with the ramps.
- `binned`: the wave itself, from what is left of the samples without the ramps.
"""

from __future__ import annotations
