"""Windows of persistence: from a group that saturates on, a pixel is flagged for some time.

The state of a pixel is the end of its window (seconds of Unix time; 0: none). It goes from group to group,
from integration to integration and, in a file, from exposure to exposure. The rules are those of `jwst`
3.0.0, and times are added in its order, so that flags and windows are the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal.core.dqflags import group as DQ

_MJD_OF_UNIX_TIME = 40587.0
_SECONDS_OF_A_DAY = 86400.0


def unix_time(mjd: float) -> float:
    """Return seconds of Unix time from a modified Julian date."""
    return (mjd - _MJD_OF_UNIX_TIME) * _SECONDS_OF_A_DAY


@dataclass(frozen=True)
class WindowSettings:
    """What opens a window, and what it flags.

    Attributes
    ----------
    seconds : int
        Length of a window.
    group_time : float
        Seconds between groups.
    threshold : float or None
        Signal (DN) that opens a window, too.
    do_not_use : bool
        Flag DO_NOT_USE with PERSISTENCE.
    """

    seconds: int
    group_time: float
    threshold: float | None = None
    do_not_use: bool = False


def flag_windows(
    data: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    ends: NDArray[np.float64],
    start: float,
    settings: WindowSettings,
) -> None:
    """Flag the groups of one integration that lie in windows, in place; `ends` goes on.

    Parameters
    ----------
    data, groupdq : ndarray
        One integration, (groups, rows, columns); `data` in DN.
    ends : ndarray
        Ends of windows, (rows, columns).
    start : float
        Unix time of the start of the integration.
    settings : WindowSettings
    """
    flags = np.uint8(DQ["PERSISTENCE"] | (DQ["DO_NOT_USE"] if settings.do_not_use else 0))
    saturated = np.zeros(ends.shape, np.uint32)  # groups so far
    now = start
    for samples, dq in zip(data, groupdq, strict=True):
        now = now + settings.group_time
        end = now + settings.seconds
        ends[ends < now] = 0.0
        saturated += (dq & DQ["SATURATED"]) > 0
        ends[saturated == 1] = end  # a pixel that comes out of saturation once opens its window anew
        if settings.threshold is not None:
            ends[(samples > settings.threshold) & (ends <= 0.0)] = end
        ends[ends > end] = 0.0  # a window that begins after this group is none
        dq[ends > 0.0] |= flags
