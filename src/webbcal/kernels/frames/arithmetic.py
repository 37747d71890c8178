"""Steps that are one pass of NumPy over the band: scaling, data-quality masks, images subtracted.

A compiled version would move the same bytes in the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])


def group_scale_skip_reason(nframes: int | None, frame_divisor: int | None) -> str | None:
    """Return why groups need no rescaling, or None if they do.

    On board, a sum of `nframes` frames is divided by `frame_divisor`, a power of two.
    """
    if nframes is None:
        return "NFRAMES is missing"
    if frame_divisor is None:
        if nframes & (nframes - 1) == 0:
            return f"NFRAMES={nframes} is a power of 2"
        return "FRMDIVSR is missing"
    return "NFRAMES and FRMDIVSR are equal" if nframes == frame_divisor else None


def scale_groups(data: F32, nframes: int, frame_divisor: int) -> None:
    """Turn groups divided by `frame_divisor` into means of `nframes` frames, in place."""
    data *= np.float32(float(frame_divisor) / nframes)


def init_dq(pixeldq: U32, mask: U32, groupdq: U8 | None = None, user_dq: NDArray[Any] | None = None) -> None:
    """Start the data quality from the bad-pixel mask, in place.

    Parameters
    ----------
    pixeldq : (rows, nx) uint32
        Keeps the flags that the input came with and gains those of the mask.
    mask : (rows, nx) uint32
        Bad-pixel mask with standard bits (see `webbcal.core.dqmap`).
    groupdq : (nints, ngroups, rows, nx) uint8 or None
        Gains DO_NOT_USE where the mask has it; None for guide-star exposures, which have none.
    user_dq : (rows, nx) integer or None
        Flags that the user adds to the mask.

    Raises
    ------
    ValueError
        If the user's flags have another shape.
    """
    if user_dq is not None:
        if user_dq.shape != mask.shape:
            raise ValueError(f"user_supplied_dq has shape {user_dq.shape}, expected {mask.shape}")
        mask = mask | user_dq.astype(mask.dtype)
    pixeldq |= mask
    if groupdq is not None:
        bad = (mask & _DO_NOT_USE).astype(np.uint8)
        if bad.any():
            groupdq |= bad


def subtract_bias(data: F32, pixeldq: U32, bias: F32, bias_dq: U32, zeroframe: F32 | None = None) -> None:
    """Subtract the superbias from every group, in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, nx) float32
    pixeldq : (rows, nx) uint32
        Gains `bias_dq`.
    bias, bias_dq : (rows, nx) float32 and uint32
        Superbias (NaN counts as 0) and its flags.
    zeroframe : (nints, rows, nx) float32 or None
        First frames; zeros mean "no value" and stay.
    """
    clean = np.where(np.isnan(bias), np.float32(0), bias)
    pixeldq |= bias_dq
    data -= clean
    if zeroframe is not None:
        np.subtract(zeroframe, clean, out=zeroframe, where=zeroframe != 0)


def subtract_dark(data: F32, pixeldq: U32, dark: NDArray[Any], dark_dq: U32) -> None:
    """Subtract a dark from each integration, in place. The zero frame has no dark subtracted.

    Parameters
    ----------
    data : (nints, ngroups, rows, nx) float32
    pixeldq : (rows, nx) uint32
        Gains `dark_dq`.
    dark : (ngroups, rows, nx) float32 or float64
        From `webbcal.kernels.frames.dark.dark_groups`.
    dark_dq : (rows, nx) uint32
    """
    pixeldq |= dark_dq
    np.subtract(data, dark, out=data, casting="same_kind")


def scale_rates(arrays: Mapping[str, F32 | None], gain_factor: float) -> None:
    """Multiply a rate product by the gain factor, in place.

    `arrays` holds the product's arrays by attribute: ``data`` and ``err`` are multiplied by the factor,
    ``var_poisson`` and ``var_rnoise`` by its square; others and None are left alone.
    """
    factors = {"data": 1, "err": 1, "var_poisson": 2, "var_rnoise": 2}
    for name, array in arrays.items():
        if array is not None and name in factors:
            array *= np.float32(gain_factor ** factors[name])
