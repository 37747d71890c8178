"""The inner loops of the reference-pixel correction in plain NumPy: the definition of the compiled ones.

`single` marks groups whose statistics the official pipeline computes in float32; it computes all others
in float64, although the samples are float32 in both. The results differ in the last digits only, but a
sample at the edge of the clipping range can fall on either side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]


def clipped_means(values: F32, single: Mask, limit: float) -> F64:
    """Mean of each row of `values` after iterative sigma clipping.

    Parameters
    ----------
    values : (m, n) float32
        Samples of m groups. The order of samples matters in the last digit.
    single : (m,) bool
        Compute in float32.
    limit : float
        Samples further from the mean than this many standard deviations are dropped, until none is.

    Returns
    -------
    (m,) float64
        NaN if a sample is NaN.
    """
    return np.array(
        [_clipped_mean(v if s else v.astype(np.float64), limit) for v, s in zip(values, single, strict=True)],
        np.float64,
    )


def _clipped_mean(v: NDArray[Any], limit: float) -> Any:
    if np.std(v, dtype=np.float64) == 0:
        return v.mean(dtype=np.float64)
    if np.isnan(v).any():
        return np.nan
    while True:
        mean, reach = np.mean(v), np.std(v) * limit
        kept = v[(v >= mean - reach) & (v <= mean + reach)]
        if kept.size == v.size or kept.size == 0:
            return kept.mean() if kept.size else np.nan
        v = kept


def running_medians(side: F32, good: Mask, offsets: F64, single: Mask, length: int) -> F64:
    """Running median along the rows of a side strip, after its columns' offsets are subtracted.

    Parameters
    ----------
    side : (m, n, 4) float32
        A side strip of m groups, detector frame.
    good : (n, 4) bool
        Samples to use.
    offsets : (m, 4) float64
        Subtracted first (the top and bottom correction of these columns).
    single : (m,) bool
        Round the difference and the median to float32.
    length : int
        Rows in the window; the strip is mirrored at its ends.

    Returns
    -------
    (m, n) float64
        NaN where a window has no good sample.
    """
    n, half = side.shape[1], length // 2
    rows = np.abs(np.arange(-half, n - half + length - 1))  # mirrored at the first row, and at the last
    rows = np.where(rows >= n, 2 * (n - 1) - rows, rows)
    out = np.full(side.shape[:2], np.nan)
    for k, strip in enumerate(side):
        values: NDArray[Any] = strip - offsets[k]
        if single[k]:
            values = values.astype(np.float32)
        for r in range(n):
            window = rows[r : r + length]
            used = values[window][good[window]]
            if used.size:
                out[k, r] = np.median(used)
    return out


def subtract(data: F32, fast: F64, slow: F64, channel: Index, single: Mask, fast_is_x: bool) -> None:
    """Subtract one value a detector column, then one a detector row, from every group, in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, nx) float32
    fast : (nints, ngroups, nfast) float64
        What to subtract at each position along the fast axis (columns of the band if `fast_is_x`, else
        its rows).
    slow : (nints, ngroups, nchannels, nslow) float64
        What to subtract at each position along the slow axis, for each channel.
    channel : (nfast,) int
        Channel of each position along the fast axis.
    single : (nints, ngroups) bool
        Round to float32 between the two.
    fast_is_x : bool
        Orientation of the band.
    """
    for i in range(data.shape[0]):
        for g in range(data.shape[1]):
            plane = data[i, g] if fast_is_x else data[i, g].T  # rows: slow, columns: fast
            partial: NDArray[Any] = plane - fast[i, g]
            if single[i, g]:
                partial = partial.astype(np.float32)
            plane[:] = partial - slow[i, g][channel].T


def subtract_outputs(data: F32, drift: F32, y0: int, x0: int) -> None:
    """Subtract the drifts of outputs that take turns from column to column (MIRI), in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, columns) float32
        All groups: the first is what the others are compared with, and stays as it is.
    drift : (nints, ngroups, 2, noutputs) float32
        By parity of the detector's row, and output.
    y0, x0 : int
        Row and column of the detector of the first pixel.
    """
    outputs = (np.arange(data.shape[3]) + x0) % drift.shape[3]
    for ramp, drifts in zip(data, drift, strict=True):
        first = ramp[0].copy()
        for group, values in zip(ramp[1:], drifts[1:], strict=True):
            group -= first
            for row in (0, 1):
                group[row::2] -= values[(y0 + row) % 2, outputs]
            group += first
