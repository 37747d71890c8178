"""Ramp fitting, compiled.

A row is worked on in blocks of `LANES` pixels, in stages: gather the ramps of a block, sort their differences
for the median rate (all lanes at once, see `sortnet`), fit each lane from a small buffer, store the block.
The weighted sums of a line fit shrink to one sum of products, because for a given number of groups and
weighting power the coefficients are known beforehand (`settings.weights`).

Functions that run once a pixel take plain arrays and indices: slices and named tuples of arrays cost
reference counting, many atomic operations a pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.ramp_fit.results import Fit, RampFit, SegmentFits, Shares, empty_shares
from webbcal.kernels.ramp_fit.settings import (
    LARGE_VARIANCE,
    SNR_LIMITS,
    RampFitSettings,
    check_band,
    weights,
)
from webbcal.kernels.sortnet import LANES, middle, sort_columns

DNU, SATURATED, JUMP = (np.uint32(dqflags.pixel[name]) for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))
PERSISTENCE, CHARGELOSS = (np.uint32(dqflags.pixel[name]) for name in ("PERSISTENCE", "CHARGELOSS"))
NO_GAIN = np.uint32(dqflags.pixel["NO_GAIN_VALUE"] | dqflags.pixel["DO_NOT_USE"])
BAD = DNU | SATURATED
GOOD_MASK = np.uint32(0xFF) ^ PERSISTENCE
LIMITS = np.array(SNR_LIMITS)

# columns of `info`, the facts about one integration of a pixel
SINGLE_TIME, LOST_CHARGE, UNUSABLE, N_SATURATED = 0, 1, 2, 3
# rows of `value`, the results; of `coefficients` and `moments`, the tables of weights
SLOPE, POISSON, RNOISE, ERR = 0, 1, 2, 3


class _Block(NamedTuple):
    """Scratch arrays; K samples of a pixel, L lanes, I integrations, and the exposure as the last of I+1.

    Python allocates them: numba would compile that anew for each type and number of axes.
    """

    ramp: np.ndarray  # (K, L) float32
    flags: np.ndarray  # (K, L) uint8
    union: np.ndarray  # (L,) OR of the flags
    steps: np.ndarray  # (I, L) median differences
    constants: np.ndarray  # (3, L) gain, noise of a group in electrons, dark
    value: np.ndarray  # (I+1, 4, L) slope, variances, error
    dq: np.ndarray  # (I+1, L) uint32
    usable: np.ndarray  # (L,) int64, how many differences are
    ordered: np.ndarray  # (G, L)
    photons: np.ndarray  # (L,)
    power: np.ndarray  # (L,) int64
    totals: np.ndarray  # (4, L)
    given: np.ndarray  # (L,) median rates of all integrations
    start: np.ndarray  # (4, L) sums over the integrations before
    common: np.ndarray  # (L,) uint32, flags that all integrations share
    any_dq: np.ndarray  # (L,) uint32, flags of any

    @classmethod
    def of(cls, nints: int, ngroups: int) -> _Block:
        k = nints * ngroups
        return cls(
            np.zeros((k, LANES), np.float32),
            np.zeros((k, LANES), np.uint8),
            np.zeros(LANES, np.uint8),
            np.zeros((nints, LANES)),
            np.zeros((3, LANES)),
            np.zeros((nints + 1, 4, LANES)),
            np.zeros((nints + 1, LANES), np.uint32),
            np.zeros(LANES, np.int64),
            np.zeros((ngroups, LANES)),
            np.zeros(LANES),
            np.zeros(LANES, np.int64),
            np.zeros((4, LANES)),
            np.zeros(LANES),
            np.zeros((4, LANES)),
            np.zeros(LANES, np.uint32),
            np.zeros(LANES, np.uint32),
        )


class _Lane(NamedTuple):
    """Scratch arrays for a single pixel of a block."""

    y: np.ndarray  # (K,) samples
    dq: np.ndarray  # (K,) uint32
    info: np.ndarray  # (I, 4), see above
    sums: np.ndarray  # (4,)
    total: np.ndarray  # (4,)
    spans: np.ndarray  # (G+1, 2) int64, first and last of each segment
    line: np.ndarray  # (G+1, 7) the table of segments, or empty

    @classmethod
    def of(cls, nints: int, ngroups: int, save: bool) -> _Lane:
        return cls(
            np.zeros(nints * ngroups),
            np.zeros(nints * ngroups, np.uint32),
            np.zeros((nints, 4)),
            np.zeros(4),
            np.zeros(4),
            np.zeros((ngroups + 1, 2), np.int64),
            np.zeros((ngroups + 1 if save else 0, 7)),
        )


def _scratch(nints: int, ngroups: int, save: bool = False) -> tuple[_Block, _Lane]:
    return _Block.of(nints, ngroups), _Lane.of(nints, ngroups, save)


@helper
def _gather(data, groupdq, row, x0, lanes, ramp, flags, union):  # type: ignore[no-untyped-def]
    """Copy a block to (sample, lane) buffers; combine the flags of each lane (a NaN is no sample: DNU)."""
    nints, ngroups = data.shape[0], data.shape[1]
    for x in range(lanes):
        union[x] = 0
    for i in range(nints):
        for g in range(ngroups):
            k = i * ngroups + g
            for x in range(lanes):
                value, dq = data[i, g, row, x0 + x], groupdq[i, g, row, x0 + x]
                dq = dq if value == value else np.uint8(dq | DNU)
                ramp[k, x] = value
                flags[k, x] = dq
                union[x] |= dq


@helper
def _gather_pixels(pixeldq, gain, readnoise, dark, noise_factor, row, x0, lanes, constants, dq):  # type: ignore[no-untyped-def]
    """Copy what belongs to the pixels of a block, and start the DQ of all results."""
    for x in range(lanes):
        g = np.float64(gain[row, x0 + x])
        # the product is rounded to float32, as in the official pipeline
        noise = np.float32(readnoise[row, x0 + x] * (g / noise_factor))
        constants[0, x], constants[1, x], constants[2, x] = g, noise, dark[row, x0 + x]
        for i in range(dq.shape[0]):
            dq[i, x] = pixeldq[row, x0 + x] | (np.uint32(0) if g > 0.0 else NO_GAIN)


@helper
def _median_steps(ramp, flags, ngroups, i, ordered, count, steps):  # type: ignore[no-untyped-def]
    """Median difference of usable groups of integration `i`, each lane; NaN if there is none."""
    for x in range(LANES):
        count[x] = 0
    for j in range(ngroups - 1):
        k = i * ngroups + j
        for x in range(LANES):
            step = np.float64(ramp[k + 1, x]) - np.float64(ramp[k, x])
            dq = ((flags[k, x] | flags[k + 1, x]) & BAD) | (flags[k + 1, x] & JUMP)
            usable = dq == 0 and step == step
            ordered[j, x] = step if usable else np.inf
            count[x] += 1 if usable else 0
    sort_columns(ordered, ngroups - 1)
    for x in range(LANES):
        steps[i, x] = middle(ordered, x, 0, count[x])


@helper
def _find_segments(dq, first, ngroups, spans):  # type: ignore[no-untyped-def]
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
def _read_noise_variance(noise, gain, time, length):  # type: ignore[no-untyped-def]
    if length > 2 and not gain > 0.0:
        return 0.0
    n = np.float64(max(length, 2))
    scaled = noise / (time * gain)
    return 12.0 * scaled * scaled / (n * n * n - n)


@helper
def _power_index(signal, gain, noise):  # type: ignore[no-untyped-def]
    """Which of `POWERS` suits the signal-to-noise ratio of a segment (the last if that is NaN)."""
    variance = noise * noise + signal * gain
    ratio = signal * gain / np.sqrt(variance)
    ratio = 0.0 if variance <= 0.0 or gain == 0.0 else ratio
    index = 0
    for p in range(LIMITS.size):
        index += 0 if ratio < LIMITS[p] else 1
    return index


@helper
def _segment_slope(y, first, length, gain, noise, coefficients):  # type: ignore[no-untyped-def]
    """Slope per group of the segment that starts at ``y[first]``."""
    if length == 2:
        return y[first + 1] - y[first]
    p = _power_index(y[first + length - 1] - y[first], gain, noise)
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
    p = _power_index(y[first + length - 1] - y[first], gain, noise)
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
def _known(variance):  # type: ignore[no-untyped-def]
    return 0.0 if variance >= LARGE_VARIANCE else variance


@helper
def _prepare(y, dq, first, ngroups, suppress, times, zero, step, info, i):  # type: ignore[no-untyped-def]
    """Apply the rules for ramps with one or no good group to one integration of a pixel.

    `zero` is the sample of the ZEROFRAME (0: none), `step` the median difference. Fills ``info[i]`` and
    returns the OR of the flags and the median rate.
    """
    union, good, clean = np.uint32(0), 0, 0
    for k in range(first, first + ngroups):
        clean += 1 if (dq[k] & GOOD_MASK) == 0 else 0
    if suppress and clean == 1:
        for k in range(first, first + ngroups):
            dq[k] |= DNU
        step = np.nan
    unusable, saturated = 0, 0
    for k in range(first, first + ngroups):
        union |= dq[k]
        good += 1 if dq[k] == 0 else 0
        unusable += 1 if (dq[k] & BAD) != 0 else 0
        if (dq[k] & SATURATED) != 0:
            saturated += 1
            y[k] = np.nan
    single_time, special = times[0], False
    if not suppress and good == 1 and dq[first] == 0:
        single_time, special = times[2], True
    elif not suppress and good == 0 and zero != 0.0:
        y[first], dq[first] = zero, np.uint32(0)
        single_time, special = times[1], True
        unusable -= 1
        saturated -= 1 if saturated == ngroups else 0
    info[i, SINGLE_TIME], info[i, UNUSABLE], info[i, N_SATURATED] = single_time, unusable, saturated
    info[i, LOST_CHARGE] = 1.0 if (union & CHARGELOSS) != 0 else 0.0
    rate = step / times[0]
    if ngroups == 1:
        rate = y[first] / times[2]
    elif special:
        rate = y[first] / single_time
    elif step != step and (dq[first] & DNU) == 0:
        rate = y[first] / times[0]
    return union, rate if rate == rate or ngroups == 1 else 0.0


@helper
def _prepare_lane(ramp, flags, lane, steps, zeroframe, row, x, suppress, times, y, dq, info, out_dq):  # type: ignore[no-untyped-def]
    """Copy a pixel to `y` and `dq` and prepare its integrations; return its median rate."""
    nints = steps.shape[0]
    ngroups = ramp.shape[0] // nints
    median_rate = 0.0
    for k in range(ramp.shape[0]):
        y[k], dq[k] = ramp[k, lane], flags[k, lane]
    for i in range(nints):
        zero = np.float64(zeroframe[i, row, x]) if zeroframe.shape[0] > 0 else 0.0
        bits, rate = _prepare(y, dq, i * ngroups, ngroups, suppress, times, zero, steps[i, lane], info, i)
        out_dq[i, lane] |= bits & (JUMP | PERSISTENCE)
        out_dq[nints, lane] |= bits & (JUMP | PERSISTENCE)
        median_rate += rate
    return median_rate / nints


@helper
def _weigh(step, length, gain, noise, photons, time):  # type: ignore[no-untyped-def]
    """Turn the slope per group of a segment into its results and its share in the sums.

    `photons` is the rate that makes photon noise, `time` that of a group. Returns slope, variances (photons,
    read noise), and 1/var_poisson (0 if that is unknown), 1/var_rnoise, 1/var, slope/var_rnoise.
    """
    slope = step / time
    var_poisson = photons / (time * gain * max(length - 1, 1))
    var_rnoise = _read_noise_variance(noise, gain, time, length)
    inverse = 1.0 / var_poisson if var_poisson > 0.0 else 0.0
    weight = 1.0 / var_rnoise
    return slope, var_poisson, var_rnoise, inverse, weight, 1.0 / (var_poisson + var_rnoise), slope * weight


@helper
def _average(poisson, rnoise, both, weighted):  # type: ignore[no-untyped-def]
    """Turn the sums over segments into slope, variances and error of an integration."""
    var_poisson = _known(1.0 / poisson) if poisson > 0.0 else 0.0
    var_rnoise = _known(1.0 / rnoise)
    err = 0.0 if 1.0 / both > LARGE_VARIANCE else np.sqrt(1.0 / both)
    return weighted * var_rnoise, var_poisson, var_rnoise, err


@helper
def _combine(poisson, rnoise, weighted):  # type: ignore[no-untyped-def]
    """Turn the sums over integrations into slope, variances and error of the exposure."""
    var_poisson = _known(1.0 / poisson) if poisson > 0.0 else 0.0
    var_rnoise = _known(1.0 / rnoise if rnoise > 0.0 else rnoise)
    return weighted * var_rnoise, var_poisson, var_rnoise, np.sqrt(var_poisson + var_rnoise)


@helper
def _put(value, i, lane, results):  # type: ignore[no-untyped-def]
    value[i, SLOPE, lane], value[i, POISSON, lane] = results[0], results[1]
    value[i, RNOISE, lane], value[i, ERR, lane] = results[2], results[3]


@helper
def _fit_clean(  # type: ignore[no-untyped-def]
    ramp, steps, constants, group_time, coefficients, folding, given, start, photons, power, total, value
):
    """Fit all lanes as if they had no flags: one segment an integration, at least three groups.

    `given` are the median rates of all integrations if this is a part of them (`folding`).
    """
    nints = steps.shape[0]
    ngroups = ramp.shape[0] // nints
    offset = ngroups * (ngroups - 1) // 2
    for x in range(LANES):
        median = 0.0
        for i in range(nints):
            median += steps[i, x] / group_time
        median = given[x] if folding else median / nints
        photons[x] = (median if median > 0.0 else 0.0) + constants[2, x]
    for k in range(4):
        for x in range(LANES):
            total[k, x] = start[k, x]
    for i in range(nints):
        first = i * ngroups
        for x in range(LANES):
            signal = np.float64(ramp[first + ngroups - 1, x]) - np.float64(ramp[first, x])
            power[x] = _power_index(signal, constants[0, x], constants[1, x])
            value[i, SLOPE, x] = 0.0
        for k in range(ngroups):
            for x in range(LANES):
                value[i, SLOPE, x] += coefficients[0, power[x], offset + k] * ramp[first + k, x]
        for x in range(LANES):
            _, _, _, poisson, rnoise, both, weighted = _weigh(
                value[i, SLOPE, x], ngroups, constants[0, x], constants[1, x], photons[x], group_time
            )
            total[0, x] += poisson
            total[1, x] += rnoise
            total[2, x] += weighted
            _put(value, i, x, _average(poisson, rnoise, both, weighted))
        if folding:
            for x in range(LANES):
                variance = value[i, RNOISE, x]
                total[3, x] += 1.0 / variance if variance > 0.0 else 0.0
    for x in range(LANES):
        _put(value, nints, x, _combine(total[0, x], total[1, x], total[2, x]))


@helper
def _fit_spans(y, first, spans, n, pixel, group_time, single_time, coefficients, moments, line, sums):  # type: ignore[no-untyped-def]
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


@helper
def _segments_of(dq, first, ngroups, info, i, spans):  # type: ignore[no-untyped-def]
    """Return the DQ bits that the lack of good groups sets, and the numbers of segments and of planes."""
    if (dq[first] & SATURATED) != 0:
        return BAD, 0, 0
    n, planes = _find_segments(dq, first, ngroups, spans)
    if info[i, UNUSABLE] == ngroups:
        return (BAD if info[i, N_SATURATED] == ngroups else DNU), 0, planes
    return np.uint32(0), n, planes


@helper
def _lost_charge_weight(dq, first, ngroups, gain, noise, group_time, single_time, spans):  # type: ignore[no-untyped-def]
    """Inverse read noise variance as if no group had been dropped for charge migration (changes `dq`)."""
    for k in range(first, first + ngroups):
        if (dq[k] & CHARGELOSS) != 0:
            dq[k] ^= CHARGELOSS | DNU
    total = 0.0
    n, _ = _find_segments(dq, first, ngroups, spans)
    for s in range(n):
        length = spans[s, 1] - spans[s, 0]
        time = single_time if length == 1 else group_time
        variance = _read_noise_variance(noise, gain, time, length)
        total += 1.0 / variance if variance > 0.0 else 0.0
    return total


@helper
def _restore_lost_charge(flags, lane, gain, noise, group_time, dq, info, spans, value, total):  # type: ignore[no-untyped-def]
    """Replace read noise variances where groups were dropped for charge migration.

    The loss of groups says something about the star, not about the noise: weights in later combinations of
    exposures must not depend on it. Returns the sum of the inverse variances, added to `total`.
    """
    nints = info.shape[0]
    ngroups = dq.size // nints
    for i in range(nints):
        variance = value[i, RNOISE, lane]
        weight = 1.0 / variance if variance > 0.0 else 0.0
        if info[i, LOST_CHARGE] > 0.0:
            first = i * ngroups
            for k in range(first, first + ngroups):
                dq[k] = flags[k, lane]
            weight = _lost_charge_weight(
                dq, first, ngroups, gain, noise, group_time, info[i, SINGLE_TIME], spans
            )
            value[i, RNOISE, lane] = _known(1.0 / weight)
        total += weight
    variance = value[nints, RNOISE, lane]
    value[nints, RNOISE, lane] = _known(1.0 / total if total > 0.0 else variance)
    return total


@helper
def _store_segments(fits, i, row, x, n, line, pedestal):  # type: ignore[no-untyped-def]
    """Write the optional product of one integration; `fits` are the arrays of `SegmentFits` in its order."""
    for s in range(n):
        fits[0][i, s, row, x] = line[s, 0]
        fits[1][i, s, row, x] = line[s, 1]
        fits[2][i, s, row, x] = line[s, 2]
        fits[3][i, s, row, x] = line[s, 3]
        fits[4][i, s, row, x] = line[s, 4]
        fits[5][i, s, row, x] = line[s, 5]
        fits[6][i, s, row, x] = line[s, 6]
    fits[7][i, row, x] = pedestal if pedestal == pedestal else 0.0


@helper
def _store_jumps(ramp, flags, union, ngroups, lanes, crmag, row, x0):  # type: ignore[no-untyped-def]
    """Store the sizes of jumps as far as `crmag` has room; return the most in an integration."""
    most = 0
    for i in range(ramp.shape[0] // ngroups):
        for lane in range(lanes):
            if (union[lane] & JUMP) == 0:
                continue
            n = 0
            for k in range(i * ngroups + 1, (i + 1) * ngroups):
                if (flags[k, lane] & JUMP) != 0:
                    if n < crmag.shape[1]:
                        saturated = ((flags[k, lane] | flags[k - 1, lane]) & SATURATED) != 0
                        step = np.float64(ramp[k, lane]) - np.float64(ramp[k - 1, lane])
                        crmag[i, n, row, x0 + lane] = np.nan if saturated else step
                    n += 1
            most = max(most, n)
    return most


@helper
def _store(value, dq, i, lanes, fit, image, row, x0):  # type: ignore[no-untyped-def]
    """Copy the results of a block to ``fit[...][image]``, arrays of `Fit` in its order."""
    for x in range(lanes):
        fit[0][image, row, x0 + x] = value[i, SLOPE, x]
        fit[1][image, row, x0 + x] = dq[i, x]
        fit[2][image, row, x0 + x] = value[i, POISSON, x]
        fit[3][image, row, x0 + x] = value[i, RNOISE, x]
        fit[4][image, row, x0 + x] = value[i, ERR, x]


@helper
def _fit_lane(  # type: ignore[no-untyped-def]
    lane, pixel, nints, ngroups, row, x, times, pedestal_groups, coefficients, moments, fits, y, dq, info,
    sums, total, spans, line, out_dq, value,
):  # fmt: skip
    """Fit a prepared pixel, adding to `total`.

    Returns the most segment planes, whether charge was lost, the flags that all integrations share, and
    SATURATED if a part of one is.
    """
    most, common, saturated, lost = 0, BAD, np.uint32(0), False
    for i in range(nints):
        first = i * ngroups
        bits, n, planes = _segments_of(dq, first, ngroups, info, i, spans)
        most = max(most, planes)
        out_dq[i, lane] |= bits
        common &= out_dq[i, lane]
        _fit_spans(
            y, first, spans, n, pixel, times[0], info[i, SINGLE_TIME], coefficients, moments, line, sums
        )
        results = 0.0, 0.0, 0.0, 0.0
        if (out_dq[i, lane] & BAD) != 0:
            results = np.nan, 0.0, 0.0, 0.0
        elif n > 0:
            results = _average(sums[0], sums[1], sums[2], sums[3])
        _put(value, i, lane, results)
        total[0] += sums[0]
        total[1] += sums[1]
        total[2] += sums[3]
        if line.shape[0] > 0:
            usable = (out_dq[i, lane] & SATURATED) == 0
            pedestal = y[first] - results[0] * pedestal_groups if usable else 0.0
            _store_segments(fits, i, row, x, n, line, pedestal)
        # partly saturated ramps are flagged only now: they have a slope
        if info[i, N_SATURATED] > 0.0:
            out_dq[i, lane] |= SATURATED
            saturated = SATURATED
        lost = lost or info[i, LOST_CHARGE] > 0.0
    out_dq[nints, lane] |= common
    results = np.nan, 0.0, 0.0, 0.0
    if (out_dq[nints, lane] & BAD) == 0:
        results = _combine(total[0], total[1], total[2])
    _put(value, nints, lane, results)
    out_dq[nints, lane] |= saturated
    return most, lost, common, saturated


@helper
def _fit_lanes(  # type: ignore[no-untyped-def]
    ramp, flags, union, steps, constants, value, out_dq, lanes, zeroframe, row, x0, times, pedestal_groups,
    suppress, coefficients, moments, fits, y, dq, info, sums, total, spans, line, folding, given, start,
    totals, common, any_dq,
):  # fmt: skip
    """Fit, one by one, the pixels of a block that `_fit_clean` is not right for; return the most planes."""
    nints = steps.shape[0]
    ngroups = ramp.shape[0] // nints
    most = 0
    for lane in range(lanes):
        gain, noise = constants[0, lane], constants[1, lane]
        regular = noise != 0.0 and abs(noise) < np.inf and (out_dq[nints, lane] & BAD) == 0
        if union[lane] == 0 and regular and ngroups > 2 and line.shape[0] == 0:
            most = max(most, 1)
            continue
        median = _prepare_lane(
            ramp, flags, lane, steps, zeroframe, row, x0 + lane, suppress, times, y, dq, info, out_dq
        )
        median = given[lane] if folding else median
        pixel = gain, noise, (median if median > 0.0 else 0.0) + constants[2, lane]
        for k in range(3):
            total[k] = start[k, lane]
        any_dq[lane] = out_dq[nints, lane] & (JUMP | PERSISTENCE)
        planes, lost, common[lane], saturated = _fit_lane(
            lane, pixel, nints, ngroups, row, x0 + lane, times, pedestal_groups, coefficients, moments, fits,
            y, dq, info, sums, total, spans, line, out_dq, value,
        )  # fmt: skip
        most = max(most, planes)
        any_dq[lane] |= saturated | (CHARGELOSS if lost else np.uint32(0))
        for k in range(3):
            totals[k, lane] = total[k]
        if lost:
            totals[3, lane] = _restore_lost_charge(
                flags, lane, gain, noise, times[0], dq, info, spans, value, start[3, lane]
            )
        elif folding:
            totals[3, lane] = start[3, lane]
            for i in range(nints):
                if value[i, RNOISE, lane] > 0.0:
                    totals[3, lane] += 1.0 / value[i, RNOISE, lane]
    return most


@helper
def _load_sums(rates, sums, row, x0, lanes, given, start, common, any_dq):  # type: ignore[no-untyped-def]
    """Copy what integrations before this part have summed up to, and start with no flags."""
    for x in range(LANES):
        common[x] = any_dq[x] = np.uint32(0)
    for x in range(lanes):
        given[x] = rates[row, x0 + x]
        for k in range(4):
            start[k, x] = sums[k, row, x0 + x]


@helper
def _store_sums(totals, common, any_dq, row, x0, lanes, sums, bits):  # type: ignore[no-untyped-def]
    """Copy the sums back, and combine the flags."""
    for x in range(lanes):
        for k in range(4):
            sums[k, row, x0 + x] = totals[k, x]
        bits[0, row, x0 + x] &= common[x]
        bits[1, row, x0 + x] |= any_dq[x]


@kernel
def _fit(  # type: ignore[no-untyped-def]
    data, groupdq, pixeldq, gain, readnoise, dark, zeroframe, times, pedestal_groups, noise_factor, suppress,
    coefficients, moments, out_row, rate, rateints, fits, rates, sums_of, bits_of, block, single,
):  # fmt: skip
    """Fit a band; return the number of planes that segments, and jumps, need.

    With `rates`, the band is a part of the integrations: their shares are added to `sums_of` and `bits_of`,
    and `rate` is not touched.
    """
    folding = rates.shape[0] > 0
    nints, ngroups, rows, nx = data.shape
    ramp, flags, union, steps, constants, value, out_dq = block[:7]
    count, ordered, photons, power, totals, given, start, common, any_dq = block[7:]
    y, dq, info, sums, total, spans, line = single
    planes = jumps = 0
    for row in range(rows):
        for x0 in range(0, nx, LANES):
            lanes = min(LANES, nx - x0)
            _gather(data, groupdq, row, x0, lanes, ramp, flags, union)
            _gather_pixels(pixeldq, gain, readnoise, dark, noise_factor, row, x0, lanes, constants, out_dq)
            if not folding:
                for i in range(nints):
                    _median_steps(ramp, flags, ngroups, i, ordered, count, steps)
            if folding:
                _load_sums(rates, sums_of, row, x0, lanes, given, start, common, any_dq)
            if ngroups > 2:
                _fit_clean(
                    ramp, steps, constants, times[0], coefficients, folding, given, start, photons, power,
                    totals, value,
                )  # fmt: skip
            n = _fit_lanes(
                ramp, flags, union, steps, constants, value, out_dq, lanes, zeroframe, row, x0, times,
                pedestal_groups, suppress, coefficients, moments, fits, y, dq, info, sums, total, spans, line,
                folding, given, start, totals, common, any_dq,
            )  # fmt: skip
            planes = max(planes, n)
            jumps = max(jumps, _store_jumps(ramp, flags, union, ngroups, lanes, fits[8], row, x0))
            for i in range(nints):
                _store(value, out_dq, i, lanes, rateints, i, out_row + row, x0)
            if folding:
                _store_sums(totals, common, any_dq, row, x0, lanes, sums_of, bits_of)
            else:
                _store(value, out_dq, nints, lanes, rate, 0, out_row + row, x0)
    return planes, jumps


@kernel
def _add_median_rates(data, groupdq, zeroframe, times, suppress, rates, block, single):  # type: ignore[no-untyped-def]
    """Add the median rate of each integration to `rates`, in order."""
    nints, ngroups, rows, nx = data.shape
    k = nints * ngroups
    (ramp, flags, union, steps), (count, ordered) = block[:4], block[7:9]
    y, dq, info = single[:3]
    for row in range(rows):
        for x0 in range(0, nx, LANES):
            lanes = min(LANES, nx - x0)
            _gather(data, groupdq, row, x0, lanes, ramp, flags, union)
            for i in range(nints):
                _median_steps(ramp, flags, ngroups, i, ordered, count, steps)
            for lane in range(lanes):
                for j in range(k):
                    y[j], dq[j] = ramp[j, lane], flags[j, lane]
                for i in range(nints):
                    zero = np.float64(zeroframe[i, row, x0 + lane]) if zeroframe.shape[0] > 0 else 0.0
                    _, rate = _prepare(
                        y, dq, i * ngroups, ngroups, suppress, times, zero, steps[i, lane], info, i
                    )
                    rates[row, x0 + lane] += rate


#: Arrays of a band, as `fit_ramps` takes them.
Band = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]


def fit_ramps(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    average_dark_current: np.ndarray | None,
    zeroframe: np.ndarray | None,
    settings: RampFitSettings,
    *,
    out: RampFit | None = None,
    row: int = 0,
) -> RampFit:
    """Fit slopes to the ramps of a band.

    Parameters
    ----------
    data : array of float32, shape (nints, ngroups, ny, nx)
        Ramps in DN.
    groupdq : array of uint8, like `data`
    pixeldq : array of uint32, shape (ny, nx)
    gain, readnoise : array of float32, shape (ny, nx)
        Electrons per DN, and noise of the difference of two frames in DN.
    average_dark_current : array of float32, shape (ny, nx), or None
        DN/s, for the photon noise.
    zeroframe : array of float32, shape (nints, ny, nx), or None
        First frames, corrected like `data`; 0 where unusable.
    settings : RampFitSettings
    out : RampFit, optional
        Results of the whole frame, whose `rate` and `rateints` receive this band at `row`.
    row : int
        The first row of the band in `out`.

    Returns
    -------
    RampFit
        `out`'s arrays, or new ones of this band; segments are always those of this band.

    Raises
    ------
    ValueError
        If an array has another type, shape or memory layout than stated.
    """
    band = data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe
    check_band(*band)
    nints, _, ny, nx = data.shape
    rate = Fit.empty((ny, nx)) if out is None else out.rate
    rateints = Fit.empty((nints, ny, nx)) if out is None else out.rateints
    whole = np.zeros((0, 0)), empty_shares((0, 0))
    segments = _run(band, settings, int(row), rate, rateints, *whole)
    saturated = bool((groupdq[:, 0] & np.uint8(SATURATED)).all())
    return RampFit(rate, rateints, segments, saturated)


def _run(
    band: Band,
    settings: RampFitSettings,
    row: int,
    rate: Fit,
    rateints: Fit,
    rates: np.ndarray,
    shares: Shares,
) -> SegmentFits | None:
    """Fit a band; return its segments if they are wanted, whose sizes are known after a first fit."""
    data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe = band
    nints, ngroups, ny, nx = data.shape
    dark = np.zeros((ny, nx), np.float32) if average_dark_current is None else average_dark_current
    zero = np.zeros((0, 0, 0), np.float32) if zeroframe is None else zeroframe
    table = weights(ngroups)
    arguments = (
        data, groupdq, pixeldq, gain, readnoise, dark, zero, settings.times, settings.pedestal_groups,
        settings.noise_factor, settings.suppress_one_group and ngroups > 1, table.coefficients, table.moments,
        row, tuple(array[np.newaxis] for array in rate), tuple(rateints),
    )  # fmt: skip
    fits = SegmentFits.zeros(nints, 0, 0, (0, 0))
    if not settings.save_opt:
        _fit(*arguments, tuple(fits), rates, *shares, *_scratch(nints, ngroups))
        return None
    unused = (share.copy() for share in shares)
    planes, jumps = _fit(*arguments, tuple(fits), rates, *unused, *_scratch(nints, ngroups))
    fits = SegmentFits.zeros(nints, planes, jumps, (ny, nx))
    _fit(*arguments, tuple(fits), rates, *shares, *_scratch(nints, ngroups, save=True))
    return fits


def add_median_rates(
    data: np.ndarray,
    groupdq: np.ndarray,
    zeroframe: np.ndarray | None,
    settings: RampFitSettings,
    rates: np.ndarray,
) -> None:
    """Add the median rates of some integrations, DN/s, to `rates` (float64, (ny, nx))."""
    zero = np.zeros((0, 0, 0), np.float32) if zeroframe is None else zeroframe
    suppress = settings.suppress_one_group and data.shape[1] > 1
    scratch = _scratch(*data.shape[:2])
    _add_median_rates(data, groupdq, zero, settings.times, suppress, rates, *scratch)


def fit_integrations(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    average_dark_current: np.ndarray | None,
    zeroframe: np.ndarray | None,
    settings: RampFitSettings,
    rates: np.ndarray,
    shares: Shares,
) -> tuple[Fit, SegmentFits | None]:
    """Fit some integrations of an exposure whose others are fitted apart, to the same bits.

    Parameters
    ----------
    data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe, settings
        As for `fit_ramps`.
    rates : array of float64, shape (ny, nx)
        The mean of the median rates of all integrations of the exposure (`add_median_rates`), DN/s: the
        photon noise of each depends on it.
    shares : Shares
        Receives what the integrations contribute to the exposure; they must come in order.

    Returns
    -------
    Fit
        Of the integrations.
    SegmentFits or None
        With ``save_opt`` only.
    """
    band = data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe
    check_band(*band)
    nints, _, ny, nx = data.shape
    rateints = Fit.empty((nints, ny, nx))
    return rateints, _run(band, settings, 0, Fit.empty((0, 0)), rateints, rates, shares)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    data, groupdq = np.zeros((1, 3, 1, 1), np.float32), np.zeros((1, 3, 1, 1), np.uint8)
    pixel = np.ones((1, 1), np.float32)
    settings = RampFitSettings(group_time=1.0, frame_time=1.0)
    fit_ramps(data, groupdq, np.zeros((1, 1), np.uint32), pixel, pixel, None, None, settings)
    add_median_rates(data, groupdq, None, settings, np.zeros((1, 1)))
