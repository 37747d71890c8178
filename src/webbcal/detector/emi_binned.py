"""emicorr, sequential algorithm: the wave itself, from what is left of the samples without signal and bias.

Of the first integrations (as many as some periods take), a straight line and a bias are taken off each pixel;
the means of what is left, in bins of phase, are the wave. It is subtracted as it is, or a known wave at its
phase and with its amplitude. (After E. Bergeron's fix_miri_emi; JWST pipeline documentation of emicorr.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.miri_clocks import CLOCK, OUTPUTS, Clocks
from webbcal.detector.emi_waves import Seen, TableWave, frame_starts, quad_times
from webbcal.io.scratch import Room, RoomArray, room_for
from webbcal.kernels.interference.residuals import first_columns, residuals
from webbcal.kernels.interference.waves import matched, resampled

F64 = NDArray[np.float64]

#: Bytes of samples that are looked at at once, and of what is left of them that is kept in memory.
_LOOK_BYTES, _KEPT_BYTES = 16 << 20, 128 << 20
#: Most bins.
_BINS = 500


@dataclass(frozen=True)
class Binning:
    """How the wave is measured (the parameters of emicorr).

    Attributes
    ----------
    integrations, cycles, bins : int or None
        Integrations to use; else, periods that they must contain; bins in a period.
    scaled : bool
        Give a known wave the amplitude that is measured.
    """

    integrations: int | None
    cycles: int | None
    bins: int | None
    scaled: bool

    def integrations_of(self, clocks: Clocks, frame: int, period: float, nints: int) -> int:
        """Return how many integrations to use; `frame` is the clocks of a frame as tables have it."""
        if self.integrations is not None:
            return min(self.integrations, nints)
        if self.cycles is None:
            return nints
        return min(nints, math.ceil(self.cycles * period / (frame * clocks.groups)))

    def bins_of(self, period: float) -> int:
        """Return how many bins a period has."""
        bins = int(period / 2.0) if self.bins is None else self.bins
        return _BINS if bins > _BINS + 1 else bins


def measure_binned(
    seen: Seen, frequency: float, frame: int, wave: NDArray[Any] | None, how: Binning, late: int | None
) -> tuple[TableWave, F64]:
    """Measure a wave.

    Parameters
    ----------
    seen : Seen
    frequency : float
        Hz.
    frame : int
        Clocks of a frame, as tables have it.
    wave : ndarray or None
        The wave, where it is known.
    how : Binning
    late : int or None
        Group of four columns whose samples come late.

    Returns
    -------
    TableWave
    ndarray
        The wave as it was measured, a value for each bin.
    """
    period = (1.0 / frequency) / CLOCK
    ints = range(how.integrations_of(seen.clocks, frame, period, len(seen.survey.ints)))
    binned = _binned(seen, ints, how.bins_of(period), period, late)
    binned -= np.median(binned)
    table = (
        resampled(binned, period)
        if wave is None
        else matched(np.asarray(wave, float), binned, period, how.scaled)
    )
    table = np.where(np.isfinite(table), table, 0.0)
    return TableWave(seen.clocks, period, table, late), binned


def _binned(seen: Seen, ints: range, bins: int, period: float, late: int | None) -> F64:
    """Return the clipped mean of what is left in each bin of phase."""
    from astropy.stats import sigma_clipped_stats

    ny, nq = seen.survey.frame.shape[0], seen.columns // OUTPUTS
    size = 4 * len(ints) * seen.clocks.groups * ny * nq
    room = room_for(size, _KEPT_BYTES, seen.survey.scratch)
    try:
        left = [_left_over(seen, i, room) for i in ints]
        ends = [_sorted_by_phase(seen, i, a, bins, period, late) for i, a in zip(ints, left, strict=True)]

        def values(b: int) -> Iterator[NDArray[np.float32]]:
            for array, cuts in zip(left, ends, strict=True):
                for g, cut in enumerate(cuts):
                    yield array.read(g, slice(int(cut[b]), int(cut[b + 1])))

        means = np.empty(bins)
        for b in range(bins):
            found = np.concatenate(list(values(b))).astype(float)
            means[b] = sigma_clipped_stats(found)[0] if found.size else np.nan
        return means
    finally:
        room.close()


def _left_over(seen: Seen, i: int, room: Room) -> RoomArray:
    """Return what is left of an integration's samples, (groups, rows x columns / 4), each group about 0."""
    frame, groups = seen.survey.frame, seen.clocks.groups
    nq = seen.columns // OUTPUTS
    array = room.allocate((groups, frame.shape[0] * nq), np.float32)

    def look(box: Any) -> None:
        left = residuals(seen.block(box, range(i, i + 1)).data[0])
        first_columns(left)
        array.write(left.reshape(groups, -1), slice(None), slice(box.y0 * nq, box.y1 * nq))

    rows = max(1, _LOOK_BYTES // (4 * groups * frame.shape[1]))
    seen.survey.map(look, frame.bands(rows))
    return array


def _sorted_by_phase(
    seen: Seen, i: int, array: RoomArray, bins: int, period: float, late: int | None
) -> list[NDArray[np.intp]]:
    """Subtract the median of each group, and sort its samples by bin; return where bins begin and end."""
    clocks = seen.clocks
    rows = np.arange(seen.survey.frame.shape[0], dtype=float) * clocks.row
    pixels = rows[:, None] + quad_times(clocks, range(seen.columns // OUTPUTS), late)
    edges = np.array([b / bins for b in range(bins + 1)])
    (starts,) = frame_starts(clocks, [i], range(clocks.groups))

    def sort(g: int) -> NDArray[np.intp]:
        samples = array.read(g)
        samples -= np.median(samples)
        phase = (starts[g] + pixels.reshape(-1)) / period
        phase -= np.floor(phase)
        which = np.searchsorted(edges, phase).astype(np.int16)  # 0: none, since a bin holds its upper end
        array.write(samples[np.argsort(which, kind="stable")], g)
        return np.searchsorted(np.sort(which), np.arange(1, bins + 2))

    return seen.survey.map(sort, range(clocks.groups))
