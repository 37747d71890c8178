"""What all ways to fit a ramp have in common (compiled)."""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.compiling import helper
from webbcal.kernels.ramp_fit.settings import LARGE_VARIANCE, SNR_LIMITS

DNU, SATURATED, JUMP = (np.uint32(dqflags.pixel[name]) for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))
PERSISTENCE, CHARGELOSS = (np.uint32(dqflags.pixel[name]) for name in ("PERSISTENCE", "CHARGELOSS"))
BAD = DNU | SATURATED
GOOD_MASK = np.uint32(0xFF) ^ PERSISTENCE

#: Rows of the results of a block.
SLOPE, POISSON, RNOISE, ERR = 0, 1, 2, 3
_LIMITS = np.array(SNR_LIMITS)


@helper
def read_noise_variance(noise, gain, time, length):  # type: ignore[no-untyped-def]
    """Variance of the slope of a segment by read noise: `noise` is that of a group, in electrons."""
    if length > 2 and not gain > 0.0:
        return 0.0
    n = np.float64(max(length, 2))
    scaled = noise / (time * gain)
    return 12.0 * scaled * scaled / (n * n * n - n)


@helper
def power_index(signal, gain, noise):  # type: ignore[no-untyped-def]
    """Which of `POWERS` suits the signal-to-noise ratio of a segment (the last if that is NaN)."""
    variance = noise * noise + signal * gain
    ratio = signal * gain / np.sqrt(variance)
    ratio = 0.0 if variance <= 0.0 or gain == 0.0 else ratio
    index = 0
    for p in range(_LIMITS.size):
        index += 0 if ratio < _LIMITS[p] else 1
    return index


@helper
def known(variance):  # type: ignore[no-untyped-def]
    """The variance, or zero where it is so large that it means that nothing is known."""
    return 0.0 if variance >= LARGE_VARIANCE else variance
