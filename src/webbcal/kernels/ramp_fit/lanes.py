"""Pixels one by one: those that `clean` is not right for (compiled)."""

from __future__ import annotations

import numpy as np

from webbcal.kernels.compiling import helper
from webbcal.kernels.ramp_fit.first_rates import LOST_CHARGE, N_SATURATED, SINGLE_TIME, prepare_lane
from webbcal.kernels.ramp_fit.formulas import (
    BAD,
    CHARGELOSS,
    ERR,
    JUMP,
    PERSISTENCE,
    POISSON,
    RNOISE,
    SATURATED,
    SLOPE,
    known,
)
from webbcal.kernels.ramp_fit.lost_charge import restore_lost_charge
from webbcal.kernels.ramp_fit.segments import fit_spans, segments_of
from webbcal.kernels.ramp_fit.settings import LARGE_VARIANCE
from webbcal.kernels.ramp_fit.storing import store_segments


@helper
def _average(poisson, rnoise, both, weighted):  # type: ignore[no-untyped-def]
    """Turn the sums over segments into slope, variances and error of an integration."""
    var_poisson = known(1.0 / poisson) if poisson > 0.0 else 0.0
    var_rnoise = known(1.0 / rnoise)
    err = 0.0 if 1.0 / both > LARGE_VARIANCE else np.sqrt(1.0 / both)
    return weighted * var_rnoise, var_poisson, var_rnoise, err


@helper
def _combine(poisson, rnoise, weighted):  # type: ignore[no-untyped-def]
    """Turn the sums over integrations into slope, variances and error of the exposure."""
    var_poisson = known(1.0 / poisson) if poisson > 0.0 else 0.0
    var_rnoise = known(1.0 / rnoise if rnoise > 0.0 else rnoise)
    return weighted * var_rnoise, var_poisson, var_rnoise, np.sqrt(var_poisson + var_rnoise)


@helper
def _put(value, i, lane, results):  # type: ignore[no-untyped-def]
    value[i, SLOPE, lane], value[i, POISSON, lane] = results[0], results[1]
    value[i, RNOISE, lane], value[i, ERR, lane] = results[2], results[3]


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
        bits, n, planes = segments_of(dq, first, ngroups, info, i, spans)
        most = max(most, planes)
        out_dq[i, lane] |= bits
        common &= out_dq[i, lane]
        fit_spans(
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
            store_segments(fits, i, row, x, n, line, pedestal)
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
def fit_lanes(  # type: ignore[no-untyped-def]
    ramp, flags, odd, steps, constants, value, out_dq, lanes, zeroframe, row, x0, times, pedestal_groups,
    suppress, coefficients, moments, fits, y, dq, info, sums, total, spans, line, folding, given, start,
    totals, common, any_dq,
):  # fmt: skip
    """Fit, one by one, the pixels of a block that `fit_clean` is not right for; return the most planes."""
    nints = steps.shape[0]
    ngroups = ramp.shape[0] // nints
    most = 0
    for lane in range(lanes):
        gain, noise = constants[0, lane], constants[1, lane]
        regular = noise != 0.0 and abs(noise) < np.inf and (out_dq[nints, lane] & BAD) == 0
        if odd[lane] == 0 and regular and line.shape[0] == 0:
            most = max(most, 1)
            continue
        median = prepare_lane(
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
            totals[3, lane] = restore_lost_charge(
                flags, lane, gain, noise, times[0], dq, info, spans, value, start[3, lane]
            )
        elif folding:
            totals[3, lane] = start[3, lane]
            for i in range(nints):
                if value[i, RNOISE, lane] > 0.0:
                    totals[3, lane] += 1.0 / value[i, RNOISE, lane]
    return most
