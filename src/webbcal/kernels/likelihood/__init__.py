"""Fit slopes to ramps by their likelihood, with the full covariance of the groups, and find jumps by it.

Differences of groups have a covariance with three diagonals: read noise of a group is in two differences, and
so are the photons that arrive while a group's frames are read. With it, the most likely rate, its error and
chi-square cost a few operations a group, and so does the chi-square without any one difference, or any two
neighbours: what a cosmic ray would change (Brandt 2024, PASP 136, 045004 and 045005; "paper I" and "II").
"""

from __future__ import annotations

from webbcal.kernels.likelihood.combining import combine
from webbcal.kernels.likelihood.results import LikelihoodFit
from webbcal.kernels.likelihood.sampling import FEWEST_GROUPS, JumpThresholds, Sampling, read_times, sampling

__all__ = [
    "FEWEST_GROUPS",
    "JumpThresholds",
    "LikelihoodFit",
    "Sampling",
    "combine",
    "read_times",
    "sampling",
]
