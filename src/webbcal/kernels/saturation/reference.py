"""Saturation flags in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from webbcal.core import dqflags
from webbcal.kernels.saturation import ATOD_LIMIT

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

_SATURATED = np.uint8(dqflags.group["SATURATED"])
_DO_NOT_USE = np.uint8(dqflags.group["DO_NOT_USE"])
_FLOOR = np.uint8(dqflags.group["AD_FLOOR"] | dqflags.group["DO_NOT_USE"])
_NO_SAT_CHECK = np.uint32(dqflags.pixel["NO_SAT_CHECK"])


def flag_saturation(
    data: F32,
    groupdq: U8,
    pixeldq: U32,
    threshold: F32,
    threshold_dq: U32,
    *,
    grow: int = 1,
    nframes: int | None = None,
    bias: F32 | None = None,
    zeroframe: F32 | None = None,
) -> None:
    """Flag saturated samples and samples on the A/D floor, in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, nx) float32
        Raw ramps in DN; not changed.
    groupdq : (nints, ngroups, rows, nx) uint8
        Gains SATURATED, AD_FLOOR and DO_NOT_USE.
    pixeldq : (rows, nx) uint32
        Gains `threshold_dq`, and NO_SAT_CHECK where the threshold is NaN.
    threshold : (rows, nx) float32
        Saturation level in DN. NaN means that the pixel cannot be checked.
    threshold_dq : (rows, nx) uint32
        Its flags; pixels with NO_SAT_CHECK are never called saturated.
    grow : int
        Pixels by which saturation spreads to neighbours (1: the eight around).
    nframes : int or None
        Frames averaged into a group, for the look-back into averaged groups; None leaves it out.
        Frames dropped between groups are not counted, as in the official pipeline.
    bias : (rows, nx) float32 or None
        Superbias in DN, zero if None; serves to predict the third group from the first.
    zeroframe : (nints, rows, nx) float32 or None
        First frames; flagged pixels are set to 0, which stands for "no value".

    Notes
    -----
    A band is right in its interior if the caller supplies `webbcal.kernels.saturation.halo` rows.
    """
    no_check = ((threshold_dq & _NO_SAT_CHECK) != 0) | np.isnan(threshold)
    limit = np.where(no_check, np.float32(ATOD_LIMIT + 1), threshold)
    pixeldq |= threshold_dq
    pixeldq[np.isnan(threshold)] |= _NO_SAT_CHECK
    for ramp, dq in zip(data, groupdq, strict=True):
        _forward(ramp, dq, limit, grow)
        if nframes is not None:
            _look_back(ramp, dq, limit, no_check, grow, nframes)
            _second_group(ramp, dq, limit, np.zeros_like(limit) if bias is None else bias, nframes)
    if zeroframe is not None:
        for frame in zeroframe:
            frame[_dilate(frame >= limit, grow) | (frame <= 0)] = 0


def _dilate(mask: NDArray[np.bool_], grow: int) -> NDArray[np.bool_]:
    return binary_dilation(mask, np.ones((2 * grow + 1,) * 2, bool)) if grow > 0 else mask


def _forward(ramp: F32, dq: U8, limit: F32, grow: int) -> None:
    """Flag each saturated sample and all that follow it; grow the flags within each group."""
    seen = np.zeros(limit.shape, bool)
    for plane, flags in zip(ramp, dq, strict=True):
        seen |= plane >= limit
        flags[seen] |= _SATURATED
        flags[plane <= 0] |= _FLOOR
        flags[_dilate((flags & _SATURATED) != 0, grow)] |= _SATURATED


def _look_back(ramp: F32, dq: U8, limit: F32, no_check: NDArray[np.bool_], grow: int, nframes: int) -> None:
    """Reject a group whose last frames may have saturated though their mean did not.

    A steady ramp that saturates in the last frame of group g has there a mean of
    limit × (mean frame number) / (last frame number). This counts only if the next group is saturated.
    """
    if nframes == 1:
        return
    for g in range(len(ramp) - 2, -1, -1):
        mean_frame, last_frame = g * nframes + (nframes + 1) / 2, (g + 1) * nframes
        level = limit * np.where(no_check, 1.0, mean_frame / last_frame)  # float64, as the comparison below
        usable = (dq[g] & (_SATURATED | _DO_NOT_USE)) == 0
        partly = (ramp[g] >= level) & usable & ((dq[g + 1] & _SATURATED) != 0)
        dq[g][_dilate(partly, grow)] |= _DO_NOT_USE


def _second_group(ramp: F32, dq: U8, limit: F32, bias: F32, nframes: int) -> None:
    """Reject a second group that an event in its last frame carried towards saturation.

    Three signs together: the first group predicts an unsaturated third one, the step from the first to
    the second group is larger than one saturating frame would add, and the third group is saturated.
    """
    if len(ramp) < 3:
        return
    mean_first, last_third = np.float64((nframes + 1) / 2), 3 * nframes
    predicted = (ramp[0] - bias) / mean_first * last_third + bias
    step = (ramp[1] - ramp[0]) > (limit - ramp[0]) / nframes
    late = ((dq[2] & _SATURATED) != 0) & ((dq[1] & _SATURATED) == 0)
    dq[1][(predicted < limit) & step & late] |= _DO_NOT_USE
