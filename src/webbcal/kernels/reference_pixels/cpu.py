"""The inner loops of the reference-pixel correction, compiled: see `reference` for their definition.

Sums follow NumPy's pairwise order, so that means agree with it to the last bit. Where the definition
computes in float32, every operation is rounded to float32 after being done in float64: that gives the
same result as float32 arithmetic, and one compiled function serves both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import helper, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

_BLOCK = 128  # NumPy's block of pairwise summation
_DEPTH = 64  # no sum can be halved more often


def clipped_means(values: F32, single: Mask, limit: float) -> F64:
    """Mean of each row after iterative sigma clipping; as `reference.clipped_means`."""
    out = np.empty(len(values), np.float64)
    _clipped_means(readable(values, np.float32, 2), readable(single, np.bool_, 1), float(limit), out)
    return out


def running_medians(side: F32, good: Mask, offsets: F64, single: Mask, length: int) -> F64:
    """Running median along the rows of a side strip; as `reference.running_medians`."""
    out = np.empty(side.shape[:2], np.float64)
    side, good = readable(side, np.float32, 3), readable(good, np.bool_, 2)
    offsets, single = readable(offsets, np.float64, 2), readable(single, np.bool_, 1)
    _running_medians(side, good, offsets, single, length, out)
    return out


def subtract(data: F32, fast: F64, slow: F64, channel: Index, single: Mask, fast_is_x: bool) -> None:
    """Subtract one value a detector column, then one a detector row; as `reference.subtract`."""
    data = inplace(data, np.float32, 4, "data")
    fast, slow = readable(fast, np.float64, 3), readable(slow, np.float64, 4)
    _subtract(data, fast, slow, readable(channel, np.intp, 1), readable(single, np.bool_, 2), fast_is_x)


def subtract_outputs(data: F32, drift: F32, y0: int, x0: int) -> None:
    """Subtract the drifts of outputs that take turns; as `reference.subtract_outputs`."""
    if drift.shape[:3] != (*data.shape[:2], 2):
        raise ValueError(f"drifts of {drift.shape[:3]} do not go with data of {data.shape}")
    _subtract_outputs(inplace(data, np.float32, 4, "data"), readable(drift, np.float32, 4), y0, x0)


@helper
def _round(x, single):  # type: ignore[no-untyped-def]
    return np.float64(np.float32(x)) if single else x


@helper
def _block_sum(v, start, n, single, r):  # type: ignore[no-untyped-def]
    """Sum of at most `_BLOCK` samples: eight running sums (in `r`), then the rest, in NumPy's order."""
    total = 0.0
    done = 0
    if n >= 8:
        for k in range(8):
            r[k] = v[start + k]
        done = n - n % 8
        for j in range(8, done, 8):
            for k in range(8):
                r[k] = _round(r[k] + v[start + j + k], single)
        low = _round(_round(r[0] + r[1], single) + _round(r[2] + r[3], single), single)
        high = _round(_round(r[4] + r[5], single) + _round(r[6] + r[7], single), single)
        total = _round(low + high, single)
    for j in range(done, n):
        total = _round(total + v[start + j], single)
    return total


@helper
def _pairwise_sum(v, n, single, stack, sums):  # type: ignore[no-untyped-def]
    """Sum of the first `n` samples, halved recursively down to blocks.

    Here with a stack: its rows are first sample, number and state of a half, ``sums[0]`` its first result.
    """
    begin, count, state, first = stack[0], stack[1], stack[2], sums[0]
    begin[0], count[0], state[0], depth, result = 0, n, 0, 0, 0.0
    while depth >= 0:
        size = count[depth]
        if size <= _BLOCK:
            result = _block_sum(v, begin[depth], size, single, sums[1])
            depth -= 1
            continue
        half = size // 2
        half -= half % 8
        if state[depth] == 0:  # go into the first half
            state[depth] = 1
            begin[depth + 1], count[depth + 1], state[depth + 1] = begin[depth], half, 0
            depth += 1
        elif state[depth] == 1:  # first half known: go into the second
            first[depth] = result
            state[depth] = 2
            begin[depth + 1], count[depth + 1], state[depth + 1] = begin[depth] + half, size - half, 0
            depth += 1
        else:
            result = _round(first[depth] + result, single)
            depth -= 1
    return result


@kernel
def _clipped_means(values, single, limit, out):  # type: ignore[no-untyped-def]
    v, squares = np.empty(values.shape[1], np.float64), np.empty(values.shape[1], np.float64)
    stack, sums = np.empty((3, _DEPTH), np.int64), np.empty((2, _DEPTH), np.float64)
    for m in range(values.shape[0]):
        n = values.shape[1]
        low, high, nan = np.inf, -np.inf, False
        for k in range(n):
            v[k] = np.float64(values[m, k])
            low = v[k] if v[k] < low else low
            high = v[k] if v[k] > high else high
            nan |= v[k] != v[k]
        if nan or n == 0:
            out[m] = np.nan
        elif low == high:  # all equal
            out[m] = low
        else:
            out[m] = _clipped_mean(v, squares, n, single[m], limit, stack, sums)


