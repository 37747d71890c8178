"""Linearity correction, compiled: see `webbcal.kernels.polynomial.reference` for the definition.

Everything goes by pieces of a row, so that their coefficients stay in the first-level cache while all groups
of all integrations pass by, and every inner loop runs along the row (vector instructions).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.kernels.arrays import inplace, optional_inplace, readable
from webbcal.kernels.compiling import helper, kernel

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

_SATURATED = np.uint8(dqflags.group["SATURATED"])
_NO_LIN_CORR = np.uint32(dqflags.pixel["NO_LIN_CORR"])
_ZERO = np.float32(0)
_ONE = np.float32(1)
_SEGMENT = 256  # pixels whose frames, in float64, fit in the first-level cache
_PIECE = 512  # pixels whose coefficients do


def linearize(
    data: F32,
    groupdq: U8,
    pixeldq: U32,
    coeffs: F32,
    coeffs_dq: U32,
    *,
    inverse: F32 | None = None,
    nframes: int = 1,
    zeroframe: F32 | None = None,
) -> None:
    """Correct ramps for the detector's non-linearity, in place; as `reference.linearize`."""
    if len(coeffs) < 2:
        raise ValueError(f"a linearity polynomial needs at least 2 coefficients, not {len(coeffs)}")
    data = inplace(data, np.float32, 4, "data")
    groupdq, pixeldq = readable(groupdq, np.uint8, 4), inplace(pixeldq, np.uint32, 2, "pixeldq")
    coeffs, coeffs_dq = readable(coeffs, np.float32, 3), readable(coeffs_dq, np.uint32, 2)
    zeroframe = optional_inplace(zeroframe, np.float32, 3, "zeroframe")
    if inverse is not None and nframes > 1 and data.shape[1] > 1:
        _by_frame(data, groupdq, pixeldq, coeffs, coeffs_dq, readable(inverse, np.float32, 3), nframes)
        _by_group(data[:0], groupdq, pixeldq, coeffs, coeffs_dq, zeroframe)
    else:
        _by_group(data, groupdq, pixeldq, coeffs, coeffs_dq, zeroframe)


@kernel
def _by_group(data, groupdq, pixeldq, coeffs, coeffs_dq, zeroframe):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, nx = data.shape
    c = np.empty((coeffs.shape[0], _PIECE), np.float32)
    work, bad = np.empty(_PIECE, np.float32), np.empty(_PIECE, np.uint8)
    for y in range(ny):
        for x0 in range(0, nx, _PIECE):
            x1 = min(x0 + _PIECE, nx)
            _prepare_row(coeffs, coeffs_dq[y], pixeldq[y], y, x0, x1 - x0, c, bad)
            for i in range(nints):
                for g in range(ngroups):
                    values = data[i, g, y, x0:x1]
                    _horner(values, c, work)
                    _replace(values, work, groupdq[i, g, y, x0:x1])
            for i in range(zeroframe.shape[0]):
                values = zeroframe[i, y, x0:x1]
                _horner(values, c, work)
                for x in range(values.size):
                    old, new = values[x], work[x]  # both loaded first: a select, not a branch
                    values[x] = old if old == _ZERO else new


@helper
def _replace(values, new, dq):  # type: ignore[no-untyped-def]
    """Put new values in the place of those that are not saturated; most segments have none that is."""
    some = np.uint8(0)
    for x in range(values.size):
        some |= dq[x]
    if (some & _SATURATED) == 0:
        for x in range(values.size):
            values[x] = new[x]
        return
    for x in range(values.size):
        before, after = values[x], new[x]
        values[x] = before if (dq[x] & _SATURATED) != 0 else after


@helper
def _prepare_row(coeffs, coeffs_dq, pixeldq, y, x0, n, c, bad):  # type: ignore[no-untyped-def]
    """Copy coefficients of `n` pixels from row `y`, column `x0` on into `c`; unusable ones: identity, a flag.

    `bad` is scratch space, a byte a pixel.
    """
    dq, pixels = coeffs_dq[x0 : x0 + n], pixeldq[x0 : x0 + n]
    for x in range(n):
        bad[x] = np.uint8(0)
    for j in range(c.shape[0]):
        source, row = coeffs[j, y, x0 : x0 + n], c[j]
        for x in range(n):
            row[x] = source[x]
            bad[x] |= np.uint8(np.isnan(source[x]))
    linear = c[1]
    for x in range(n):
        bad[x] |= np.uint8(linear[x] == _ZERO)
        pixels[x] |= dq[x] | (_NO_LIN_CORR if bad[x] else np.uint32(0))
        bad[x] |= np.uint8((dq[x] & _NO_LIN_CORR) != 0)
    for j in range(c.shape[0]):
        row, identity = c[j], _ONE if j == 1 else _ZERO
        for x in range(n):
            old = row[x]
            row[x] = identity if bad[x] != 0 else old


