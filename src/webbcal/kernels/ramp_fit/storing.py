"""Results of a block of pixels, copied to where they belong (compiled)."""

from __future__ import annotations

import numpy as np

from webbcal.kernels.compiling import helper
from webbcal.kernels.ramp_fit.formulas import ERR, JUMP, POISSON, RNOISE, SATURATED, SLOPE
from webbcal.kernels.sortnet import LANES


@helper
def store_row(values, out):  # type: ignore[no-untyped-def]
    """Copy as many values as `out` has room for."""
    for x in range(out.size):
        out[x] = values[x]


@helper
def store(value, dq, i, lanes, fit, image, row, x0):  # type: ignore[no-untyped-def]
    """Copy the results of a block to ``fit[...][image]``, arrays of `Fit` in its order."""
    store_row(value[i, SLOPE], fit[0][image, row, x0 : x0 + lanes])
    store_row(dq[i], fit[1][image, row, x0 : x0 + lanes])
    store_row(value[i, POISSON], fit[2][image, row, x0 : x0 + lanes])
    store_row(value[i, RNOISE], fit[3][image, row, x0 : x0 + lanes])
    store_row(value[i, ERR], fit[4][image, row, x0 : x0 + lanes])


@helper
def store_segments(fits, i, row, x, n, line, pedestal):  # type: ignore[no-untyped-def]
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
def store_jumps(ramp, flags, union, ngroups, lanes, crmag, row, x0):  # type: ignore[no-untyped-def]
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
def load_sums(rates, sums, row, x0, lanes, given, start, common, any_dq):  # type: ignore[no-untyped-def]
    """Copy what integrations before this part have summed up to, and start with no flags."""
    for x in range(LANES):
        common[x] = any_dq[x] = np.uint32(0)
    for x in range(lanes):
        given[x] = rates[row, x0 + x]
        for k in range(4):
            start[k, x] = sums[k, row, x0 + x]


@helper
def store_sums(totals, common, any_dq, row, x0, lanes, sums, bits):  # type: ignore[no-untyped-def]
    """Copy the sums back, and combine the flags."""
    for x in range(lanes):
        for k in range(4):
            sums[k, row, x0 + x] = totals[k, x]
        bits[0, row, x0 + x] &= common[x]
        bits[1, row, x0 + x] |= any_dq[x]
