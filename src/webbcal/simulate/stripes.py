"""Stripes: exposures of which only lines here and there are read (NIRCam DHS), or superstripes.

Modelled: which lines of the detector come down, in which order, and the keywords that say so. The lines are
taken from an exposure of the full frame, so each has its own bias, noise and light. Of superstripes, each
integration has other lines, until a cycle is complete. Not modelled: the shorter
frame time (the header has that of the full frame, with which the samples were taken), and that a line that is
read twice in a frame is read at two times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.datamodels import Level1bModel


@dataclass(frozen=True)
class StripeReadout:
    """A subarray of stripes, by its keywords.

    Attributes
    ----------
    subarray : str
        SUBARRAY.
    reads1, skips1 : int
        Lines read and skipped at the start.
    reads2, skips2 : int
        Lines of a stripe (0 of superstripes: as many as `step`), and between one and the next.
    stripes : int
        How many there are.
    repeat, interleave : bool
        Whether the start is read again before each stripe; and whether the stripe then is another one.
    superstripes, step : int
        Integrations of a cycle of superstripes (0: there are none), and lines from one to the next.
    """

    subarray: str = "SUB82STRIPE2_DHS"
    reads1: int = 1
    skips1: int = 1000
    reads2: int = 40
    skips2: int = 300
    stripes: int = 2
    repeat: bool = True
    interleave: bool = True
    superstripes: int = 0
    step: int = 0

    @property
    def lines(self) -> np.ndarray:
        """The lines of the detector in the order in which they are read, 0-based."""
        return self.lines_of(0)

    def lines_of(self, integration: int) -> np.ndarray:
        """Return the lines that an integration (from 0) has read."""
        ahead = self.step * (integration % self.superstripes) if self.superstripes else 0
        count = self.reads2 or self.step
        start, found = list(range(self.reads1)), []
        for k in range(self.stripes):
            found += start if self.repeat or k == 0 else []
            same = self.repeat and not self.interleave
            first = self.reads1 + self.skips1 + ahead + (0 if same else k * (count + self.skips2))
            found += range(first, first + count)
        return np.array(found)


def read_stripes(full: Level1bModel, readout: StripeReadout) -> Level1bModel:
    """Return the exposure that would have come down if only stripes of this full frame had been read."""
    sub = full.meta.subarray
    axis = -2 if abs(sub.slowaxis) == 2 else -1
    lines = [readout.lines_of(k) for k in range(full.data.shape[0])]
    if sub.slowaxis < 0:  # the science frame counts from the other end
        lines = [full.data.shape[axis] - 1 - some[::-1] for some in lines]
    striped = full.copy()
    striped.data = _taken(full.data, lines, axis)
    if full.has("zeroframe"):
        striped.zeroframe = _taken(full.zeroframe, lines, axis)
    sub = striped.meta.subarray
    sub.name = readout.subarray
    setattr(sub, "ysize" if axis == -2 else "xsize", len(lines[0]))
    sub.multistripe_reads1, sub.multistripe_skips1 = readout.reads1, readout.skips1
    sub.multistripe_reads2, sub.multistripe_skips2 = readout.reads2, readout.skips2
    sub.repeat_stripe, sub.interleave_reads1 = int(readout.repeat), int(readout.interleave)
    sub.num_superstripe, sub.superstripe_step = readout.superstripes, readout.step
    return striped


def _taken(array: np.ndarray, lines: list[np.ndarray], axis: int) -> np.ndarray:
    """Return the lines of each integration."""
    return np.stack([np.take(one, some, axis) for one, some in zip(array, lines, strict=True)])
