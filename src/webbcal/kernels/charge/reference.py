"""Charge-migration flags in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags

_DO_NOT_USE = np.uint8(dqflags.group["DO_NOT_USE"])
_LOST = np.uint8(dqflags.group["CHARGELOSS"] | dqflags.group["DO_NOT_USE"])


def flag_charge_migration(
    data: NDArray[np.float32], groupdq: NDArray[np.uint8], signal_threshold: float
) -> None:
    """Flag groups above a signal threshold, their neighbours, and all groups that follow, in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, nx) float32
        Ramps in DN.
    groupdq : (nints, ngroups, rows, nx) uint8
        Gains CHARGELOSS and DO_NOT_USE. A sample whose only flag is DO_NOT_USE starts nothing.
    signal_threshold : float
        DN. The band needs `webbcal.kernels.charge.HALO` rows of halo.
    """
    bright = (data > np.float32(signal_threshold)) & (groupdq != _DO_NOT_USE)
    bright = np.logical_or.accumulate(bright, axis=1)
    lost = bright.copy()
    lost[..., 1:, :] |= bright[..., :-1, :]
    lost[..., :-1, :] |= bright[..., 1:, :]
    lost[..., 1:] |= bright[..., :-1]
    lost[..., :-1] |= bright[..., 1:]
    groupdq[lost] |= _LOST
