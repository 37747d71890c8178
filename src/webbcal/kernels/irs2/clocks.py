"""A raw IRS2 frame as series in time: which clocks read what, and what the correction makes of the others.

See `webbcal.core.irs2` for when each pixel is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from webbcal.core.irs2 import OUTPUT, SECTIONS, SIZE, Interleaving
from webbcal.kernels.irs2.filtering import Transform


@dataclass(frozen=True)
class Clocks:
    """The clocks of a frame.

    Attributes
    ----------
    layout : Interleaving
    slow : int
        Rows that are read one after the other: columns of the science frame.
    """

    layout: Interleaving
    slow: int = SIZE

    @property
    def row(self) -> int:
        """Clocks of a row."""
        return self.layout.row_clocks

    @property
    def samples(self) -> int:
        """Clocks of a frame."""
        return self.slow * self.row

    @property
    def section(self) -> NDArray[np.intp]:
        """Section of each row of the science frame (rows,)."""
        return self.layout.section_of

    @property
    def clock(self) -> NDArray[np.intp]:
        """Clock within its row at which each row of the science frame is read (rows,)."""
        return self.layout.clock_of

    @cached_property
    def is_normal(self) -> NDArray[np.bool_]:
        """True for clocks at which a science pixel is read (row,)."""
        clocks = np.zeros(self.row, bool)
        science = self.layout.science & (self.section == 1)
        clocks[self.clock[science]] = True
        return clocks

    @cached_property
    def held(self) -> NDArray[np.intp]:
        """Clock whose sample stands at each clock of a stream of reference pixels; -1: none (row,).

        Each pair of reads of a reference pixel is spread over twice its time, first pixel before second, so
        that the stream follows the noise on both sides of its block.
        """
        n, r = self.layout.normal, self.layout.reference
        first, half = n // 2 + 1, r // 2
        pattern = np.array([first + i + half * (j % 2) for i in range(half) for j in range(4)])
        if r % 4 == 2:
            pattern = pattern.reshape(-1, 2)[:, ::-1].reshape(-1)
        held = np.full(self.row, -1)
        for block in range(OUTPUT // n):
            start = block * self.layout.period
            held[start + first - half : start + first + half + r] = start + pattern
        return held

    @cached_property
    def transform(self) -> Transform:
        """The Fourier transform of a frame's series."""
        return Transform(self.samples)

    @cached_property
    def low_and_high_pass(self) -> NDArray[np.float32]:
        """Filter that interpolates between science pixels: the slowest and the fastest frequencies."""
        half = self.samples // 2
        edge = 110_000 // self.layout.period  # length of the cosine between what passes and what does not
        passed = self.row // self.layout.period * self.slow // 2 - edge // 2
        cosine = (np.cos(np.arange(edge) * np.pi / edge) + 1.0) / 2.0
        blocked = np.zeros(half - 2 * passed - 2 * edge)
        ones = np.ones(passed)
        passed_half = np.concatenate([ones, cosine, blocked, cosine[::-1], ones, [1.0]]).astype(np.float32)
        return self.transform.arranged(passed_half)


def empty_series(clocks: Clocks) -> NDArray[np.float32]:
    """Return room for a frame as series in time: (sections, slow, row) float32, all zero."""
    return np.zeros((SECTIONS, clocks.slow, clocks.row), np.float32)
