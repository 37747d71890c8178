"""Saturation in the second group of IRS2 ramps, which averaging of frames can hide.

The official pipeline treats IRS2 apart: other groups are not looked at, and what is found is saturated, with
its neighbours, where other read-outs only lose the group. One pass of NumPy over three groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.kernels.saturation import ATOD_LIMIT

_SATURATED = np.uint8(dqflags.group["SATURATED"])
_NO_SAT_CHECK = np.uint32(dqflags.pixel["NO_SAT_CHECK"])


def flag_second_group(
    data: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    threshold_dq: NDArray[np.uint32],
    bias: NDArray[np.float32] | None,
    nframes: int,
    grow: int,
) -> None:
    """Flag second groups that jump up so much that their last frame saturated, in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, columns) float32
    groupdq : same shape, uint8
        The second group gains SATURATED.
    threshold, threshold_dq : (rows, columns) float32 and uint32
        The SATURATION reference.
    bias : (rows, columns) float32 or None
    nframes : int
        Frames of a group.
    grow : int
        Layers of neighbours to flag, too.
    """
    from scipy.ndimage import binary_dilation

    if data.shape[1] < 3:
        return
    unchecked = (threshold_dq & _NO_SAT_CHECK != 0) | np.isnan(threshold)
    limit = np.where(unchecked, np.float32(ATOD_LIMIT + 1), threshold)
    pedestal = np.zeros_like(limit) if bias is None else bias
    mean_first, last_third = np.float64((nframes + 1) / 2), 3 * nframes
    for ramp, dq in zip(data, groupdq, strict=True):
        late = ramp[2] >= limit
        if not late.any():
            continue
        predicted = (ramp[0] - pedestal) / mean_first * last_third + pedestal
        found = late & (predicted < limit) & (ramp[1] - ramp[0] > (limit - ramp[0]) / nframes)
        if grow and found.any():
            found = binary_dilation(found, np.ones((2 * grow + 1, 2 * grow + 1)))
        dq[1][found] |= _SATURATED
