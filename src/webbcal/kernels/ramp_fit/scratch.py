"""Scratch arrays of a fit.

Python allocates them: numba would compile that anew for each type and number of axes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from webbcal.kernels.sortnet import LANES, network


class Block(NamedTuple):
    """Scratch arrays; K samples of a pixel, L lanes, I integrations, and the exposure as the last of I+1."""

    ramp: np.ndarray  # (K, L) float32
    flags: np.ndarray  # (K, L) uint8
    union: np.ndarray  # (L,) OR of the flags
    steps: np.ndarray  # (I, L) median differences
    constants: np.ndarray  # (3, L) gain, noise of a group in electrons, dark
    value: np.ndarray  # (I+1, 4, L) slope, variances, error
    dq: np.ndarray  # (I+1, L) uint32
    usable: np.ndarray  # (L,) int64, how many differences are
    ordered: np.ndarray  # (G, L)
    comparisons: np.ndarray  # that sort them
    photons: np.ndarray  # (L,)
    power: np.ndarray  # (L,) int64
    totals: np.ndarray  # (4, L)
    given: np.ndarray  # (L,) median rates of all integrations
    start: np.ndarray  # (4, L) sums over the integrations before
    common: np.ndarray  # (L,) uint32, flags that all integrations share
    any_dq: np.ndarray  # (L,) uint32, flags of any
    window: np.ndarray  # (I, 2) int64, first and last of the groups that most lanes use
    odd: np.ndarray  # (L,) uint8, not 0: other flags than DNU outside of the window

    @classmethod
    def of(cls, nints: int, ngroups: int) -> Block:
        """Return the arrays for an exposure."""
        k = nints * ngroups
        return cls(
            np.zeros((k, LANES), np.float32),
            np.zeros((k, LANES), np.uint8),
            np.zeros(LANES, np.uint8),
            np.zeros((nints, LANES)),
            np.zeros((3, LANES)),
            np.zeros((nints + 1, 4, LANES)),
            np.zeros((nints + 1, LANES), np.uint32),
            np.zeros(LANES, np.int64),
            np.zeros((ngroups, LANES)),
            network(ngroups - 1),
            np.zeros(LANES),
            np.zeros(LANES, np.int64),
            np.zeros((4, LANES)),
            np.zeros(LANES),
            np.zeros((4, LANES)),
            np.zeros(LANES, np.uint32),
            np.zeros(LANES, np.uint32),
            np.zeros((nints, 2), np.int64),
            np.zeros(LANES, np.uint8),
        )


class Lane(NamedTuple):
    """Scratch arrays for a single pixel of a block."""

    y: np.ndarray  # (K,) samples
    dq: np.ndarray  # (K,) uint32
    info: np.ndarray  # (I, 4), see `first_rates`
    sums: np.ndarray  # (4,)
    total: np.ndarray  # (4,)
    spans: np.ndarray  # (G+1, 2) int64, first and last of each segment
    line: np.ndarray  # (G+1, 7) the table of segments, or empty

    @classmethod
    def of(cls, nints: int, ngroups: int, save: bool) -> Lane:
        """Return the arrays for an exposure; `save`: with the table of segments."""
        return cls(
            np.zeros(nints * ngroups),
            np.zeros(nints * ngroups, np.uint32),
            np.zeros((nints, 4)),
            np.zeros(4),
            np.zeros(4),
            np.zeros((ngroups + 1, 2), np.int64),
            np.zeros((ngroups + 1 if save else 0, 7)),
        )


def scratch_arrays(nints: int, ngroups: int, save: bool = False) -> tuple[Block, Lane]:
    """Return the arrays of blocks and of single pixels."""
    return Block.of(nints, ngroups), Lane.of(nints, ngroups, save)
