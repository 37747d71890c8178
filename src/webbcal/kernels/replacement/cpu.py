"""Bad pixels from the profiles beside theirs, compiled: see `webbcal.kernels.replacement.reference`.

All sums are in the order of numpy's, in single precision: the search for the scale ends when it has moved
little, and a rounding may decide which step is the last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.replacement.reference import DO_NOT_USE, F32, FAINT, HUGE, NON_SCIENCE, U32

#: The search ends when both its ends and their values are this close, or after so many steps.
_CLOSE, _STEPS = 1e-4, 200


def fit_profiles(data: F32, errors: F32, dq: U32, neighbours: int) -> NDArray[np.bool_]:
    """Estimate the bad pixels of a spectrum, in place; as `reference.fit_profiles`."""
    flags = readable(dq, np.uint32, 2)
    bad, outside = (flags & DO_NOT_USE) != 0, (flags & NON_SCIENCE) != 0
    replaced = np.zeros(data.shape, np.bool_)
    if bad.all():
        return replaced
    rows, columns = np.flatnonzero(~bad.all(axis=1)), np.flatnonzero(~bad.all(axis=0))
    _fit_profiles(
        inplace(data, np.float32, 2, "data"),
        inplace(errors, np.float32, 3, "errors"),
        bad,
        outside,
        neighbours,
        np.array([rows[0], rows[-1] + 1, columns[0], columns[-1] + 1]),
        replaced,
    )
    return replaced


@kernel
def _fit_profiles(data, errors, bad, outside, neighbours, extent, replaced):  # type: ignore[no-untyped-def]
    first, last, low, high = extent
    size, count = high - low, len(errors)
    usable = np.zeros(len(data), np.bool_)
    for n in range(first, last):
        for i in range(low, high):
            usable[n] |= not (bad[n, i] or outside[n, i])
    profile, goal, model = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    scales, beside = np.empty(2 * neighbours, np.float32), np.empty(2 * neighbours, np.int64)
    held = np.empty(2 * neighbours, np.float32)
    stack, parts = np.empty((2, 64), np.int64), np.empty(64, np.float32)
    for n in range(first, last):
        if not usable[n] or not _wants(bad[n], outside[n], low, high):
            continue
        near = 0
        for m in range(max(first, n - neighbours), min(last, n + neighbours + 1)):
            if m != n and usable[m]:
                beside[near] = m
                near += 1
        if near == 0:
            continue
        _find_scales(data, errors, bad, beside[:near], low, high, scales)
        for i in range(size):
            profile[i] = _median_at(data, bad, beside[:near], low + i, scales, held)
        held[:near] = scales[:near]
        normalised = _median(held, _without_nan(held, near)) != np.float32(1)
        scale, factor = _scale(data[n], bad[n], profile, low, high, normalised, goal, model, stack, parts)
        for i in range(size):
            at = low + i
            if bad[n, at]:
                if outside[n, at]:
                    data[n, at] = np.nan
                    continue
                estimate = profile[i] * scale * factor
                data[n, at] = estimate
                replaced[n, at] = estimate == estimate
                for k in range(count):
                    spread = _median_at(errors[k], bad, beside[:near], at, scales, held)
                    errors[k, n, at] = spread * scale * factor


@helper
def _wants(bad, outside, low, high):  # type: ignore[no-untyped-def]
    """Tell whether a profile has pixels to be estimated."""
    wanted = False
    for i in range(low, high):
        wanted |= bad[i] and not outside[i]
    return wanted


@helper
def _find_scales(data, errors, bad, beside, low, high, scales):  # type: ignore[no-untyped-def]
    """Set what profiles are divided by: their greatest absolute value, or 1 for all if all are faint."""
    greatest = np.float32(np.nan)  # of the ratio of signal to noise
    for j in range(len(beside)):
        m, scale = beside[j], np.float32(np.nan)
        for i in range(low, high):
            if bad[m, i]:
                continue
            value = abs(data[m, i])
            if not scale >= value and value == value:
                scale = value
            ratio = abs(data[m, i] / errors[0, m, i])
            if not greatest >= ratio and ratio == ratio:
                greatest = ratio
        scales[j] = scale
    if greatest < FAINT:
        scales[: len(beside)] = np.float32(1)


@helper
def _median_at(values, bad, beside, i, scales, held):  # type: ignore[no-untyped-def]
    """Return the median of a pixel of the profiles beside, each divided by its scale."""
    count = 0
    for j in range(len(beside)):
        if not bad[beside[j], i]:
            value = values[beside[j], i] / scales[j]
            if value == value:
                held[count] = value
                count += 1
    return _median(held, count)


@helper
def _without_nan(values, count):  # type: ignore[no-untyped-def]
    """Move what is no NaN to the front; return how many there are."""
    kept = 0
    for j in range(count):
        if values[j] == values[j]:
            values[kept] = values[j]
            kept += 1
    return kept


@helper
def _median(values, count):  # type: ignore[no-untyped-def]
    """Return the median of the first values, which are put in order; NaN if there are none."""
    if count == 0:
        return np.float32(np.nan)
    for j in range(1, count):
        value, k = values[j], j
        while k > 0 and values[k - 1] > value:
            values[k] = values[k - 1]
            k -= 1
        values[k] = value
    return (values[(count - 1) // 2] + values[count // 2]) / np.float32(2)


@helper
def _scale(  # type: ignore[no-untyped-def]
    own, bad, profile, low, high, normalised, goal, model, stack, parts
):
    """Return the two numbers whose product brings the median profile to a profile."""
    one = np.float32(1)
    count, greatest = 0, np.float32(-np.inf)
    for i in range(low, high):
        if not bad[i] and own[i] == own[i]:
            goal[count], model[count] = own[i], profile[i - low]
            greatest = max(greatest, own[i])
            count += 1
    tallest = largest = start = np.float32(np.nan)
    for j in range(count):
        goal[j], model[j] = goal[j] / greatest, abs(model[j])
        if not start >= goal[j] and goal[j] == goal[j]:
            start = goal[j]
        goal[j] = abs(goal[j])
        if not largest >= goal[j] and goal[j] == goal[j]:
            largest = goal[j]
        if not tallest >= model[j] and model[j] == model[j]:
            tallest = model[j]
    if count == 0 or not (normalised and tallest < HUGE and largest < HUGE):
        return one, one
    return _simplex(goal[:count], model[:count], abs(start), stack, parts), greatest


@helper
def _simplex(goal, model, start, stack, parts):  # type: ignore[no-untyped-def]
    """Return the scale with the least mean square, by the simplex method in one dimension."""
    best = start
    other = np.float32(1.05) * start if start != 0 else np.float32(0.00025)
    f_best, f_other = (
        _mean_square(goal, model, best, stack, parts),
        _mean_square(goal, model, other, stack, parts),
    )
    if f_other < f_best:
        best, other, f_best, f_other = other, best, f_other, f_best
    calls, steps, two, half = 2, 1, np.float32(2), np.float32(0.5)
    while calls < _STEPS and steps < _STEPS:
        if abs(other - best) <= _CLOSE and abs(f_best - f_other) <= _CLOSE:
            break
        reflected = two * best - other
        f = _mean_square(goal, model, reflected, stack, parts)
        calls += 2
        if f < f_best:
            expanded = np.float32(3) * best - two * other
            f_expanded = _mean_square(goal, model, expanded, stack, parts)
            if f_expanded < f:
                other, f_other = expanded, f_expanded
            else:
                other, f_other = reflected, f
        else:
            if f < f_other:
                contracted = np.float32(1.5) * best - half * other
                f_contracted = _mean_square(goal, model, contracted, stack, parts)
                taken = f_contracted <= f
            else:
                contracted = half * best + half * other
                f_contracted = _mean_square(goal, model, contracted, stack, parts)
                taken = f_contracted < f_other
            if taken:
                other, f_other = contracted, f_contracted
            else:
                other = best + half * (other - best)
                f_other = _mean_square(goal, model, other, stack, parts)
                calls += 1
        steps += 1
        if f_other < f_best:
            best, other, f_best, f_other = other, best, f_other, f_best
    return best


@helper
def _mean_square(goal, model, scale, stack, parts):  # type: ignore[no-untyped-def]
    """Return the mean square of the differences, those that are NaN counting as 0."""
    count = 0
    for j in range(len(goal)):
        count += goal[j] == goal[j]
    return np.float64(_pairwise(goal, model, scale, stack, parts)) / count


@helper
def _square(goal, model, scale, j):  # type: ignore[no-untyped-def]
    difference = goal[j] - model[j] * scale
    square = difference * difference
    return square if square == square else np.float32(0)


@helper
def _pairwise(goal, model, scale, stack, parts):  # type: ignore[no-untyped-def]
    """Return the sum of squares in the order of numpy: eight sums side by side, long ones by halves.

    `stack` has the sizes of the parts that are being summed, and how many of their halves are; `parts` the
    sums of the first halves.
    """
    top, start = 0, 0
    stack[0, 0], stack[1, 0] = len(goal), 0
    while True:
        size = stack[0, top]
        if size > 128:
            half = size // 2
            half -= half % 8
            top += 1
            stack[0, top], stack[1, top] = half, 0
            continue
        total = _eight(goal, model, scale, start, size)
        start += size
        top -= 1
        while top >= 0 and stack[1, top] == 1:
            total = parts[top] + total
            top -= 1
        if top < 0:
            return total
        parts[top], stack[1, top] = total, 1
        half = stack[0, top] // 2
        half -= half % 8
        stack[0, top + 1], stack[1, top + 1] = stack[0, top] - half, 0
        top += 1


@helper
def _eight(goal, model, scale, start, size):  # type: ignore[no-untyped-def]
    whole = size - size % 8
    if whole == 0:
        total = np.float32(0)
        for j in range(start, start + size):
            total += _square(goal, model, scale, j)
        return total
    a = b = c = d = e = f = g = h = np.float32(0)
    for j in range(start, start + whole, 8):
        a += _square(goal, model, scale, j)
        b += _square(goal, model, scale, j + 1)
        c += _square(goal, model, scale, j + 2)
        d += _square(goal, model, scale, j + 3)
        e += _square(goal, model, scale, j + 4)
        f += _square(goal, model, scale, j + 5)
        g += _square(goal, model, scale, j + 6)
        h += _square(goal, model, scale, j + 7)
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for j in range(whole, size):
        total += _square(goal, model, scale, start + j)
    return total


def warm_up() -> None:
    """Compile what is not compiled yet."""
    data, flags = np.ones((3, 4), np.float32), np.zeros((3, 4), np.uint32)
    flags[1, 1] = DO_NOT_USE
    fit_profiles(data, np.ones((1, 3, 4), np.float32), flags, 1)
