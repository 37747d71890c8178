"""Passes over samples in search of interference, in plain NumPy: the definition of the compiled kernels.

Four outputs are read at once, so that the columns 4 k to 4 k + 3 are sampled at the same time. Blocks begin
with a column that is a multiple of four.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.intp]

OUTPUTS = 4


def deviations(data: F32) -> F32:
    """Return the standard deviation of each ramp's groups, in float32, (integrations, rows, columns)."""
    return np.std(data, axis=1)


def gather(data: F32, good: NDArray[np.bool_], place: Index, sums: F64, counts: F64) -> None:
    """Add the ramps of good pixels up by the phase at which pixels are sampled, into `sums` and `counts`.

    Parameters
    ----------
    data : (integrations, groups, rows, columns) float32
    good : (integrations, rows, columns) bool
    place : (rows, columns / 4)
        Which sum a pixel belongs to; below 0: to none.
    sums : (integrations, groups, phases) float64
    counts : (integrations, phases) float64
    """
    for output in range(OUTPUTS):
        used, ramps = good[..., output::OUTPUTS], data[..., output::OUTPUTS].astype(np.float64)
        for y, x in np.argwhere(place >= 0):
            sums[:, :, place[y, x]] += ramps[:, :, y, x] * used[:, y, x, None]
            counts[:, place[y, x]] += used[:, y, x]


def subtract_spline(
    data: F32, phase: F64, group_step: float, starts: F64, amplitudes: F64, knots: F64, pieces: F64
) -> None:
    """Subtract a wave that is a cubic spline, in place.

    Parameters
    ----------
    data : (integrations, groups, rows, columns) float32
    phase : (rows, columns / 4) float64
        Phase (0 to 1) of each pixel within a frame.
    group_step : float
        What is added from group to group.
    starts, amplitudes : (integrations,) float64
        What is added in each integration, and the wave's amplitude.
    knots : (n + 1,) float64
        Evenly spaced phases that the pieces lie between, from below 0 to above 1.
    pieces : (4, n) float64
        Coefficients of each cubic, that of the third power first, in phase from the piece's first knot.
    """
    n = pieces.shape[1]
    spacing = (knots[n] - knots[0]) / n
    for i in range(data.shape[0]):
        for g in range(data.shape[1]):
            t = phase + group_step * g + starts[i]
            t -= np.floor(t)
            k = np.minimum(((t - knots[0]) / spacing).astype(np.intp), n - 1)
            d = t - knots[k]
            wave = ((pieces[0, k] * d + pieces[1, k]) * d + pieces[2, k]) * d + pieces[3, k]
            for output in range(OUTPUTS):
                data[i, g, :, output::OUTPUTS] -= amplitudes[i] * wave


def subtract_table(data: F32, starts: F64, rows: F64, columns: F64, period: float, table: F64) -> None:
    """Subtract a wave that is a table, in place.

    Parameters
    ----------
    data : (integrations, groups, rows, columns) float32
    starts : (integrations, groups) float64
        Clocks at which frames begin.
    rows, columns : (rows,) and (columns / 4,) float64
        What is added for each row and for each four columns.
    period : float
        Of the wave, in clocks.
    table : (ceil(period),) float64
        The wave at each clock.
    """
    pixels = rows[:, None] + columns
    for i in range(data.shape[0]):
        for g in range(data.shape[1]):
            phase = (starts[i, g] + pixels) / period
            phase -= np.floor(phase)
            wave = table[(phase * period).astype(np.intp)]
            for output in range(OUTPUTS):
                data[i, g, :, output::OUTPUTS] -= wave
