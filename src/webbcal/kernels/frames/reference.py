"""Decoding and averaging of frames in plain NumPy: the definition of the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def decode_uint16(raw: NDArray[Any], out: NDArray[np.float32]) -> None:
    """Turn the bytes of a FITS uint16 array into float32.

    Parameters
    ----------
    raw : ndarray, any shape, 2 bytes a sample
        Bytes as in the file: big-endian int16 with BZERO = 32768. Any C-contiguous array of the right
        number of bytes will do (uint8, int16, '>i2').
    out : float32
        Receives the values; as many samples as `raw` has, C-contiguous.
    """
    stored = np.ascontiguousarray(raw).reshape(-1).view(np.uint8).view(">i2")
    out.reshape(-1)[:] = stored.astype(np.int32) + 32768


def average_frames(frames: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Average frames of a dark reference into one group.

    Parameters
    ----------
    frames : (nframes, rows, nx) float32, native or big-endian (as in a FITS file)
        NaN counts as 0.
    out : (rows, nx) float32
        Receives the mean, summed in float32 in the order of the frames (as ``numpy.mean`` does it).
    """
    native = np.nan_to_num(frames.astype(np.float32), nan=0.0, posinf=None, neginf=None)
    native[np.isinf(frames)] = frames[np.isinf(frames)]  # only NaN is replaced
    out[:] = native[0] if len(native) == 1 else native.mean(axis=0)


def zero_for_nan(stored: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values of a reference file with 0 where there is none.

    Parameters
    ----------
    stored : (..., nx) float32, native or big-endian (as in a FITS file), C-contiguous
        It may be changed.

    Returns
    -------
    float32 of the same shape, native
    """
    native = stored.astype(np.float32)
    native[np.isnan(native)] = 0
    return native
