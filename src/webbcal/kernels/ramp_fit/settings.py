"""Parameters of ramp fitting, and the weights of the fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from webbcal.core import dqflags

#: A segment whose signal-to-noise ratio is below ``SNR_LIMITS[i]`` is weighted with power ``POWERS[i]`` of
#: the distance from its middle, and with the last power above the last limit (Fixsen et al. 2000, PASP 112,
#: 1350).
SNR_LIMITS = (5.0, 10.0, 20.0, 50.0, 100.0)
POWERS = (0.0, 0.4, 1.0, 3.0, 6.0, 10.0)

#: Variances from here on mean "unknown" and are written as 0.
LARGE_VARIANCE = 1.0e6


@dataclass(frozen=True, slots=True)
class RampFitSettings:
    """Settings of `fit_ramps`.

    Attributes
    ----------
    group_time, frame_time : float
        Seconds from group to group, and to read a frame.
    nframes, groupgap, drop_frames1 : int
        Frames averaged into a group, dropped between groups, and dropped before the first group.
    suppress_one_group : bool
        Treat a ramp with a single good group as one without any. Otherwise, such a ramp gets the rate of its
        first group, and one without any good group that of the ZEROFRAME. Has no effect on exposures of one
        group.
    save_opt : bool
        Also return the fit of every segment.
    """

    group_time: float
    frame_time: float
    nframes: int = 1
    groupgap: int = 0
    drop_frames1: int = 0
    suppress_one_group: bool = True
    save_opt: bool = False

    @property
    def times(self) -> tuple[float, float, float]:
        """Seconds of a group, of a frame, and to the mean of the first group.

        The first two are rounded to float32, as in the official pipeline.
        """
        frame_time = float(np.float32(self.frame_time))
        return float(np.float32(self.group_time)), frame_time, (self.nframes + 1.0) * frame_time / 2.0

    @property
    def pedestal_groups(self) -> float:
        """Groups from reset to the mean time of the first group."""
        return ((self.nframes + 1) / 2.0 + self.drop_frames1) / (self.nframes + self.groupgap)

    @property
    def noise_factor(self) -> float:
        """What divides the noise of a two-frame difference to give the noise of a group."""
        return float(np.sqrt(2.0 * self.nframes))


class Weights(NamedTuple):
    """Weights of segments of 1 to `ngroups` groups, for each of `POWERS`.

    Attributes
    ----------
    coefficients : array, shape (2, len(POWERS), ngroups * (ngroups + 1) // 2)
        What to multiply the samples with, such that the sum is the slope per group; and the weights. Those of
        a segment of n groups start at element ``n * (n - 1) // 2``.
    moments : array, shape (2, len(POWERS), ngroups + 1)
        Sum of the weights, and of weight times squared distance from the middle, by number of groups.
    """

    coefficients: np.ndarray
    moments: np.ndarray


@lru_cache(maxsize=8)
def weights(ngroups: int) -> Weights:
    """Compute the weights for all segments of an exposure with `ngroups` groups."""
    coefficients = np.zeros((2, len(POWERS), ngroups * (ngroups + 1) // 2))
    moments = np.zeros((2, len(POWERS), ngroups + 1))
    for n in range(3, ngroups + 1):
        here = slice(n * (n - 1) // 2, n * (n + 1) // 2)
        distance = np.arange(n) - (n - 1) / 2.0
        relative = np.abs(distance) / ((n - 1) / 2.0)
        for p, power in enumerate(POWERS):
            # in float32, as in the official pipeline: nearly flat ramps show it
            weight = (relative.astype(np.float32) ** np.float32(power)).astype(np.float64)
            moments[:, p, n] = weight.sum(), (weight * distance**2).sum()
            coefficients[:, p, here] = weight * distance / moments[1, p, n], weight
    return Weights(coefficients, moments)


@dataclass(frozen=True, slots=True)
class GroupRange:
    """Groups to use, ``first <= group <= last``, and what to warn about.

    Attributes
    ----------
    first, last : int
    warnings : tuple of str
    end_dropped : bool
        The last group of ramps is as if it did not exist: no flag of it counts.
    """

    first: int
    last: int
    warnings: tuple[str, ...] = ()
    end_dropped: bool = False

    def apply(self, groupdq: np.ndarray) -> None:
        """Flag the groups outside the range as DO_NOT_USE, in place; groups are the second axis."""
        dnu = np.uint8(dqflags.group["DO_NOT_USE"])
        groupdq[:, : self.first] |= dnu
        groupdq[:, self.last + 1 :] |= dnu
        if self.end_dropped:
            groupdq[:, -1] = dnu


def group_range(firstgroup: int | None, lastgroup: int | None, ngroups: int) -> GroupRange:
    """Turn the step's `firstgroup` and `lastgroup` (0-based, inclusive) into a valid range."""
    first, last = firstgroup or 0, ngroups - 1 if lastgroup is None else lastgroup
    messages = []
    if first < 0:
        messages.append(f"firstgroup ({first}) is negative: using 0")
        first = 0
    if last >= ngroups:
        messages.append(f"lastgroup ({last}) is beyond the last group: using {ngroups - 1}")
        last = ngroups - 1
    if first >= last and (firstgroup is not None or lastgroup is not None):
        messages.append(f"firstgroup ({first}) is not before lastgroup ({last}): using all groups")
        first, last = 0, ngroups - 1
    return GroupRange(first, last, tuple(messages))


def check_band(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    average_dark_current: np.ndarray | None,
    zeroframe: np.ndarray | None,
) -> None:
    """Raise ValueError unless the arrays of a band have the types and shapes that the kernels expect."""
    image = data.shape[2:]
    arrays = [
        ("data", data, np.float32, data.shape[:2] + image),
        ("groupdq", groupdq, np.uint8, data.shape),
        ("pixeldq", pixeldq, np.uint32, image),
        ("gain", gain, np.float32, image),
        ("readnoise", readnoise, np.float32, image),
        ("average_dark_current", average_dark_current, np.float32, image),
        ("zeroframe", zeroframe, np.float32, data.shape[:1] + image),
    ]
    for name, array, dtype, shape in arrays:
        if array is None:
            continue
        if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(
                f"{name} must be a C-contiguous {np.dtype(dtype)} array of shape {shape}, "
                f"not {array.dtype} {array.shape}"
            )
