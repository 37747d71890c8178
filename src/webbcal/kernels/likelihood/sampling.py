"""The read-out of a ramp, and what follows from it alone: planned once, then arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: With fewer, there is nothing to compare a difference with.
FEWEST_GROUPS = 4


@dataclass(frozen=True, slots=True)
class JumpThresholds:
    """By how much chi-square must fall before differences count as jumps.

    Attributes
    ----------
    one, two : float
        If one difference is left out, or two neighbours. The defaults are 4.5 sigma each (paper II, 3.3).
    """

    one: float = 20.25
    two: float = 23.8


@dataclass(frozen=True, slots=True)
class Sampling:
    """Times of a ramp in the symbols of paper I; n is the number of differences.

    Attributes
    ----------
    delta_t : array, shape (n,)
        Seconds between the mean times of consecutive groups (eq. 4).
    alpha_photon, alpha_read : array, shape (n,)
        Variance of a difference over `delta_t`, for unit rate and unit read noise of a frame (eq. 28).
    beta_photon, beta_read : array, shape (n - 1,)
        Its covariance with the next one (eq. 29).
    pairs : array of bool, shape (n - 1,)
        Whether a jump may be within the group between two differences, so that it is in both.
    splits_first : bool
        Whether the first frame of the first group, which is the ZEROFRAME, is a group of its own.
    nframes : int
        Frames averaged into a group.
    """

    delta_t: np.ndarray
    alpha_photon: np.ndarray
    alpha_read: np.ndarray
    beta_photon: np.ndarray
    beta_read: np.ndarray
    pairs: np.ndarray
    splits_first: bool = False
    nframes: int = 1


def read_times(ngroups: int, nframes: int, groupgap: int, frame_time: float) -> list[np.ndarray]:
    """Return the times (s) at which the frames of each group are read, for evenly spaced groups."""
    frames = np.arange(1, nframes + 1)
    return [(frames + g * (nframes + groupgap)) * frame_time for g in range(ngroups)]


def sampling(times: Sequence[np.ndarray], zeroframe: bool = False) -> Sampling:
    """Plan the fit of a read-out.

    Parameters
    ----------
    times : sequence of array
        Read times of each group, as of `read_times`.
    zeroframe : bool
        Whether there is a ZEROFRAME. It makes a group of its own if the first group has frames besides it.
    """
    nframes = len(times[0])
    splits = zeroframe and nframes > 1
    groups = [times[0][:1], times[0][1:], *times[1:]] if splits else list(times)
    n = np.array([len(t) for t in groups])
    mean = np.array([np.mean(t) for t in groups])
    # eq. 11: photons of the first frame's interval are in all frames, those of the last one's in one
    tau = np.array([np.sum((2 * len(t) - 1 - 2 * np.arange(len(t))) * t) / len(t) ** 2 for t in groups])
    delta_t = np.diff(mean)
    between = delta_t[1:] * delta_t[:-1]
    return Sampling(
        delta_t,
        (tau[:-1] + tau[1:] - 2 * mean[:-1]) / delta_t**2,
        (1 / n[:-1] + 1 / n[1:]) / delta_t**2,
        (mean[1:-1] - tau[1:-1]) / between,
        -1 / (n[1:-1] * between),
        n[1:-1] > 1,
        splits,
        nframes,
    )
