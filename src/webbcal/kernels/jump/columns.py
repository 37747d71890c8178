"""Which pixels of a row are looked at closely, and their differences and flags as a block (compiled).

Of all pixels it is asked whether they surely have no jump (see `quiet`); the others, from here and there, are
gathered in blocks of `LANES`.
"""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.compiling import helper
from webbcal.kernels.jump.quiet import mark_quiet
from webbcal.kernels.sortnet import LANES

JUMP = np.uint8(dqflags.group["JUMP_DET"])
BAD = np.uint8(dqflags.group["DO_NOT_USE"] | dqflags.group["SATURATED"])


@helper
def load_differences(data, groupdq, gain, row, x0, lanes, diff):  # type: ignore[no-untyped-def]
    """Fill `diff` with differences in electrons; NaN where one of the two groups is unusable.

    Flags are looked at apart, and few are set: a loop over both types of numbers would take each by itself.
    """
    nints, ngroups = data.shape[0], data.shape[1]
    g = gain[row, x0 : x0 + lanes]
    for i in range(nints):
        for j in range(ngroups - 1):
            k = i * (ngroups - 1) + j
            before, after = data[i, j, row, x0 : x0 + lanes], data[i, j + 1, row, x0 : x0 + lanes]
            for x in range(lanes):
                diff[k, x] = after[x] * g[x] - before[x] * g[x]
            dq0, dq1 = groupdq[i, j, row, x0 : x0 + lanes], groupdq[i, j + 1, row, x0 : x0 + lanes]
            some = np.uint8(0)
            for x in range(lanes):
                some |= dq0[x] | dq1[x]
            if some & BAD:
                for x in range(lanes):
                    if ((dq0[x] | dq1[x]) & BAD) != 0:
                        diff[k, x] = np.float32(np.nan)


@helper
def gather(data, groupdq, gain, row, columns, lanes, diff, flags):  # type: ignore[no-untyped-def]
    """Fill `diff` with differences of some columns of a row, and `flags` with those of the later groups."""
    ngroups = data.shape[1]
    x0 = columns[0]
    together = columns[lanes - 1] - x0 == lanes - 1
    if together:
        load_differences(data, groupdq, gain, row, x0, lanes, diff)
    for k in range(diff.shape[0]):
        i, j = k // (ngroups - 1), k % (ngroups - 1)
        after = groupdq[i, j + 1, row]
        if together:
            for x in range(lanes):
                flags[k, x] = after[x0 + x]
            continue
        before, first, second = groupdq[i, j, row], data[i, j, row], data[i, j + 1, row]
        for x in range(lanes):
            c = columns[x]
            flags[k, x] = after[c]
            step = second[c] * gain[row, c] - first[c] * gain[row, c]
            diff[k, x] = step if ((before[c] | after[c]) & BAD) == 0 else np.float32(np.nan)


@helper
def scatter(flags, groupdq, row, columns, lanes):  # type: ignore[no-untyped-def]
    """Put the flags of a block back."""
    ndiffs = groupdq.shape[1] - 1
    for k in range(flags.shape[0]):
        out = groupdq[k // ndiffs, k % ndiffs + 1, row]
        for x in range(lanes):
            out[columns[x]] = flags[k, x]


@helper
def read_variance(gain, readnoise, nframes):  # type: ignore[no-untyped-def]
    """Read noise variance of a difference, electrons²; the noise is rounded to float32."""
    noise = readnoise * gain
    return np.float64(noise * noise) / nframes


@helper
def choose(data, groupdq, gain, readnoise, row, nframes, absolute, limit, scratch, columns):  # type: ignore[no-untyped-def]
    """Choose the columns of a row that may have a jump, or have been flagged before; return how many.

    `scratch` is room for a block: differences, variances, numbers, what is asked, and the answers.
    """
    diff, variance, count, look, quiet = scratch
    nints, ngroups, _, nx = data.shape
    chosen = 0
    for x0 in range(0, nx, LANES):
        lanes = min(LANES, nx - x0)
        load_differences(data, groupdq, gain, row, x0, lanes, diff)
        for x in range(lanes):
            variance[x] = read_variance(gain[row, x0 + x], readnoise[row, x0 + x], nframes)
        mark_quiet(diff, variance, limit, absolute, count, look, quiet)
        for i in range(nints):
            for g in range(ngroups):
                dq = groupdq[i, g, row, x0 : x0 + lanes]
                some = np.uint8(0)
                for x in range(lanes):
                    some |= dq[x]
                if some & JUMP:
                    for x in range(lanes):
                        quiet[x] = quiet[x] and (dq[x] & JUMP) == 0
        for x in range(lanes):
            if not quiet[x]:
                columns[chosen] = x0 + x
                chosen += 1
    return chosen
