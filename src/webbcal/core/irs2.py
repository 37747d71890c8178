"""IRS2: NIRSpec frames with reference pixels between the science pixels.

In the "improved reference sampling and subtraction" read-out (Rauscher et al. 2017, PASP 129, 105003) each of
the four outputs leaves its row after every 16 pixels to read 4 reference pixels, and the reference output is
kept as a fifth. Along the detector's fast axis, which runs along the rows' index (y) of the science frame, a
raw frame so has five sections of 640 pixels: the reference output, then outputs 1 to 4. A section starts and
ends with 8 science pixels; between them, 32 times, lie 4 reference pixels. NRS2 is turned by half a turn.

An output spends one clock on each pixel, one more to step out to the reference pixels and one to step back,
and some at the end of a row. All sections are read at once, every other one in the opposite direction. A
frame so is five series in time, in which some clocks read nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from webbcal.core.box import Box

#: Pixels of the detector along its fast axis, of one of its outputs, and what is read by default.
SIZE, OUTPUT = 2048, 512
NORMAL, REFERENCE = 16, 4
#: Sections of a raw frame: the reference output and four outputs.
SECTIONS = 5
#: Clocks at the end of a row, and at the end of a frame; seconds of a clock.
ROW_OVERHEAD, FRAME_OVERHEAD, CLOCK = 8, 714, 1e-5
#: Sections that are read against the fast axis.
_BACKWARDS = (0, 2, 4)


@dataclass(frozen=True)
class Interleaving:
    """Where reference pixels lie in a raw IRS2 frame.

    Attributes
    ----------
    turned : bool
        Whether the science frame's y runs against the detector's fast axis (NRS2).
    normal, reference : int
        Science pixels before the output steps out to reference pixels, and how many of these it reads.
    """

    turned: bool
    normal: int = NORMAL
    reference: int = REFERENCE

    @property
    def section(self) -> int:
        """Pixels of a section."""
        return OUTPUT // self.normal * (self.normal + self.reference)

    @property
    def rows(self) -> int:
        """Rows (science frame) of a raw frame."""
        return SECTIONS * self.section

    @cached_property
    def interleaved(self) -> np.ndarray:
        """True for the reference pixels of a section (section,)."""
        place = np.arange(self.section) % (self.normal + self.reference) - self.normal // 2
        return (place >= 0) & (place < self.reference)

    @cached_property
    def fast(self) -> np.ndarray:
        """Position along the fast axis of each row of the science frame (rows,)."""
        positions = np.arange(self.rows)
        return positions[::-1] if self.turned else positions

    @cached_property
    def science(self) -> np.ndarray:
        """True for the rows of the science frame that are left when all others are stripped (rows,)."""
        outputs = np.tile(~self.interleaved, SECTIONS)
        outputs[: self.section] = False
        return outputs[self.fast]

    @cached_property
    def _before(self) -> np.ndarray:
        """Number of science rows before each row of the raw frame, and before its end."""
        return np.concatenate([[0], np.cumsum(self.science)])

    def stripped(self, box: Box) -> Box:
        """Return the science pixels of a box of the raw frame, in the coordinates of the stripped frame."""
        return Box(int(self._before[box.y0]), int(self._before[box.y1]), box.x0, box.x1)

    def science_rows(self, box: Box) -> np.ndarray:
        """Return which rows of a box of the raw frame are science pixels, as indices into the box."""
        return np.flatnonzero(self.science[box.y0 : box.y1])

    def reach(self, pixels: int) -> int:
        """Return the raw rows that hold `pixels` science rows on any side."""
        return pixels + self.reference * -(-pixels // self.normal) if pixels else 0

    @property
    def period(self) -> int:
        """Clocks from one block of reference pixels to the next."""
        return self.normal + self.reference + 2

    @property
    def row_clocks(self) -> int:
        """Clocks of a row."""
        return OUTPUT // self.normal * self.period + ROW_OVERHEAD

    @property
    def frame_time(self) -> float:
        """Seconds to read a frame."""
        return (self.row_clocks * SIZE + FRAME_OVERHEAD) * CLOCK

    @cached_property
    def section_of(self) -> np.ndarray:
        """Section of each row of the science frame (rows,)."""
        return self.fast // self.section

    @cached_property
    def clock_of(self) -> np.ndarray:
        """Clock within its row at which each row of the science frame is read (rows,)."""
        place = self.fast % self.section
        place = np.where(np.isin(self.section_of, _BACKWARDS), self.section - 1 - place, place)
        reference = self.interleaved
        ends = np.concatenate([[False], reference[:-1] & ~reference[1:]])  # stepped back just before
        jumps = 2 * np.cumsum(ends) + reference
        return np.asarray(place + jumps[place])
