"""Passes over samples in search of interference, compiled: see `reference` for their definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.intp]


def deviations(data: F32) -> F32:
    """Standard deviation of each ramp's groups; as `reference.deviations`."""
    out = np.empty((len(data), *data.shape[2:]), np.float32)
    _deviations(readable(data, np.float32, 4), out)
    return out


def gather(data: F32, good: NDArray[np.bool_], place: Index, sums: F64, counts: F64) -> None:
    """Add ramps up by phase; as `reference.gather`."""
    sums, counts = inplace(sums, np.float64, 3, "sums"), inplace(counts, np.float64, 2, "counts")
    place = readable(place, np.intp, 2)
    _gather(readable(data, np.float32, 4), readable(good, np.bool_, 3), place, sums, counts)


def subtract_spline(
    data: F32, phase: F64, group_step: float, starts: F64, amplitudes: F64, knots: F64, pieces: F64
) -> None:
    """Subtract a wave that is a cubic spline; as `reference.subtract_spline`."""
    data, phase = inplace(data, np.float32, 4, "data"), readable(phase, np.float64, 2)
    starts, amplitudes = readable(starts, np.float64, 1), readable(amplitudes, np.float64, 1)
    knots, pieces = readable(knots, np.float64, 1), readable(pieces, np.float64, 2)
    _subtract_spline(data, phase, float(group_step), starts, amplitudes, knots, pieces)


def subtract_table(data: F32, starts: F64, rows: F64, columns: F64, period: float, table: F64) -> None:
    """Subtract a wave that is a table; as `reference.subtract_table`."""
    data, starts = inplace(data, np.float32, 4, "data"), readable(starts, np.float64, 2)
    rows, columns = readable(rows, np.float64, 1), readable(columns, np.float64, 1)
    _subtract_table(data, starts, rows, columns, float(period), readable(table, np.float64, 1))


@kernel
def _deviations(data, out):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, nx = data.shape
    n = np.float32(ngroups)
    mean = np.empty(nx, np.float32)
    for i in range(nints):
        for y in range(ny):
            mean[:] = np.float32(0)
            for g in range(ngroups):
                row = data[i, g, y]
                for x in range(nx):
                    mean[x] += row[x]
            for x in range(nx):
                mean[x] = mean[x] / n
            total = out[i, y]
            total[:] = np.float32(0)
            for g in range(ngroups):
                row = data[i, g, y]
                for x in range(nx):
                    d = row[x] - mean[x]
                    total[x] += d * d
            for x in range(nx):
                total[x] = np.sqrt(total[x] / n)


@kernel
def _gather(data, good, place, sums, counts):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, _ = data.shape
    nq = place.shape[1]
    for i in range(nints):
        for y in range(ny):
            for q in range(nq):
                k = place[y, q]
                if k >= 0:
                    for x in range(4 * q, 4 * q + 4):
                        counts[i, k] += np.float64(good[i, y, x])
            for g in range(ngroups):
                row, used, total = data[i, g, y], good[i, y], sums[i, g]
                for q in range(nq):
                    k = place[y, q]
                    if k >= 0:
                        value = 0.0
                        for x in range(4 * q, 4 * q + 4):
                            value += np.float64(row[x]) * np.float64(used[x])
                        total[k] += value


@kernel
def _subtract_spline(data, phase, group_step, starts, amplitudes, knots, pieces):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, _ = data.shape
    n = pieces.shape[1]
    spacing = (knots[n] - knots[0]) / n
    for i in range(nints):
        for g in range(ngroups):
            for y in range(ny):
                row, phases = data[i, g, y], phase[y]
                for q in range(phase.shape[1]):
                    t = phases[q] + group_step * g + starts[i]
                    t -= np.floor(t)
                    k = min(int((t - knots[0]) / spacing), n - 1)
                    d = t - knots[k]
                    wave = ((pieces[0, k] * d + pieces[1, k]) * d + pieces[2, k]) * d + pieces[3, k]
                    wave *= amplitudes[i]
                    for x in range(4 * q, 4 * q + 4):
                        row[x] = np.float32(np.float64(row[x]) - wave)


@kernel
def _subtract_table(data, starts, rows, columns, period, table):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, _ = data.shape
    for i in range(nints):
        for g in range(ngroups):
            for y in range(ny):
                row = data[i, g, y]
                for q in range(len(columns)):
                    t = (starts[i, g] + (rows[y] + columns[q])) / period
                    t -= np.floor(t)
                    wave = table[int(t * period)]
                    for x in range(4 * q, 4 * q + 4):
                        row[x] = np.float32(np.float64(row[x]) - wave)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    data, one = np.ones((1, 3, 1, 4), np.float32), np.zeros(1)
    deviations(data)
    gather(data, np.ones((1, 1, 4), bool), np.zeros((1, 1), np.intp), np.zeros((1, 3, 1)), np.zeros((1, 1)))
    subtract_spline(data, np.zeros((1, 1)), 0.1, one, one, np.array([-0.5, 1.5]), np.zeros((4, 1)))
    subtract_table(data, np.zeros((1, 3)), one, one, 2.0, np.zeros(2))
