"""Segments of a ramp: where they are, and a line through each (compiled).

The weighted sums of a line fit shrink to one sum of products, because for a given number of groups and
weighting power the coefficients are known beforehand (`settings.weights`).
"""

from __future__ import annotations

import numpy as np

from webbcal.kernels.compiling import helper
from webbcal.kernels.ramp_fit.first_rates import N_SATURATED, UNUSABLE
from webbcal.kernels.ramp_fit.formulas import (
    BAD,
    DNU,
    GOOD_MASK,
    JUMP,
    SATURATED,
    power_index,
    read_noise_variance,
)


@helper
def find_segments(dq, first, ngroups, spans):  # type: ignore[no-untyped-def]
    """Cut a ramp into segments; see `reference._segments`. Return how many, and how many planes."""
    n, longest, start = 0, 0, -1
    for g in range(ngroups + 1):
        good = g < ngroups and (dq[first + g] & GOOD_MASK) == 0
        if good and start < 0:
            start = g - 1 if g > 0 and (dq[first + g - 1] & GOOD_MASK) == JUMP else g
        elif not good and start >= 0:
            if g - start > 1 and longest <= 1:
                n, longest = 0, g - start  # drops the segments of one group found so far
            if g - start > 1 or longest <= 1:
                spans[n, 0], spans[n, 1] = start, g
                n += 1
                longest = max(longest, g - start)
            start = -1
    return (n, n) if longest > 1 else (min(n, 1), n)


@helper
def segments_of(dq, first, ngroups, info, i, spans):  # type: ignore[no-untyped-def]
    """Return the DQ bits that the lack of good groups sets, and the numbers of segments and of planes."""
    if (dq[first] & SATURATED) != 0:
        return BAD, 0, 0
    n, planes = find_segments(dq, first, ngroups, spans)
    if info[i, UNUSABLE] == ngroups:
        return (BAD if info[i, N_SATURATED] == ngroups else DNU), 0, planes
    return np.uint32(0), n, planes


@helper
def _segment_slope(y, first, length, gain, noise, coefficients):  # type: ignore[no-untyped-def]
    """Slope per group of the segment that starts at ``y[first]``."""
    if length == 2:
        return y[first + 1] - y[first]
    p = power_index(y[first + length - 1] - y[first], gain, noise)
    offset = length * (length - 1) // 2
    total = 0.0
    for k in range(length):
        value = y[first + k]
        total += coefficients[0, p, offset + k] * (value if value == value else 0.0)
    # without finite noise there are no weights (a negative gain makes it negative)
    return total if noise != 0.0 and abs(noise) < np.inf else np.nan


@helper
def _segment_line(y, first, start, length, gain, noise, slope, coefficients, moments):  # type: ignore[no-untyped-def]
    """Return error of the slope, intercept at group 0, and its error, for the optional product."""
    if length == 1:
        return 0.0, 0.0, 0.0
    if length == 2:
        error = np.sqrt(2.0) * noise
        return error, y[first + 1] * -np.float64(start) + y[first] * (start + 1.0), error
    if noise == 0.0 or not abs(noise) < np.inf:
        return np.nan, np.nan, np.nan
    noise = abs(noise)
    p = power_index(y[first + length - 1] - y[first], gain, noise)
    offset = length * (length - 1) // 2
    total, spread, mid = moments[0, p, length], moments[1, p, length], start + (length - 1) / 2.0
    mean = 0.0
    for k in range(length):
        value = y[first + k]
        mean += coefficients[1, p, offset + k] * (value if value == value else 0.0)
    mean /= total
    sigyint = noise * np.sqrt((spread + total * mid * mid) / (total * spread))
    return noise / np.sqrt(spread), mean - slope * mid, sigyint


@helper
def _weigh(step, length, gain, noise, photons, time):  # type: ignore[no-untyped-def]
    """Turn the slope per group of a segment into its results and its share in the sums.

    `photons` is the rate that makes photon noise, `time` that of a group. Returns slope, variances (photons,
    read noise), and 1/var_poisson (0 if that is unknown), 1/var_rnoise, 1/var, slope/var_rnoise.
    """
    slope = step / time
    var_poisson = photons / (time * gain * max(length - 1, 1))
    var_rnoise = read_noise_variance(noise, gain, time, length)
    inverse = 1.0 / var_poisson if var_poisson > 0.0 else 0.0
    weight = 1.0 / var_rnoise
    return slope, var_poisson, var_rnoise, inverse, weight, 1.0 / (var_poisson + var_rnoise), slope * weight


@helper
def fit_spans(y, first, spans, n, pixel, group_time, single_time, coefficients, moments, line, sums):  # type: ignore[no-untyped-def]
    """Fit the segments of one integration, and add up their shares.

    `pixel` is gain, noise, and the rate that makes photon noise; `line` is the table of segments to fill for
    the optional product, or empty.
    """
    gain, noise, photons = pixel
    sums[0] = sums[1] = sums[2] = sums[3] = 0.0
    for s in range(n):
        start, length = spans[s, 0], spans[s, 1] - spans[s, 0]
        step, time = y[first + start], single_time
        if length > 1:
            step, time = _segment_slope(y, first + start, length, gain, noise, coefficients), group_time
        slope, var_poisson, var_rnoise, poisson, rnoise, both, weighted = _weigh(
            step, length, gain, noise, photons, time
        )
        sums[0] += poisson
        sums[1] += rnoise
        sums[2] += both
        sums[3] += weighted
        if line.shape[0] > 0:
            line[s, 0], line[s, 2], line[s, 3], line[s, 6] = slope, var_poisson, var_rnoise, rnoise
            line[s, 1], line[s, 4], line[s, 5] = _segment_line(
                y, first + start, start, length, gain, noise, step, coefficients, moments
            )
