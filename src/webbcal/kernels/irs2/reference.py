"""A raw IRS2 frame as series in time, and back, in plain NumPy: the definition of the compiled kernels.

Series have the shape (sections, slow, row), see `webbcal.kernels.irs2.clocks`; a zero is a clock without a
sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.intp]

#: Rows at either end of a frame on which its trend is fitted.
EDGE = 4


def to_series(frame: F32, mean: F64, section: Index, clock: Index, turned: bool, series: F32) -> None:
    """Put a frame, less the mean of the ramp, in the order of time.

    Parameters
    ----------
    frame : (rows, columns) float32
        Science frame; columns are read one after the other.
    mean : (rows, columns) float64
    section, clock : (rows,) int
        Where each row of the frame goes.
    turned : bool
        The last column is read first.
    series : (sections, columns, row) float32
        Zero; filled.
    """
    values = (frame - mean).astype(np.float32)
    series[section, :, clock] = values[:, ::-1] if turned else values


def remove_trends(series: F32, edge: int = EDGE) -> None:
    """Subtract from each section the straight line through its first and last rows, where there are samples.

    Parameters
    ----------
    series : (sections, slow, row) float32
        Changed in place.
    edge : int
        Rows that are fitted at either end.
    """
    _, slow, row = series.shape
    time = (np.arange(slow * row, dtype=np.float32) - np.float32((slow * row - 1) / 2)).reshape(slow, row)
    for part in series:
        ends = np.r_[0:edge, slow - edge : slow]
        used = part[ends] != 0
        x, y = time[ends][used].astype(np.float64), part[ends][used].astype(np.float64)
        spread = np.sum(x * x) - x.size * x.mean() ** 2 if x.size else 0.0
        if not spread > 0:
            continue
        slope = (np.sum(x * y) - x.size * x.mean() * y.mean()) / spread
        level = np.float32(y.mean() - slope * x.mean())
        part -= np.where(part != 0, level + time * np.float32(slope), np.float32(0))


def fill_gaps(series: F32, weights: F64) -> None:
    """Put the weighted mean of the samples around it at each clock that has none.

    Parameters
    ----------
    series : (n,) float32
        Changed in place; the last clock is followed by the first.
    weights : (2 k + 1,) float64
        Symmetric.
    """
    from scipy.ndimage import convolve1d

    gaps = series == 0
    total = convolve1d(series, weights, mode="wrap")
    weight = convolve1d((~gaps).astype(np.float32), weights, mode="wrap")
    found = gaps & (weight != 0)
    series[found] = total[found] / weight[found]


def spread(part: F32, held: Index, out: F32) -> None:
    """Make a stream in which samples are held over some clocks.

    Parameters
    ----------
    part : (slow, row) float32
        A section.
    held : (row,) int
        Clock whose sample stands at each clock; -1: none.
    out : (slow, row) float32
        Receives the stream, zero where nothing is held.
    """
    out[:] = np.where(held >= 0, part[:, held], np.float32(0))


def from_series(
    series: F32, mean: F64, rows: Index, section: Index, clock: Index, turned: bool, plain: Any, out: F32
) -> None:
    """Put corrected rows back in the order of the science frame.

    Parameters
    ----------
    series : (sections, slow, row) float32
    mean : (frame rows, columns) float64
        The mean of the ramp.
    rows : (rows,) int
        Which rows of the frame are wanted.
    section, clock : (frame rows,) int
        Where each row of the frame comes from.
    turned : bool
    plain : (rows,) bool
        Rows that do not get the mean back.
    out : (rows, columns) float32
        Filled.
    """
    values = series[section[rows], :, clock[rows]]
    values = values[:, ::-1] if turned else values
    out[:] = np.where(np.asarray(plain)[:, None], values, values + mean[rows])
