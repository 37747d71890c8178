"""Decoding and averaging of frames, compiled: see `webbcal.kernels.frames.reference`.

All read the bytes as they lie in the FITS file, so that no separate pass swaps them.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.arrays import inplace
from webbcal.kernels.compiling import kernel

_LITTLE = sys.byteorder == "little"


def decode_uint16(raw: NDArray[Any], out: NDArray[np.float32]) -> None:
    """Turn the bytes of a FITS uint16 array into float32; as `reference.decode_uint16`."""
    samples = np.require(raw, requirements=["C", "W"]).reshape(-1).view(np.uint8).view(np.uint16)
    target = inplace(out, np.float32, out.ndim, "out").reshape(-1)
    if samples.size != target.size:
        raise ValueError(f"{samples.size} samples do not fill an array of {target.size}")
    _decode(samples, target, _LITTLE)


def average_frames(frames: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Average frames of a dark reference into one group; as `reference.average_frames`."""
    if frames.dtype.newbyteorder("=") != np.float32 or frames.shape[1:] != out.shape:
        raise TypeError(f"cannot average {frames.dtype} frames of {frames.shape[1:]} into {out.shape}")
    swap = not frames.dtype.isnative
    bits = np.require(frames, requirements=["C", "W"]).view(np.uint32)
    _average(bits, inplace(out, np.float32, 2, "out"), swap)


def zero_for_nan(stored: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values of a reference file with 0 where there is none, in place; as `reference.zero_for_nan`."""
    if stored.dtype.newbyteorder("=") != np.float32:
        raise TypeError(f"cannot take {stored.dtype} for float32")
    bits = np.require(stored, requirements=["C", "W"]).view(np.uint32)
    values = bits.view(np.float32)  # a row is read before it is written
    if bits.size:
        nx = bits.shape[-1]
        _average(bits.reshape(1, -1, nx), values.reshape(-1, nx), not stored.dtype.isnative)
    return values


@kernel
def _decode(samples, out, swap):  # type: ignore[no-untyped-def]
    # int16 + 32768 is the same as flipping the sign bit and reading the result as unsigned.
    if swap:
        for k in range(samples.size):
            v = samples[k]
            out[k] = np.float32(np.uint16((v << np.uint16(8)) | (v >> np.uint16(8))) ^ np.uint16(0x8000))
    else:
        for k in range(samples.size):
            out[k] = np.float32(samples[k] ^ np.uint16(0x8000))


@kernel
def _average(bits, out, swap):  # type: ignore[no-untyped-def]
    nframes, ny, nx = bits.shape
    word = np.empty(nx, np.uint32)
    value = word.view(np.float32)
    for y in range(ny):
        total = out[y]
        for k in range(nframes):
            row = bits[k, y]
            for x in range(nx):
                v = row[x]
                if swap:
                    outer = (v << np.uint32(24)) | (v >> np.uint32(24))
                    inner = ((v & np.uint32(0xFF00)) << np.uint32(8)) | (
                        (v >> np.uint32(8)) & np.uint32(0xFF00)
                    )
                    v = np.uint32(outer | inner)
                word[x] = v
            for x in range(nx):
                v32 = np.float32(0) if np.isnan(value[x]) else value[x]
                total[x] = v32 if k == 0 else total[x] + v32
        if nframes > 1:
            for x in range(nx):
                total[x] = total[x] / np.float32(nframes)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    out = np.empty((1, 1), np.float32)
    decode_uint16(np.zeros((1, 1), np.uint16), out)
    average_frames(np.zeros((1, 1, 1), np.float32), out)
