"""Charge-migration flags, compiled: see `webbcal.kernels.charge.reference` for the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.kernels.arrays import inplace, readable
from webbcal.kernels.compiling import helper, kernel

_DO_NOT_USE = np.uint8(dqflags.group["DO_NOT_USE"])
_LOST = np.uint8(dqflags.group["CHARGELOSS"] | dqflags.group["DO_NOT_USE"])
_NONE = np.uint8(0)


def flag_charge_migration(
    data: NDArray[np.float32], groupdq: NDArray[np.uint8], signal_threshold: float
) -> None:
    """Flag groups above a signal threshold; as `reference.flag_charge_migration`."""
    groupdq = inplace(groupdq, np.uint8, 4, "groupdq")
    _flag(readable(data, np.float32, 4), groupdq, np.float32(signal_threshold))


@kernel
def _flag(data, groupdq, threshold):  # type: ignore[no-untyped-def]
    nints, ngroups, ny, nx = data.shape
    bright = np.empty((ny, nx), np.uint8)
    some = np.empty(ny, np.uint8)
    for i in range(nints):
        for y in range(ny):
            some[y] = _NONE
            for x in range(nx):
                bright[y, x] = _NONE
        for g in range(ngroups):
            for y in range(ny):
                values, dq, row = data[i, g, y], groupdq[i, g, y], bright[y]
                seen = some[y]
                for x in range(nx):
                    row[x] |= np.uint8(values[x] > threshold) & np.uint8(dq[x] != _DO_NOT_USE)
                    seen |= row[x]
                some[y] = seen
            for y in range(ny):
                if some[y]:
                    _mark_cross(bright[y], groupdq[i, g], y)


@helper
def _mark_cross(row, flags, y):  # type: ignore[no-untyped-def]
    """Flag each bright pixel of row `y`, its left and right neighbours, and those above and below."""
    ny, nx = flags.shape
    for x in range(nx):
        flags[y, x] |= np.uint8(row[x] * _LOST)
    for x in range(nx - 1):
        flags[y, x] |= np.uint8(row[x + 1] * _LOST)
        flags[y, x + 1] |= np.uint8(row[x] * _LOST)
    if y > 0:
        for x in range(nx):
            flags[y - 1, x] |= np.uint8(row[x] * _LOST)
    if y + 1 < ny:
        for x in range(nx):
            flags[y + 1, x] |= np.uint8(row[x] * _LOST)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    flag_charge_migration(np.zeros((1, 1, 1, 1), np.float32), np.zeros((1, 1, 1, 1), np.uint8), 1.0)
