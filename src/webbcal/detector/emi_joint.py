"""emicorr, joint algorithm: phase and amplitude of a known wave that make ramps as straight as can be.

Used are pixels without flags whose samples scatter no more than twice as much as those of the median pixel:
neither bad nor bright. Three passes over the raw samples, in parallel: the median of the scatter, and sums of
the ramps by the phase at which they are sampled; nothing that is kept grows with the exposure but a few
numbers for each integration.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.core.miri_clocks import CLOCK, OUTPUTS
from webbcal.detector.emi_waves import Seen, SplineWave, pixel_phases
from webbcal.kernels.interference.joint import Parabolas, fit, parabolas
from webbcal.kernels.interference.median import passing_median
from webbcal.kernels.interference.waves import Spline
from webbcal.run.engine.blocks import RampBlock, chunks

interference = kernels.get("interference")

#: Bytes of samples that are looked at at once, of deviations that are kept, and of sums of ramps.
_LOOK_BYTES, _DEVIATION_BYTES, _SUM_BYTES = 8 << 20, 32 << 20, 64 << 20
#: Groups of four columns that are not to be trusted.
_BAD_QUADS = (1, 2)


@dataclass
class _Deviations:
    """The scatter of ramps, kept while it is small."""

    seen: Seen
    kept: dict[tuple[Box, range], NDArray[np.float32]] = field(default_factory=dict)

    def of(self, block: RampBlock) -> NDArray[np.float32]:
        key = (block.box, block.ints)
        found = self.kept.get(key)
        if found is None:
            found = interference.deviations(block.data)
            pixels = len(self.seen.survey.ints) * self.seen.survey.frame.shape[0] * self.seen.columns
            if 4 * pixels <= _DEVIATION_BYTES:
                self.kept[key] = found
        return found


def measure_joint(seen: Seen, frequency: float, wave: NDArray[Any], separately: bool) -> SplineWave:
    """Fit a wave to an exposure.

    Parameters
    ----------
    seen : Seen
    frequency : float
        Hz.
    wave : ndarray
        Its values at the middle of equal parts of a period.
    separately : bool
        Fit each integration by itself.
    """
    clocks, period, spline = seen.clocks, (1.0 / frequency) / CLOCK, Spline.through(wave)
    step = (clocks.frame / period) % 1
    tasks = _tasks(seen)
    deviations = _Deviations(seen)
    limit = 2 * _median_deviation(seen, deviations, tasks)
    parts = [
        parabolas(*_sums(seen, deviations, ints, limit, period, len(wave)), spline, step)
        for ints in chunks(seen.survey.ints, _SUM_BYTES // (8 * len(wave) * clocks.groups))
    ]
    between = step * clocks.groups + clocks.reset / period
    return SplineWave(clocks, period, spline, fit(Parabolas.joined(parts), between, separately))


def _tasks(seen: Seen, ints: range | None = None) -> list[tuple[Box, range]]:
    """Return what is looked at at once: some rows of an integration, or some integrations."""
    frame = seen.survey.frame
    row = 4 * seen.clocks.groups * frame.shape[1]
    rows = min(frame.shape[0], max(1, _LOOK_BYTES // row))
    some = max(1, _LOOK_BYTES // (row * frame.shape[0]))
    whole = seen.survey.ints if ints is None else ints
    return [(band, part) for part in chunks(whole, some) for band in frame.bands(rows)]


def _median_deviation(seen: Seen, deviations: _Deviations, tasks: list[tuple[Box, range]]) -> np.float32:
    def pieces(work: Callable[[NDArray[np.float32]], Any]) -> list[Any]:
        def one(task: tuple[Box, range]) -> Any:
            known = deviations.kept.get(task)
            return work(deviations.of(seen.block(*task)) if known is None else known)

        return seen.survey.map(one, tasks)

    return passing_median(pieces)


def _sums(
    seen: Seen, deviations: _Deviations, ints: range, limit: np.float32, period: float, nphases: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of good ramps by phase, and how many they are, for some integrations."""
    sums = np.zeros((len(ints), seen.clocks.groups, nphases))
    counts = np.zeros((len(ints), nphases))
    quads = range(seen.columns // OUTPUTS)
    lock = threading.Lock()

    def add(task: tuple[Box, range]) -> None:
        box, part = task
        block = seen.block(box, part)
        good = (deviations.of(block) < limit) & (block.pixeldq == 0)
        phases = pixel_phases(seen.clocks, period, range(box.y0, box.y1), quads)
        place = (phases * nphases).astype(np.intp)
        place[:, list(_BAD_QUADS)] = -1
        here = np.zeros((len(part), *sums.shape[1:])), np.zeros((len(part), nphases))
        interference.gather(block.data, good, place, *here)
        which = slice(part.start - ints.start, part.stop - ints.start)
        with lock:
            sums[which] += here[0]
            counts[which] += here[1]

    seen.survey.map(add, _tasks(seen, ints))
    return sums, counts
