"""Ramps without gaps, which most are, many at a time (compiled).

Each loop is over few arrays: the compiler has to know that they are apart before it uses SIMD instructions.
"""

from __future__ import annotations

import numpy as np

from webbcal.kernels.compiling import helper
from webbcal.kernels.ramp_fit.formulas import (
    ERR,
    POISSON,
    RNOISE,
    SLOPE,
    known,
    power_index,
    read_noise_variance,
)
from webbcal.kernels.ramp_fit.settings import LARGE_VARIANCE
from webbcal.kernels.sortnet import LANES


@helper
def _add_products(ramp, first, coefficients, offset, length, power, wanted, sums, out):  # type: ignore[no-untyped-def]
    """Put the weighted sums of lanes whose index of weights is `wanted` into `out`."""
    for x in range(LANES):
        sums[x] = 0.0
    for k in range(length):
        samples, weight = ramp[first + k], coefficients[0, wanted, offset + k]
        for x in range(LANES):
            sums[x] += weight * samples[x]
    for x in range(LANES):
        old, new = out[x], sums[x]
        out[x] = new if power[x] == wanted else old


@helper
def _clean_slopes(ramp, first, length, gain, noise, coefficients, odd, power, sums, out):  # type: ignore[no-untyped-def]
    """Slope per group of one integration, each lane: for each set of weights that one of them needs.

    Odd lanes need none.
    """
    start, stop = ramp[first], ramp[first + length - 1]
    for x in range(LANES):
        power[x] = power_index(np.float64(stop[x]) - np.float64(start[x]), gain[x], noise[x])
    needed = np.int64(0)
    for x in range(LANES):
        needed |= np.int64(1) << power[x] if odd[x] == 0 else np.int64(0)
    for wanted in range(coefficients.shape[1]):
        if (needed >> wanted) & 1:
            _add_products(
                ramp, first, coefficients, length * (length - 1) // 2, length, power, wanted, sums, out
            )


@helper
def _weigh_clean(slope, poisson, rnoise, err, total_poisson, total_rnoise, total_weighted):  # type: ignore[no-untyped-def]
    """Turn slopes and variances of the only segments of an integration into its results; add to the sums.

    As `_weigh` of `segments` and `_average` of `lanes` do it.
    """
    for x in range(LANES):
        both = 1.0 / (poisson[x] + rnoise[x])
        err[x] = 0.0 if 1.0 / both > LARGE_VARIANCE else np.sqrt(1.0 / both)
    for x in range(LANES):
        inverse = 1.0 / poisson[x] if poisson[x] > 0.0 else 0.0
        total_poisson[x] += inverse
        poisson[x] = known(1.0 / inverse) if inverse > 0.0 else 0.0
    for x in range(LANES):
        weight = 1.0 / rnoise[x]
        weighted = slope[x] * weight
        total_rnoise[x] += weight
        total_weighted[x] += weighted
        rnoise[x] = known(1.0 / weight)
        slope[x] = weighted * rnoise[x]


@helper
def fit_clean(  # type: ignore[no-untyped-def]
    ramp, steps, constants, group_time, coefficients, folding, given, start, photons, power, total, value,
    window, odd,
):  # fmt: skip
    """Fit lanes as if they used the groups of the window: a segment an integration, of three or more.

    Those that are odd get numbers that mean nothing.

    `given` are the median rates of all integrations if this is a part of them (`folding`).
    """
    nints = steps.shape[0]
    gain, noise, dark = constants[0], constants[1], constants[2]
    for x in range(LANES):
        photons[x] = 0.0
    for i in range(nints):
        for x in range(LANES):
            photons[x] += steps[i, x] / group_time
    for x in range(LANES):
        median = given[x] if folding else photons[x] / nints
        photons[x] = (median if median > 0.0 else 0.0) + dark[x]
    for k in range(4):
        for x in range(LANES):
            total[k, x] = start[k, x]
    for i in range(nints):
        slope, poisson, rnoise = value[i, SLOPE], value[i, POISSON], value[i, RNOISE]
        first = i * (ramp.shape[0] // nints) + window[i, 0]
        length = window[i, 1] - window[i, 0]
        _clean_slopes(ramp, first, length, gain, noise, coefficients, odd, power, value[i, ERR], slope)
        for x in range(LANES):
            slope[x] = slope[x] / group_time
        for x in range(LANES):
            poisson[x] = photons[x] / (group_time * gain[x] * max(length - 1, 1))
        for x in range(LANES):
            rnoise[x] = read_noise_variance(noise[x], gain[x], group_time, length)
        _weigh_clean(slope, poisson, rnoise, value[i, ERR], total[0], total[1], total[2])
        if folding:
            for x in range(LANES):
                variance = rnoise[x]
                total[3, x] += 1.0 / variance if variance > 0.0 else 0.0
    _combine_clean(total[0], total[1], total[2], value[nints])


@helper
def _combine_clean(total_poisson, total_rnoise, total_weighted, value):  # type: ignore[no-untyped-def]
    """Turn the sums over integrations into the results of the exposure, as `_combine` of `lanes` does it."""
    slope, poisson, rnoise, err = value[SLOPE], value[POISSON], value[RNOISE], value[ERR]
    for x in range(LANES):
        poisson[x] = known(1.0 / total_poisson[x]) if total_poisson[x] > 0.0 else 0.0
    for x in range(LANES):
        rnoise[x] = known(1.0 / total_rnoise[x] if total_rnoise[x] > 0.0 else total_rnoise[x])
    for x in range(LANES):
        slope[x] = total_weighted[x] * rnoise[x]
    for x in range(LANES):
        err[x] = np.sqrt(poisson[x] + rnoise[x])
