"""Saturation flags, compiled: see `webbcal.kernels.saturation.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.kernels.arrays import inplace, optional_inplace, readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.saturation import ATOD_LIMIT

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

_SATURATED = np.uint8(dqflags.group["SATURATED"])
_DO_NOT_USE = np.uint8(dqflags.group["DO_NOT_USE"])
_FLOOR = np.uint8(dqflags.group["AD_FLOOR"] | dqflags.group["DO_NOT_USE"])
_UNUSABLE = np.uint8(_SATURATED | _DO_NOT_USE)
_NO_SAT_CHECK = np.uint32(dqflags.pixel["NO_SAT_CHECK"])
_ZERO = np.float32(0)
_BEYOND = np.float32(ATOD_LIMIT + 1)
_ONE = np.uint8(1)
_NONE = np.uint8(0)
#: Pixels of a row that are passed over together where none of them is saturated: most are.
_SEGMENT = 32


def flag_saturation(
    data: F32,
    groupdq: U8,
    pixeldq: U32,
    threshold: F32,
    threshold_dq: U32,
    *,
    grow: int = 1,
    nframes: int | None = None,
    bias: F32 | None = None,
    zeroframe: F32 | None = None,
) -> None:
    """Flag saturated samples and samples on the A/D floor, in place; as `reference.flag_saturation`."""
    limit, no_check = np.empty(threshold.shape, np.float32), np.empty(threshold.shape, np.bool_)
    _set_limits(
        readable(threshold, np.float32, 2),
        readable(threshold_dq, np.uint32, 2),
        inplace(pixeldq, np.uint32, 2, "pixeldq"),
        limit,
        no_check,
    )
    _flag(
        readable(data, np.float32, 4),
        inplace(groupdq, np.uint8, 4, "groupdq"),
        limit,
        no_check,
        readable(np.zeros_like(limit) if bias is None else bias, np.float32, 2),
        optional_inplace(zeroframe, np.float32, 3, "zeroframe"),
        grow,
        0 if nframes is None else nframes,
    )


@kernel
def _set_limits(threshold, threshold_dq, pixeldq, limit, no_check):  # type: ignore[no-untyped-def]
    """Limits that nothing reaches where saturation cannot be checked; flags of the pixels."""
    for y in range(limit.shape[0]):
        given, flags, pixels, top, unchecked = (
            threshold[y],
            threshold_dq[y],
            pixeldq[y],
            limit[y],
            no_check[y],
        )
        for x in range(top.size):
            usable = given[x] == given[x] and (flags[x] & _NO_SAT_CHECK) == 0
            top[x] = given[x] if usable else _BEYOND
        for x in range(top.size):
            pixels[x] |= flags[x] | (np.uint32(0) if given[x] == given[x] else _NO_SAT_CHECK)
        for x in range(top.size):
            unchecked[x] = given[x] != given[x] or (flags[x] & _NO_SAT_CHECK) != 0


@kernel
def _flag(data, groupdq, limit, no_check, bias, zeroframe, grow, nframes):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, nx = data.shape
    seen = np.empty((ny, nx), np.uint8)
    hits = np.empty((ny, nx), np.uint8)
    hit_rows = np.empty(ny, np.bool_)
    wide = np.empty(nx, np.uint8)
    for i in range(nints):
        _clear(seen)
        for g in range(ngroups):
            _forward(data[i, g], groupdq[i, g], limit, seen, hits, hit_rows)
            _grow(hits, hit_rows, groupdq[i, g], _SATURATED, grow, wide)
        if nframes > 1:
            for g in range(ngroups - 1):
                dilution = (g * nframes + (nframes + 1) / 2) / ((g + 1) * nframes)
                _look_back(
                    data[i, g], groupdq[i, g], groupdq[i, g + 1], limit, no_check, dilution, hits, hit_rows
                )
                _grow(hits, hit_rows, groupdq[i, g], _DO_NOT_USE, grow, wide)
        if nframes > 0 and ngroups > 2:
            _second_group(data[i], groupdq[i], limit, bias, nframes)
    for i in range(zeroframe.shape[0]):
        _clear(seen)
        _zeroframe(zeroframe[i], limit, seen, hits, hit_rows)
        _grow(hits, hit_rows, seen, _ONE, grow, wide)
        for y in range(ny):
            for x in range(nx):
                if seen[y, x]:
                    zeroframe[i, y, x] = _ZERO


@helper
def _clear(image):  # type: ignore[no-untyped-def]
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            image[y, x] = _NONE


@helper
def _forward(plane, flags, limit, seen, hits, hit_rows):  # type: ignore[no-untyped-def]
    """Flag one group; leave in `hits` what is saturated so far and has to grow."""
    for y in range(plane.shape[0]):
        values, dq, top, before, hit = plane[y], flags[y], limit[y], seen[y], hits[y]
        some = _NONE
        # loops over few arrays: the compiler has to know that they are apart
        for x in range(values.size):
            before[x] |= np.uint8(values[x] >= top[x])
        for x in range(values.size):
            dq[x] |= _FLOOR if values[x] <= _ZERO else _NONE
        for x in range(values.size):
            new = np.uint8(dq[x] | (before[x] * _SATURATED))
            dq[x] = new
            hit[x] = np.uint8((new & _SATURATED) // _SATURATED)
            some |= hit[x]
        hit_rows[y] = some != 0


@helper
def _any(flags, start, stop, bit):  # type: ignore[no-untyped-def]
    some = _NONE
    for x in range(start, stop):
        some |= flags[x]
    return (some & bit) != 0


@helper
def _look_back(plane, flags, next_flags, limit, no_check, dilution, hits, hit_rows):  # type: ignore[no-untyped-def]
    """Leave in `hits` the usable samples near saturation whose next group is saturated."""
    for y in range(plane.shape[0]):
        later = next_flags[y]
        hit_rows[y] = _any(later, 0, later.size, _SATURATED)
        if not hit_rows[y]:
            continue
        values, dq, top, hit = plane[y], flags[y], limit[y], hits[y]
        for x in range(values.size):
            factor = 1.0 if no_check[y, x] else dilution
            near = np.float64(values[x]) >= np.float64(top[x]) * factor
            hit[x] = near and (dq[x] & _UNUSABLE) == 0 and (later[x] & _SATURATED) != 0


@helper
def _second_group(ramp, flags, limit, bias, nframes):  # type: ignore[no-untyped-def]
    mean_first, last_third, frames = (nframes + 1) / 2, np.float64(3 * nframes), np.float32(nframes)
    for y in range(ramp.shape[1]):
        for start in range(0, ramp.shape[2], _SEGMENT):
            stop = min(start + _SEGMENT, ramp.shape[2])
            if not _any(flags[2, y], start, stop, _SATURATED):
                continue
            for x in range(start, stop):
                if (flags[2, y, x] & _SATURATED) == 0 or (flags[1, y, x] & _SATURATED) != 0:
                    continue
                first, base, top = ramp[0, y, x], bias[y, x], limit[y, x]
                predicted = np.float64(first - base) / mean_first * last_third + np.float64(base)
                if predicted < np.float64(top) and ramp[1, y, x] - first > (top - first) / frames:
                    flags[1, y, x] |= _DO_NOT_USE


@helper
def _zeroframe(frame, limit, bad, hits, hit_rows):  # type: ignore[no-untyped-def]
    for y in range(frame.shape[0]):
        some = _NONE
        for x in range(frame.shape[1]):
            hits[y, x] = frame[y, x] >= limit[y, x]
            bad[y, x] = hits[y, x] | np.uint8(frame[y, x] <= _ZERO)
            some |= hits[y, x]
        hit_rows[y] = some != 0


@helper
def _grow(hits, hit_rows, flags, bit, grow, wide):  # type: ignore[no-untyped-def]
    """OR `bit` into `flags` within `grow` pixels of each hit: along the row first, then across rows."""
    ny, nx = hits.shape
    for y in range(ny):
        if not hit_rows[y]:
            continue
        row = hits[y]
        for x in range(nx):
            wide[x] = row[x]
        for d in range(1, grow + 1):
            for x in range(nx - d):
                wide[x] |= row[x + d]
            for x in range(d, nx):
                wide[x] |= row[x - d]
        for to in range(max(0, y - grow), min(ny, y + grow + 1)):
            out = flags[to]
            for x in range(nx):
                out[x] |= np.uint8(wide[x] * bit)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    data, groupdq = np.zeros((1, 1, 1, 1), np.float32), np.zeros((1, 1, 1, 1), np.uint8)
    pixeldq, threshold = np.zeros((1, 1), np.uint32), np.ones((1, 1), np.float32)
    flag_saturation(data, groupdq, pixeldq, threshold, pixeldq.copy())
