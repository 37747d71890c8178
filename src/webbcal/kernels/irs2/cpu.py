"""The kernels of `reference`, compiled: samples are moved in tiles of columns, so that each line of cache
that is read or written is used whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.irs2.reference import EDGE, F32, F64, Index

#: Columns that are moved together: those of a line of cache.
_TILE = 16


def to_series(frame: F32, mean: F64, section: Index, clock: Index, turned: bool, series: F32) -> None:
    """Put a frame in the order of time; as `reference.to_series`."""
    series = inplace(series, np.float32, 3, "series")
    _to_series(
        readable(frame, np.float32, 2), readable(mean, np.float64, 2), readable(section, np.intp, 1),
        readable(clock, np.intp, 1), turned, series,
    )  # fmt: skip


def remove_trends(series: F32, edge: int = EDGE) -> None:
    """Subtract straight lines; as `reference.remove_trends`."""
    _remove_trends(inplace(series, np.float32, 3, "series"), edge)


def fill_gaps(series: F32, weights: F64) -> None:
    """Fill clocks without a sample; as `reference.fill_gaps`."""
    series = inplace(series, np.float32, 1, "series")
    _fill_gaps(series, series.copy(), readable(weights, np.float64, 1))


def spread(part: F32, held: Index, out: F32) -> None:
    """Hold samples over some clocks; as `reference.spread`."""
    _spread(
        readable(part, np.float32, 2), readable(held, np.intp, 1), inplace(out, np.float32, 2, "out")
    )  # fmt: skip


def from_series(
    series: F32, mean: F64, rows: Index, section: Index, clock: Index, turned: bool, plain: Any, out: F32
) -> None:
    """Put corrected rows back; as `reference.from_series`."""
    _from_series(
        readable(series, np.float32, 3), readable(mean, np.float64, 2), readable(rows, np.intp, 1),
        readable(section, np.intp, 1), readable(clock, np.intp, 1), turned, readable(plain, np.bool_, 1),
        inplace(out, np.float32, 2, "out"),
    )  # fmt: skip


@kernel
def _to_series(frame, mean, section, clock, turned, series):  # type: ignore[no-untyped-def]
    rows, columns = frame.shape
    for start in range(0, columns, _TILE):
        stop = min(start + _TILE, columns)
        for y in range(rows):
            k, c = section[y], clock[y]
            for x in range(start, stop):
                s = columns - 1 - x if turned else x
                series[k, s, c] = np.float32(frame[y, x] - mean[y, x])


@helper
def _trend(part, edge):  # type: ignore[no-untyped-def]
    """Return level and slope of the line through the first and last rows of a section."""
    slow, row = part.shape
    middle = (slow * row - 1) / 2
    n, sx, sy, sxx, sxy = 0, 0.0, 0.0, 0.0, 0.0
    for i in range(2 * edge):
        s = i if i < edge else slow - 2 * edge + i
        for c in range(row):
            y = np.float64(part[s, c])
            if y != 0:
                x = s * row + c - middle
                n, sx, sy, sxx, sxy = n + 1, sx + x, sy + y, sxx + x * x, sxy + x * y
    spread = sxx - sx * sx / n if n else 0.0
    if not spread > 0:
        return np.float32(0), np.float32(0)
    slope = (sxy - sx * sy / n) / spread
    return np.float32((sy - slope * sx) / n), np.float32(slope)


@kernel
def _remove_trends(series, edge):  # type: ignore[no-untyped-def]
    sections, slow, row = series.shape
    middle = (slow * row - 1) / 2
    for k in range(sections):
        level, slope = _trend(series[k], edge)
        for s in range(slow):
            for c in range(row):
                if series[k, s, c] != 0:
                    time = np.float32(s * row + c - middle)
                    series[k, s, c] -= np.float32(level + np.float32(time * slope))


@kernel
def _fill_gaps(series, original, weights):  # type: ignore[no-untyped-def]
    n, half = series.size, weights.size // 2
    for i in range(n):
        if original[i] != 0:
            continue
        total, weight = 0.0, 0.0
        for j in range(-half, half + 1):
            value = original[(i + j) % n]
            if value != 0:
                total += weights[j + half] * value
                weight += weights[j + half]
        if weight != 0:
            series[i] = np.float32(total) / np.float32(weight)


@kernel
def _spread(part, held, out):  # type: ignore[no-untyped-def]
    for s in range(out.shape[0]):
        for c in range(out.shape[1]):
            out[s, c] = part[s, held[c]] if held[c] >= 0 else np.float32(0)


@kernel
def _from_series(series, mean, rows, section, clock, turned, plain, out):  # type: ignore[no-untyped-def]
    columns = out.shape[1]
    for start in range(0, columns, _TILE):
        stop = min(start + _TILE, columns)
        for y in range(out.shape[0]):
            row = rows[y]
            k, c = section[row], clock[row]
            for x in range(start, stop):
                s = columns - 1 - x if turned else x
                value = series[k, s, c]
                out[y, x] = value if plain[y] else np.float32(value + mean[row, x])


def warm_up() -> None:
    """Compile what is not compiled yet."""
    frame, mean, series = np.zeros((1, 2), np.float32), np.zeros((1, 2)), np.zeros((1, 2, 1), np.float32)
    index, plain = np.zeros(1, np.intp), np.zeros(1, np.bool_)
    to_series(frame, mean, index, index, False, series)
    remove_trends(series, 1)
    fill_gaps(series.reshape(-1), np.ones(1))
    spread(series[0], index, series[0].copy())
    from_series(series, mean, index, index, index, False, plain, frame)
