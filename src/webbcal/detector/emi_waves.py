"""Interference that has been measured, as emicorr subtracts it, and what is seen of exposures without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.core.miri_clocks import OUTPUTS, Clocks
from webbcal.kernels.interference.joint import Fit
from webbcal.kernels.interference.waves import Spline
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import Survey

interference = kernels.get("interference")

F64 = NDArray[np.float64]
#: What is added to the time of the last pixels of a full row: they are read 3 clocks late, and the official
#: pipeline adds 2**32 to that. They are reference pixels.
LATE = 2**32 + 3


class Wave(Protocol):
    """Interference of one frequency."""

    def subtract(self, block: RampBlock) -> None:
        """Subtract it from a block, in place."""


@dataclass(frozen=True)
class Seen:
    """An exposure as it is before emicorr, without the waves that are known already."""

    survey: Survey
    clocks: Clocks
    columns: int
    waves: tuple[Wave, ...] = ()

    def block(self, box: Box, ints: range) -> RampBlock:
        """Return some rows of some integrations."""
        block = self.survey.block(box, ints)
        for wave in self.waves:
            wave.subtract(block)
        return block.cropped(0)


@dataclass(frozen=True)
class SplineWave:
    """A wave whose phase and amplitude are known for each integration.

    Attributes
    ----------
    clocks : Clocks
    period : float
        In clocks.
    spline : Spline
    fit : Fit
    """

    clocks: Clocks
    period: float
    spline: Spline
    fit: Fit

    def subtract(self, block: RampBlock) -> None:
        """Subtract it from a block, in place."""
        ints = slice(block.ints.start, block.ints.stop)
        step = (self.clocks.frame / self.period) % 1
        starts = self.fit.phases[ints] + step * block.groups.start

        def work(data: NDArray[np.float32], quads: range) -> None:
            phase = pixel_phases(self.clocks, self.period, range(block.box.y0, block.box.y1), quads)
            knots, pieces = self.spline.knots, self.spline.pieces
            amplitudes = self.fit.amplitudes[ints]
            interference.subtract_spline(data, phase, step, starts, amplitudes, knots, pieces)

        _on_quads(block, work)


@dataclass(frozen=True)
class TableWave:
    """A wave with a value for each clock, at the times that count from the first sample of the exposure.

    Attributes
    ----------
    clocks : Clocks
    period : float
        In clocks.
    table : (ceil(period),) float64
    late : int or None
        Group of four columns whose samples come late.
    """

    clocks: Clocks
    period: float
    table: F64
    late: int | None

    def subtract(self, block: RampBlock) -> None:
        """Subtract it from a block, in place."""
        starts = frame_starts(self.clocks, block.ints, block.groups)
        rows = np.arange(block.box.y0, block.box.y1, dtype=float) * self.clocks.row

        def work(data: NDArray[np.float32], quads: range) -> None:
            columns = quad_times(self.clocks, quads, self.late)
            interference.subtract_table(data, starts, rows, columns, self.period, self.table)

        _on_quads(block, work)


def pixel_phases(clocks: Clocks, period: float, rows: range, quads: range) -> F64:
    """Return the phases at which pixels are sampled in the first frame, (rows, groups of four columns)."""
    times = np.arange(rows.start, rows.stop)[:, None] * clocks.row + np.arange(quads.start, quads.stop) * (
        clocks.nsamples
    )
    return np.asarray((times.astype(float) / period) % 1)


def frame_starts(clocks: Clocks, ints: Sequence[int], groups: Sequence[int]) -> F64:
    """Return the clocks at which frames begin, (integrations, groups)."""
    return np.array([[float(i * clocks.integration + g * clocks.frame) for g in groups] for i in ints])


def quad_times(clocks: Clocks, quads: range, late: int | None) -> F64:
    """Return the clocks of groups of four columns within a row."""
    times = np.arange(quads.start, quads.stop, dtype=float) * clocks.nsamples
    if late is not None and late in quads:
        times[late - quads.start] += LATE
    return times


def _on_quads(block: RampBlock, work: Callable[[NDArray[np.float32], range], None]) -> None:
    """Let a function work on a block's samples in whole groups of four columns."""
    x0, nx = block.box.x0, block.box.shape[1]
    before = x0 % OUTPUTS
    after = -(before + nx) % OUTPUTS
    quads = range(x0 // OUTPUTS, (x0 + nx + after) // OUTPUTS)
    if before == after == 0:
        work(block.data, quads)
        return
    padded = np.pad(block.data, ((0, 0), (0, 0), (0, 0), (before, after)))
    work(padded, quads)
    block.data[...] = padded[..., before : before + nx]
