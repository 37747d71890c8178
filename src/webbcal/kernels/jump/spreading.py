"""What jumps do to other samples: neighbours, groups after them, and flags that are redundant (compiled).

A row's flags depend on its two neighbour rows. So each row leaves, in a ring of three rows, one byte a
sample that says what the sample may do to others (`SPREAD`, `AFTER1`, `AFTER2`), and a row is finished when
the row below it in memory has been looked at.
"""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.compiling import helper

DNU = np.uint8(dqflags.group["DO_NOT_USE"])
JUMP = np.uint8(dqflags.group["JUMP_DET"])
BAD = np.uint8(dqflags.group["DO_NOT_USE"] | dqflags.group["SATURATED"])

SPREAD, AFTER1, AFTER2 = np.uint8(1), np.uint8(2), np.uint8(4)


@helper
def mark_jumps(diff, flags, columns, lanes, median, sigma, neighbours, electrons, lasting, marks):  # type: ignore[no-untyped-def]
    """Note what each sample may do to others; `neighbours` and `electrons` are ranges and thresholds."""
    for k in range(diff.shape[0]):
        some = np.uint8(0)
        for x in range(lanes):
            some |= flags[k, x]
        if lasting:
            for x in range(lanes):
                excess = np.float64(diff[k, x]) - median[x]
                marks[k, columns[x] + 1] = (AFTER1 if excess >= electrons[0] else np.uint8(0)) | (
                    AFTER2 if excess >= electrons[1] else np.uint8(0)
                )
        if (some & JUMP) == 0:
            continue
        for x in range(lanes):
            if flags[k, x] & JUMP:
                ratio = abs(np.float64(diff[k, x]) - median[x]) / sigma[x]
                if ratio > neighbours[0] and ratio < neighbours[1]:
                    marks[k, columns[x] + 1] |= SPREAD


@helper
def _flag_neighbours(groupdq, row, above, here, below):  # type: ignore[no-untyped-def]
    ndiffs = groupdq.shape[1] - 1
    for k in range(here.shape[0]):
        i, j = k // ndiffs, k % ndiffs + 1
        for x in range(groupdq.shape[3]):
            near = above[k, x + 1] | below[k, x + 1] | here[k, x] | here[k, x + 1] | here[k, x + 2]
            dq = groupdq[i, j, row, x]
            groupdq[i, j, row, x] = dq | (JUMP if (near & SPREAD) != 0 and (dq & BAD) == 0 else np.uint8(0))


@helper
def _flag_after(groupdq, row, here, groups1, groups2):  # type: ignore[no-untyped-def]
    """Flag groups after large jumps. Descending, so that a flag set here does not count as a jump."""
    nints, ngroups = groupdq.shape[0], groupdq.shape[1]
    for i in range(nints):
        for j in range(ngroups - 2, 0, -1):
            k = i * (ngroups - 1) + j - 1
            for x in range(groupdq.shape[3]):
                mark = here[k, x + 1] & (AFTER1 | AFTER2)
                if mark == 0 or (groupdq[i, j, row, x] & JUMP) == 0:
                    continue
                reach = max(groups1 if mark & AFTER1 else 0, groups2 if mark & AFTER2 else 0)
                for g in range(j + 1, min(j + reach, ngroups - 1) + 1):
                    if (groupdq[i, g, row, x] & BAD) == 0:
                        groupdq[i, g, row, x] |= JUMP


@helper
def clear_redundant(groupdq, row):  # type: ignore[no-untyped-def]
    """Drop JUMP_DET where the sample is saturated or not to be used anyway."""
    for i in range(groupdq.shape[0]):
        for g in range(groupdq.shape[1]):
            for x in range(groupdq.shape[3]):
                dq = groupdq[i, g, row, x]
                groupdq[i, g, row, x] = dq & ~JUMP if (dq & BAD) != 0 else dq


@helper
def clear_groups(flags, lanes, ndiffs, cleared):  # type: ignore[no-untyped-def]
    """Drop jumps of a block in groups that all pixels reject, where no other flag is set."""
    for k in range(flags.shape[0]):
        if cleared[k // ndiffs, k % ndiffs + 1]:
            for x in range(lanes):
                if flags[k, x] == JUMP:
                    flags[k, x] = np.uint8(0)


@helper
def clear_first_groups(groupdq, row, cleared):  # type: ignore[no-untyped-def]
    """Drop jumps of the first group, if all pixels reject it."""
    for i in range(groupdq.shape[0]):
        if cleared[i, 0]:
            for x in range(groupdq.shape[3]):
                if groupdq[i, 0, row, x] == JUMP:
                    groupdq[i, 0, row, x] = np.uint8(0)


@helper
def count_jumps(groupdq, row, first, last):  # type: ignore[no-untyped-def]
    """Count the samples of some columns of a row that are jumps."""
    total = 0
    for i in range(groupdq.shape[0]):
        for g in range(groupdq.shape[1]):
            jumps = np.uint32(0)
            for x in range(first, last):
                jumps += np.uint32((groupdq[i, g, row, x] & JUMP) != 0)
            total += jumps
    return total


@helper
def update_full(groupdq, row, first, last, full):  # type: ignore[no-untyped-def]
    """Forget groups in which a counted pixel of this row is neither JUMP_DET nor DO_NOT_USE."""
    for i in range(groupdq.shape[0]):
        for g in range(groupdq.shape[1]):
            for x in range(first, last):
                if (groupdq[i, g, row, x] & (JUMP | DNU)) == 0:
                    full[i, g] = False
                    break


@helper
def finish_row(groupdq, row, marks, flag_neighbours, groups1, groups2):  # type: ignore[no-untyped-def]
    """Flag what the jumps of a row and of its two neighbours do to its samples."""
    rows = groupdq.shape[2]
    above = marks[(row - 1) % 3] if row > 0 else marks[3]
    below = marks[(row + 1) % 3] if row + 1 < rows else marks[3]
    here = marks[row % 3]
    if flag_neighbours:
        _flag_neighbours(groupdq, row, above, here, below)
    if groups1 > 0 or groups2 > 0:
        _flag_after(groupdq, row, here, groups1, groups2)
    clear_redundant(groupdq, row)
