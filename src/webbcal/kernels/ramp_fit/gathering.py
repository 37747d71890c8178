"""A block of pixels: samples, flags and constants, copied to where they are worked on (compiled)."""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.compiling import helper
from webbcal.kernels.ramp_fit.formulas import DNU
from webbcal.kernels.ramp_fit.storing import store_row
from webbcal.kernels.sortnet import LANES

NO_GAIN = np.uint32(dqflags.pixel["NO_GAIN_VALUE"] | dqflags.pixel["DO_NOT_USE"])


@helper
def gather(data, groupdq, row, x0, lanes, ramp, flags, union):  # type: ignore[no-untyped-def]
    """Copy a block to (sample, lane) buffers; combine the flags of each lane (DNU: no finite sample, too)."""
    nints, ngroups = data.shape[0], data.shape[1]
    for x in range(lanes):
        union[x] = 0
    for i in range(nints):
        for g in range(ngroups):
            k = i * ngroups + g
            samples, dq = data[i, g, row, x0 : x0 + lanes], groupdq[i, g, row, x0 : x0 + lanes]
            finite = True
            for x in range(lanes):
                ramp[k, x] = samples[x]
                finite &= abs(samples[x]) < np.inf
            for x in range(lanes):
                flags[k, x] = dq[x]
            if not finite:
                for x in range(lanes):
                    flags[k, x] |= np.uint8(0) if abs(samples[x]) < np.inf else np.uint8(DNU)
            for x in range(lanes):
                union[x] |= flags[k, x]


@helper
def _used(flags, first, ngroups, lane):  # type: ignore[no-untyped-def]
    """Return the first group that is not only DO_NOT_USE in a lane, and one past the last."""
    start, stop = 0, ngroups
    while start < ngroups and flags[first + start, lane] == DNU:
        start += 1
    while stop > start and flags[first + stop - 1, lane] == DNU:
        stop -= 1
    return start, stop


@helper
def find_windows(flags, union, lanes, window, odd):  # type: ignore[no-untyped-def]
    """Find the groups that lanes use (MIRI's first and last are rejected everywhere), and which lanes do not.

    Tried are those of the first lane if the last has the same, else those of the middle lane. Lanes are odd
    if they have any other flags, all are where less than three groups are left.
    """
    nints = window.shape[0]
    ngroups = flags.shape[0] // nints
    whole = True
    for i in range(nints):
        start, stop = _used(flags, i * ngroups, ngroups, 0)
        other_start, other_stop = _used(flags, i * ngroups, ngroups, lanes - 1)
        if start != other_start or stop != other_stop:
            start, stop = _used(flags, i * ngroups, ngroups, lanes // 2)
        if stop - start < 3:
            start, stop = 0, ngroups
        window[i, 0], window[i, 1] = start, stop
        whole = whole and stop - start == ngroups
    for x in range(LANES):
        odd[x] = union[x] if ngroups > 2 else np.uint8(1)
    if whole:
        return
    for x in range(LANES):
        odd[x] = np.uint8(0)
    for i in range(nints):
        for g in range(ngroups):
            expected = np.uint8(0) if window[i, 0] <= g < window[i, 1] else np.uint8(DNU)
            for x in range(LANES):
                odd[x] |= flags[i * ngroups + g, x] ^ expected


@helper
def gather_pixels(pixeldq, gain, readnoise, dark, noise_factor, row, x0, lanes, constants, dq):  # type: ignore[no-untyped-def]
    """Copy what belongs to the pixels of a block, and start the DQ of all results."""
    here = slice(x0, x0 + lanes)
    gains, noises, darks, flags = gain[row, here], readnoise[row, here], dark[row, here], pixeldq[row, here]
    store_row(gains, constants[0, :lanes])
    store_row(darks, constants[2, :lanes])
    noise, first = constants[1], dq[0]
    for x in range(lanes):
        # the product is rounded to float32, as in the official pipeline
        noise[x] = np.float32(noises[x] * (np.float64(gains[x]) / noise_factor))
    for x in range(lanes):
        first[x] = flags[x] | (np.uint32(0) if gains[x] > np.float32(0) else NO_GAIN)
    for i in range(1, dq.shape[0]):
        store_row(first, dq[i])
