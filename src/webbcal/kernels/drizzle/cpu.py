"""Drizzling with the square kernel, compiled: see `webbcal.kernels.drizzle.reference` for the definition.

Most pixels, where input and output have about the same scale and direction, cover the meeting point of four
output pixels, with a corner in each. Their overlaps follow from where the sides cross the two lines through
that point, without a branch, for many pixels at once; then they are dropped one by one. All others are the
sums of areas below their sides, as in the reference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.drizzle.reference import F32, F64, LEAST

#: Rows and columns of output pixels whose overlaps are computed together.
_BLOCK = 8


def drizzle(
    values: F32,
    weight: F32,
    dq: NDArray[np.uint32],
    x: F64,
    y: F64,
    pixfrac: float,
    sums: F32,
    flags: NDArray[np.uint32],
) -> None:
    """Drop the pixels of an image on a part of the output grid, in place; as `reference.drizzle`."""
    _drizzle(
        readable(values, np.float32, 3),
        readable(weight, np.float32, 2),
        readable(dq, np.uint32, 2),
        readable(x, np.float64, 2),
        readable(y, np.float64, 2),
        0.5 * pixfrac,
        inplace(sums, np.float32, 3, "sums"),
        inplace(flags, np.uint32, 2, "flags"),
    )


@kernel
def _drizzle(values, weight, dq, x, y, h, sums, flags):  # type: ignore[no-untyped-def]
    ny, nx, planes = values.shape
    cx, cy = np.empty((4, nx)), np.empty((4, nx))
    shares, place = np.empty((4, nx), np.float32), np.empty(nx, np.int64)
    overlaps = np.empty((_BLOCK, _BLOCK))
    for j in range(ny):
        _corners(x[j], x[j + 1], x[j + 2], h, cx)
        _corners(y[j], y[j + 1], y[j + 2], h, cy)
        a, b, c, d = _order(cx, cy, nx // 2)
        _four_shares(
            x[j + 1], y[j + 1], cx[a], cx[b], cx[c], cx[d], cy[a], cy[b], cy[c], cy[d], weight[j],
            sums.shape, shares[0], shares[1], shares[2], shares[3], place,
        )  # fmt: skip
        if planes == 4:  # that the number is known makes it twice as fast
            _drop_on_four(values[j], dq[j], shares, place, 4, sums, flags)
        elif planes == 1:
            _drop_on_four(values[j], dq[j], shares, place, 1, sums, flags)
        else:
            _drop_on_four(values[j], dq[j], shares, place, planes, sums, flags)
        _drop_others(values[j], dq[j], weight[j], x[j + 1], y[j + 1], cx, cy, place, overlaps, sums, flags)


@helper
def _near(x, y, nx, ny):  # type: ignore[no-untyped-def]
    # A pixel of the input covers far less than this, and comparisons with NaN are false.
    return -64.0 < x < nx + 64.0 and -64.0 < y < ny + 64.0


@helper
def _corners(below, own, above, h, out):  # type: ignore[no-untyped-def]
    """Set one coordinate of the corners of all pixels of a row."""
    far, side, near = h * h, h * (1 - h), (1 - h) * (1 - h)
    for i in range(out.shape[1]):
        middle = near * own[i + 1]
        left, right = side * own[i], side * own[i + 2]
        down, up = side * below[i + 1], side * above[i + 1]
        out[0, i] = left + middle + far * above[i] + up
        out[1, i] = middle + right + up + far * above[i + 2]
        out[2, i] = down + far * below[i + 2] + middle + right
        out[3, i] = far * below[i] + down + left + middle


@helper
def _order(cx, cy, i):  # type: ignore[no-untyped-def]
    """Return which corners of a pixel are lower left, lower right, upper right, upper left in the output."""
    lowest = right = 0
    for k in range(1, 4):
        if cx[k, i] + cy[k, i] < cx[lowest, i] + cy[lowest, i]:
            lowest = k
        if cx[k, i] - cy[k, i] > cx[right, i] - cy[right, i]:
            right = k
    return lowest, right, (lowest + 2) & 3, (right + 2) & 3


@helper
def _four_shares(  # type: ignore[no-untyped-def]
    x, y, ax, bx, cx, dx, ay, by, cy, dy, weight, shape, low_left, low_right, up_right, up_left, place
):
    """Set the weights with which pixels are dropped on the four that meet near their centres.

    `place` is that of the lower left of the four, or -1 where a corner (a, b, c, d) is not in its quadrant.
    """
    rows, columns = shape[0] - 1, shape[1] - 1
    for i in range(len(weight)):
        u, v = np.floor(x[i + 1]), np.floor(y[i + 1])
        x0, x1, x2, x3 = ax[i] - u - 0.5, bx[i] - u - 0.5, cx[i] - u - 0.5, dx[i] - u - 0.5
        y0, y1, y2, y3 = ay[i] - v - 0.5, by[i] - v - 0.5, cy[i] - v - 0.5, dy[i] - v - 0.5
        simple = (u >= 0) & (u < columns) & (v >= 0) & (v < rows) & (weight[i] != 0)
        simple &= (x0 < 0) & (x1 >= 0) & (x2 >= 0) & (x3 < 0) & (y0 < 0) & (y1 < 0) & (y2 >= 0) & (y3 >= 0)
        simple &= (x0 >= -1) & (x1 <= 1) & (x2 <= 1) & (x3 >= -1)
        simple &= (y0 >= -1) & (y1 >= -1) & (y2 <= 1) & (y3 <= 1)
        place[i] = np.int64(v) * shape[1] + np.int64(u) if simple else -1
        low, up = (x1 * y0 - x0 * y1) / (x1 - x0), (x2 * y3 - x3 * y2) / (x2 - x3)
        left, right = (x0 * y3 - x3 * y0) / (y3 - y0), (x1 * y2 - x2 * y1) / (y2 - y1)
        # Each corner, with the two crossings beside it and the meeting point, makes a quadrilateral.
        s0, s1 = left * y0 + x0 * low, -right * y1 - x1 * low
        s2, s3 = right * y2 + x2 * up, -left * y3 - x3 * up
        density = weight[i] / (s0 + s1 + s2 + s3)
        low_left[i] = s0 * density if s0 > 2 * LEAST else 0.0
        low_right[i] = s1 * density if s1 > 2 * LEAST else 0.0
        up_right[i] = s2 * density if s2 > 2 * LEAST else 0.0
        up_left[i] = s3 * density if s3 > 2 * LEAST else 0.0


@helper
def _drop_on_four(values, dq, shares, place, planes, sums, flags):  # type: ignore[no-untyped-def]
    """Drop those pixels of a row that have a place."""
    flat, flat_flags, columns = sums.reshape(-1), flags.reshape(-1), sums.shape[1]
    for i in range(len(place)):
        if place[i] < 0:
            continue
        for k in range(4):
            add = shares[k, i]
            if add == 0:
                continue
            where = place[i] + columns * (k >> 1) + ((k & 1) ^ (k >> 1))
            first = np.uintp(where * (planes + 1))
            for plane in range(planes):
                flat[first + np.uintp(plane)] += add * values[i, plane]
            flat[first + np.uintp(planes)] += add
            if flat_flags.size:
                flat_flags[where] |= dq[i]


@helper
def _drop_others(  # type: ignore[no-untyped-def]
    values, dq, weight, x, y, cx, cy, place, overlaps, sums, flags
):
    """Drop those pixels of a row that have no place."""
    rows, columns, _ = sums.shape
    for i in range(len(place)):
        if place[i] >= 0 or weight[i] == 0 or not _near(x[i + 1], y[i + 1], columns, rows):
            continue
        u0, u1 = _range(cx[0, i], cx[1, i], cx[2, i], cx[3, i], columns)
        v0, v1 = _range(cy[0, i], cy[1, i], cy[2, i], cy[3, i], rows)
        density = weight[i] / _area(cx[:, i], cy[:, i])
        for v in range(v0, v1 + 1, _BLOCK):
            for u in range(u0, u1 + 1, _BLOCK):
                v_end, u_end = min(v1 + 1, v + _BLOCK), min(u1 + 1, u + _BLOCK)
                _overlap(cx[:, i], cy[:, i], u, v, u_end - u, v_end - v, overlaps)
                _drop(values[i], dq[i], density, overlaps, sums[v:v_end, u:u_end], flags[v:v_end, u:u_end])


@helper
def _drop(values, dq, density, overlaps, sums, flags):  # type: ignore[no-untyped-def]
    """Drop a pixel on a block of output pixels."""
    for v in range(sums.shape[0]):
        for u in range(sums.shape[1]):
            if abs(overlaps[v, u]) > LEAST:
                add = np.float32(overlaps[v, u] * density)
                for plane in range(len(values)):
                    sums[v, u, plane] += add * values[plane]
                sums[v, u, len(values)] += add
                if flags.size:
                    flags[v, u] |= dq


@helper
def _area(x, y):  # type: ignore[no-untyped-def]
    return 0.5 * ((x[1] - x[3]) * (y[0] - y[2]) - (x[0] - x[2]) * (y[1] - y[3]))


@helper
def _range(a, b, c, d, size):  # type: ignore[no-untyped-def]
    """Return the first and the last pixel from the least to the greatest of four; none if one is NaN."""
    if not abs(a + b + c + d) < np.inf:
        return 0, -1
    low, high = min(min(a, b), min(c, d)), max(max(a, b), max(c, d))
    return max(0, int(np.floor(low + 0.5))), min(size - 1, int(np.floor(high + 0.5)))


@helper
def _nearest(value):  # type: ignore[no-untyped-def]
    return int(np.floor(value + 0.5))


@helper
def _overlap(x, y, u, v, columns, rows, overlaps):  # type: ignore[no-untyped-def]
    """Set the overlaps of a pixel with a block of output pixels, from its sides."""
    for row in range(rows):
        for column in range(columns):
            overlaps[row, column] = 0.0
    for k in range(4):
        n = (k + 1) & 3
        _below(x[k] - u, y[k] - v, x[n] - u, y[n] - v, rows, columns, overlaps)


@helper
def _below(x1, y1, x2, y2, rows, columns, overlaps):  # type: ignore[no-untyped-def]
    """Add the area below a segment (positive from left to right) within each of rows × columns pixels."""
    if x1 == x2:
        return
    slope = (y2 - y1) / (x2 - x1)
    left, right = min(x1, x2), max(x1, x2)
    sign = 1.0 if x2 > x1 else -1.0
    for u in range(max(0, _nearest(left)), min(columns - 1, _nearest(right)) + 1):
        low, high = max(left, u - 0.5), min(right, u + 0.5)
        if low >= high:
            continue
        first, last = y1 + slope * (low - x1), y1 + slope * (high - x1)
        width = sign * (high - low)
        for v in range(rows):
            area = _between(first - (v - 0.5), last - (v - 0.5), width)
            if area == 0.0:
                break  # the segment is below this row, and all above
            overlaps[v, u] += area


@helper
def _between(first, last, width):  # type: ignore[no-untyped-def]
    """Area below a straight line from height `first` to `last`, with heights cut to 0…1."""
    low, high = min(first, last), max(first, last)
    if high <= 0.0:
        return 0.0
    if low >= 1.0:
        return width
    if low >= 0.0 and high <= 1.0:
        return 0.5 * (first + last) * width
    rise = high - low
    full = (high - 1.0) / rise if high > 1.0 else 0.0  # share of the width at height 1
    none = -low / rise if low < 0.0 else 0.0  # and at height 0
    return width * (full + 0.5 * (1.0 - full - none) * (max(low, 0.0) + min(high, 1.0)))


def warm_up() -> None:
    """Compile what is not compiled yet."""
    values, sums = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 2), np.float32)
    grid, flags = np.zeros((3, 3)), np.zeros((1, 1), np.uint32)
    drizzle(values, values[:, :, 0], flags, grid, grid, 1.0, sums, flags)
