"""Linearity correction in plain NumPy: the definition that the compiled kernel must reproduce."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]

_SATURATED = np.uint8(dqflags.group["SATURATED"])
_NO_LIN_CORR = np.uint32(dqflags.pixel["NO_LIN_CORR"])


def linearize(
    data: F32,
    groupdq: U8,
    pixeldq: U32,
    coeffs: F32,
    coeffs_dq: U32,
    *,
    inverse: F32 | None = None,
    nframes: int = 1,
    zeroframe: F32 | None = None,
) -> None:
    """Correct ramps for the detector's non-linearity, in place.

    Parameters
    ----------
    data : (nints, ngroups, rows, nx) float32
        Ramps in DN. Saturated samples keep their value.
    groupdq : (nints, ngroups, rows, nx) uint8
        Not changed.
    pixeldq : (rows, nx) uint32
        Gains `coeffs_dq`, and NO_LIN_CORR where a coefficient is NaN or the linear one is zero.
    coeffs : (ncoeffs, rows, nx) float32
        Polynomial coefficients, constant term first.
    coeffs_dq : (rows, nx) uint32
        Their flags: pixels with NO_LIN_CORR are left as they are.
    inverse : (ncoeffs2, rows, nx) float32 or None
        Coefficients from linear to measured signal. With `nframes` > 1 and at least two groups they
        switch on the correction by frame.
    nframes : int
        Frames averaged into a group. Frames dropped between groups are not counted, as in the official
        pipeline.
    zeroframe : (nints, rows, nx) float32 or None
        First frames, corrected like a group; zeros stay.

    Raises
    ------
    ValueError
        If there are fewer than two coefficients.
    """
    if len(coeffs) < 2:
        raise ValueError(f"a linearity polynomial needs at least 2 coefficients, not {len(coeffs)}")
    forward = _prepared(coeffs, coeffs_dq, pixeldq)
    by_frame = inverse is not None and nframes > 1 and data.shape[1] > 1
    backward = _prepared(inverse, coeffs_dq, pixeldq) if inverse is not None and by_frame else None
    for ramp, dq in zip(data, groupdq, strict=True):
        saturated = (dq & _SATURATED) != 0
        if backward is not None:
            _by_frame(ramp, saturated, forward, backward, nframes)
        else:
            ramp[:] = np.where(saturated, ramp, polynomial(ramp, forward))
    if zeroframe is not None:
        zeroframe[:] = np.where(zeroframe == 0, zeroframe, polynomial(zeroframe, forward))


def polynomial(x: NDArray[Any], coeffs: NDArray[Any]) -> NDArray[Any]:
    """Evaluate by Horner's rule in the precision of the arguments; the order of operations matters."""
    result = coeffs[-1] * x
    for c in coeffs[-2:0:-1]:
        result = (result + c) * x
    return np.asarray(result + coeffs[0])


def _prepared(coeffs: F32, coeffs_dq: U32, pixeldq: U32) -> F32:
    """Return coefficients with unusable pixels made the identity; flag those pixels."""
    bad = np.isnan(coeffs).any(axis=0) | (coeffs[1] == 0)
    pixeldq |= coeffs_dq
    pixeldq[bad] |= _NO_LIN_CORR
    bad |= (coeffs_dq & _NO_LIN_CORR) != 0
    coeffs = coeffs.copy()
    coeffs[:, bad] = 0
    coeffs[1, bad] = 1
    return coeffs


def _by_frame(ramp: F32, saturated: NDArray[np.bool_], forward: F32, backward: F32, nframes: int) -> None:
    """Correct one integration frame by frame (float64 but for the two anchors of the line)."""
    # The last group before saturation may hold saturated frames, so the line ends one group earlier.
    last = np.maximum((~saturated).sum(axis=0) - 1, 2) - 1
    mean_frame = np.arange(len(ramp)) * nframes + (nframes + 1) / 2
    linear = np.where(saturated, ramp, polynomial(ramp, forward))
    first = linear[0].copy()
    end = np.take_along_axis(linear, last[None], axis=0)[0]
    rate = (end - first) / (mean_frame[last] - mean_frame[0])
    for g, plane in enumerate(ramp):
        since = np.arange(g * nframes + 1, (g + 1) * nframes + 1) - mean_frame[0]
        frames = polynomial(first + rate * since[:, None, None], backward)
        frames += plane - frames.mean(axis=0)
        plane[:] = np.where(saturated[g], plane, polynomial(frames, forward).mean(axis=0))