@helper
def _horner(values, c, out):  # type: ignore[no-untyped-def]
    """Polynomial of a row into `out`, in the precision of `values`; four terms at a time if there are."""
    k = c.shape[0] - 1
    top = c[k]
    if k >= 4:
        c1, c2, c3, c4 = c[k - 1], c[k - 2], c[k - 3], c[k - 4]
        for x in range(values.size):
            v = values[x]
            out[x] = (((top[x] * v + c1[x]) * v + c2[x]) * v + c3[x]) * v + c4[x]
        k -= 4
    else:
        c1 = c[k - 1]
        for x in range(values.size):
            out[x] = top[x] * values[x] + c1[x]
        k -= 1
    while k >= 4:
        c1, c2, c3, c4 = c[k - 1], c[k - 2], c[k - 3], c[k - 4]
        for x in range(values.size):
            v = values[x]
            out[x] = (((out[x] * v + c1[x]) * v + c2[x]) * v + c3[x]) * v + c4[x]
        k -= 4
    while k > 0:
        k -= 1
        term = c[k]
        for x in range(values.size):
            out[x] = out[x] * values[x] + term[x]


@kernel
def _by_frame(data, groupdq, pixeldq, coeffs, coeffs_dq, inverse, nframes):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, nx = data.shape
    for y in range(ny):
        for x0 in range(0, nx, _SEGMENT):
            n = min(_SEGMENT, nx - x0)
            x1 = x0 + n
            c, b = np.empty((coeffs.shape[0], n), np.float32), np.empty((inverse.shape[0], n), np.float32)
            bad = np.empty(n, np.uint8)
            _prepare_row(coeffs, coeffs_dq[y], pixeldq[y], y, x0, n, c, bad)
            _prepare_row(inverse, coeffs_dq[y], pixeldq[y], y, x0, n, b, bad)
            first, rate = np.empty(n, np.float32), np.empty(n, np.float64)
            work = np.empty((nframes + 2, n), np.float64)
            wide_c, wide_b = c.astype(np.float64), b.astype(np.float64)  # converted once, not in each frame
            for i in range(nints):
                _line_of_row(data[i, :, y, x0:x1], groupdq[i, :, y, x0:x1], c, nframes, first, rate)
                for g in range(ngroups):
                    values, flags = data[i, g, y, x0:x1], groupdq[i, g, y, x0:x1]
                    _segment(values, flags, wide_c, wide_b, first, rate, g, nframes, work)


@helper
def _segment(values, flags, c, b, first, rate, g, nframes, work):  # type: ignore[no-untyped-def]
    """Correct one group of a piece of a row; `work` holds its frames, their mean and a scratch row."""
    mean, scratch = work[nframes], work[nframes + 1]
    for x in range(values.size):
        mean[x] = 0.0
    for k in range(nframes):
        since = np.float64(g * nframes + 1 + k) - (nframes + 1) / 2
        for x in range(values.size):
            scratch[x] = np.float64(first[x]) + rate[x] * since
        _horner(scratch, b, work[k])
        for x in range(values.size):
            mean[x] += work[k, x]
    for x in range(values.size):
        mean[x] = np.float64(values[x]) - mean[x] / nframes  # how far the line is off in this group
    for k in range(nframes):
        for x in range(values.size):
            work[k, x] += mean[x]
    for x in range(values.size):
        mean[x] = 0.0
    for k in range(nframes):
        _horner(work[k], c, scratch)
        for x in range(values.size):
            mean[x] += scratch[x]
    for x in range(values.size):
        old, new = values[x], np.float32(mean[x] / nframes)
        values[x] = old if (flags[x] & _SATURATED) != 0 else new


@helper
def _line_of_row(ramp, flags, c, nframes, first, rate):  # type: ignore[no-untyped-def]
    """Straight line per pixel: linear value of the first group, and slope per frame to the last good one."""
    ngroups, nx = ramp.shape
    for x in range(nx):
        usable = 0
        for g in range(ngroups):
            usable += 1 if (flags[g, x] & _SATURATED) == 0 else 0
        last = max(usable - 1, 2) - 1
        first[x] = _sample(ramp[0, x], flags[0, x], c, x)
        end = _sample(ramp[last, x], flags[last, x], c, x)
        rate[x] = np.float64(end - first[x]) / np.float64(last * nframes)


@helper
def _sample(value, flags, c, x):  # type: ignore[no-untyped-def]
    if (flags & _SATURATED) != 0:
        return value
    result = c[c.shape[0] - 1, x] * value
    for j in range(c.shape[0] - 2, 0, -1):
        result = (result + c[j, x]) * value
    return result + c[0, x]


def warm_up() -> None:
    """Compile what is not compiled yet."""
    data, groupdq = np.zeros((1, 2, 1, 1), np.float32), np.zeros((1, 2, 1, 1), np.uint8)
    dq, coeffs = np.zeros((1, 1), np.uint32), np.ones((2, 1, 1), np.float32)
    linearize(data, groupdq, dq, coeffs, dq.copy(), inverse=coeffs, nframes=2)
