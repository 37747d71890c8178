"""Fit slopes to ramps.

A ramp is cut into segments at jumps and unusable groups. Each segment gets a line by least squares with
weights that suit its signal-to-noise ratio (Fixsen et al. 2000, PASP 112, 1350); the segments of an
integration, and the integrations of an exposure, are averaged with the inverse of their read noise variance.
"""

from __future__ import annotations

from webbcal.kernels.ramp_fit.results import (
    Fit,
    RampFit,
    SegmentFits,
    Shares,
    combine,
    empty_shares,
    merge_segments,
)
from webbcal.kernels.ramp_fit.settings import GroupRange, RampFitSettings, group_range

__all__ = [
    "Fit",
    "GroupRange",
    "RampFit",
    "RampFitSettings",
    "SegmentFits",
    "Shares",
    "combine",
    "empty_shares",
    "group_range",
    "merge_segments",
]