@helper
def _clipped_mean(v, squares, n, single, limit, stack, sums):  # type: ignore[no-untyped-def]
    while True:
        mean = _round(_pairwise_sum(v, n, single, stack, sums) / n, single)
        for k in range(n):
            difference = _round(v[k] - mean, single)
            squares[k] = _round(difference * difference, single)
        variance = _round(_pairwise_sum(squares, n, single, stack, sums) / n, single)
        reach = _round(_round(np.sqrt(variance), single) * _round(limit, single), single)
        low, high = _round(mean - reach, single), _round(mean + reach, single)
        kept = 0
        for k in range(n):
            if v[k] >= low and v[k] <= high:
                v[kept] = v[k]
                kept += 1
        if kept == 0:
            return np.nan
        if kept == n:
            return mean
        n = kept


@kernel
def _running_medians(side, good, offsets, single, length, out):  # type: ignore[no-untyped-def]
    groups, n, width = side.shape
    half = length // 2
    values = np.empty((n, width), np.float64)
    window = np.empty(length * width, np.float64)  # the samples under the window, sorted
    for m in range(groups):
        for r in range(n):
            for k in range(width):
                values[r, k] = _round(np.float64(side[m, r, k]) - offsets[m, k], single[m])
        count, nans = 0, 0
        for r in range(-half, n - half + length - 1):
            row = _mirrored(r, n)
            for k in range(width):
                if good[row, k]:
                    if np.isnan(values[row, k]):
                        nans += 1
                    else:
                        count = _insert(window, count, values[row, k])
            centre = r - length + 1 + half
            if centre < 0:
                continue
            out[m, centre] = np.nan if nans > 0 else _middle(window, count, single[m])
            row = _mirrored(r - length + 1, n)
            for k in range(width):
                if good[row, k]:
                    if np.isnan(values[row, k]):
                        nans -= 1
                    else:
                        count = _remove(window, count, values[row, k])


@helper
def _mirrored(row, n):  # type: ignore[no-untyped-def]
    row = abs(row)
    return 2 * (n - 1) - row if row >= n else row


@helper
def _insert(window, count, value):  # type: ignore[no-untyped-def]
    k = count
    while k > 0 and window[k - 1] > value:
        window[k] = window[k - 1]
        k -= 1
    window[k] = value
    return count + 1


@helper
def _remove(window, count, value):  # type: ignore[no-untyped-def]
    k = 0
    while window[k] != value:
        k += 1
    for j in range(k, count - 1):
        window[j] = window[j + 1]
    return count - 1


@helper
def _middle(window, count, single):  # type: ignore[no-untyped-def]
    if count == 0:
        return np.nan
    if count % 2:
        return window[count // 2]
    return _round(_round(window[count // 2 - 1] + window[count // 2], single) / 2, single)


@kernel
def _subtract(data, fast, slow, channel, single, fast_is_x):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, nx = data.shape
    first, second = np.empty(nx, np.float64), np.empty(nx, np.float64)
    for i in range(nints):
        for g in range(ngroups):
            if fast_is_x:
                for x in range(nx):
                    first[x] = fast[i, g, x]
            for y in range(ny):
                if fast_is_x:
                    for x in range(nx):
                        second[x] = slow[i, g, channel[x], y]
                else:
                    value, values = fast[i, g, y], slow[i, g, channel[y]]
                    for x in range(nx):
                        first[x], second[x] = value, values[x]
                _subtract_row(data[i, g, y], first, second, single[i, g])


@helper
def _subtract_row(row, first, second, single):  # type: ignore[no-untyped-def]
    if single:
        for x in range(row.size):
            partial = np.float32(np.float64(row[x]) - first[x])
            row[x] = np.float32(np.float64(partial) - second[x])
    else:
        for x in range(row.size):
            row[x] = np.float32((np.float64(row[x]) - first[x]) - second[x])


@kernel
def _subtract_outputs(data, drift, y0, x0):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, nx = data.shape
    lines = np.empty((2, nx), np.float32)
    for i in range(nints):
        for g in range(1, ngroups):
            for x in range(nx):
                output = (x + x0) % drift.shape[3]
                lines[0, x], lines[1, x] = drift[i, g, 0, output], drift[i, g, 1, output]
            for y in range(ny):
                row, first, line = data[i, g, y], data[i, 0, y], lines[(y + y0) % 2]
                for x in range(nx):
                    row[x] = ((row[x] - first[x]) - line[x]) + first[x]


def warm_up() -> None:
    """Compile what is not compiled yet."""
    single, channel = np.ones(1, np.bool_), np.zeros(1, np.intp)
    clipped_means(np.zeros((1, 1), np.float32), single, 3.0)
    running_medians(np.zeros((1, 3, 1), np.float32), np.ones((3, 1), np.bool_), np.zeros((1, 1)), single, 3)
    data, slow = np.zeros((1, 1, 1, 1), np.float32), np.zeros((1, 1, 1, 1))
    subtract(data, slow[0], slow, channel, single[np.newaxis], True)
    subtract_outputs(data, np.zeros((1, 1, 2, 1), np.float32), 0, 0)
