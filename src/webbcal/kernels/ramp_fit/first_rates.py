"""Rates before a fit, for the photon noise, and the rules for ramps with one or no good group (compiled)."""

from __future__ import annotations

import numpy as np

from webbcal.kernels.compiling import helper
from webbcal.kernels.ramp_fit.formulas import BAD, CHARGELOSS, DNU, GOOD_MASK, JUMP, PERSISTENCE, SATURATED
from webbcal.kernels.sortnet import LANES, middle, sort_columns

#: Columns of `info`, the facts about one integration of a pixel.
SINGLE_TIME, LOST_CHARGE, UNUSABLE, N_SATURATED = 0, 1, 2, 3


@helper
def median_steps(ramp, flags, ngroups, i, ordered, comparisons, count, steps):  # type: ignore[no-untyped-def]
    """Median difference of usable groups of integration `i`, each lane; NaN if there is none."""
    for x in range(LANES):
        count[x] = 0
    for j in range(ngroups - 1):
        k = i * ngroups + j
        some = np.uint8(0)
        for x in range(LANES):
            some |= flags[k, x] | flags[k + 1, x]
        for x in range(LANES):
            step = np.float64(ramp[k + 1, x]) - np.float64(ramp[k, x])
            usable = step == step
            ordered[j, x] = step if usable else np.inf
            count[x] += 1 if usable else 0
        if some & (BAD | JUMP):
            for x in range(LANES):
                dq = ((flags[k, x] | flags[k + 1, x]) & BAD) | (flags[k + 1, x] & JUMP)
                if dq != 0 and ordered[j, x] != np.inf:
                    ordered[j, x] = np.inf
                    count[x] -= 1
    sort_columns(ordered, comparisons)
    for x in range(LANES):
        steps[i, x] = middle(ordered, x, 0, count[x])


@helper
def prepare(y, dq, first, ngroups, suppress, times, zero, step, info, i):  # type: ignore[no-untyped-def]
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
def prepare_lane(ramp, flags, lane, steps, zeroframe, row, x, suppress, times, y, dq, info, out_dq):  # type: ignore[no-untyped-def]
    """Copy a pixel to `y` and `dq` and prepare its integrations; return its median rate."""
    nints = steps.shape[0]
    ngroups = ramp.shape[0] // nints
    median_rate = 0.0
    for k in range(ramp.shape[0]):
        y[k], dq[k] = ramp[k, lane], flags[k, lane]
    for i in range(nints):
        zero = np.float64(zeroframe[i, row, x]) if zeroframe.shape[0] > 0 else 0.0
        bits, rate = prepare(y, dq, i * ngroups, ngroups, suppress, times, zero, steps[i, lane], info, i)
        out_dq[i, lane] |= bits & (JUMP | PERSISTENCE)
        out_dq[nints, lane] |= bits & (JUMP | PERSISTENCE)
        median_rate += rate
    return median_rate / nints
