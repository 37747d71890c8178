"""The dark current of an exposure from a dark reference with single frames.

The reference is long (60 frames of a full detector are 1 GB) and reading it is the cost of the step. So
the plan comes first: which frames make which group; then only those are read, band by band, and
averaged as they lie in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.frames import reference

#: Reads frames [start, stop) of the dark reference, cut to the band: (frames, rows, nx) float32, native
#: or big-endian.
ReadFrames = Callable[[int, int], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class DarkPlan:
    """How a dark reference becomes the dark of an exposure.

    Attributes
    ----------
    groups : tuple of range
        Frames of the dark (groups, if it was taken with the same pattern) in each group.
    available : int
        Frames that the reference has; later ones continue its last difference.
    matched : bool
        The dark was taken with the read pattern of the exposure.
    skip : str or None
        Why no dark can be subtracted.
    """

    groups: tuple[range, ...]
    available: int
    matched: bool
    skip: str | None = None

    @property
    def extrapolated(self) -> bool:
        """Whether the dark is shorter than the exposure."""
        return bool(self.groups) and self.groups[-1].stop > self.available

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames of the reference that have to be read, in order."""
        wanted = {k for group in self.groups for k in group if k < self.available}
        if self.extrapolated:
            wanted |= {self.available - 2, self.available - 1}
        return tuple(sorted(wanted))


def plan_dark(
    ngroups: int,
    nframes: int,
    groupgap: int,
    dark_ngroups: int,
    dark_nframes: int = 1,
    dark_groupgap: int = 0,
) -> DarkPlan:
    """Match a dark reference to the read pattern of an exposure.

    Parameters
    ----------
    ngroups, nframes, groupgap : int
        Groups of an integration, frames averaged into each, frames dropped after each.
    dark_ngroups, dark_nframes, dark_groupgap : int
        The same of the dark reference.
    """
    matched = (nframes, groupgap) == (dark_nframes, dark_groupgap)
    step = 1 if matched else nframes + groupgap
    width = 1 if matched else nframes
    groups = tuple(range(g * step, g * step + width) for g in range(ngroups))
    skip = None
    if dark_nframes > nframes or dark_groupgap > groupgap:
        skip = (
            f"the dark (nframes={dark_nframes}, groupgap={dark_groupgap}) is sampled more coarsely than "
            f"the exposure (nframes={nframes}, groupgap={groupgap})"
        )
    elif not matched and (dark_nframes, dark_groupgap) != (1, 0):
        skip = f"a dark of averaged frames (nframes={dark_nframes}) fits only exposures of its own pattern"
    elif groups[-1].stop > dark_ngroups and dark_ngroups < 2:
        skip = "the dark has a single frame and cannot be extrapolated"
    return DarkPlan(groups, dark_ngroups, matched, skip)


def dark_groups(
    read: ReadFrames,
    plan: DarkPlan,
    frames: Any = reference,
) -> NDArray[Any]:
    """Return the dark of one band, group by group.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` gives those frames of the reference for the band. It is called in order,
        only for frames that are needed.
    plan : DarkPlan
        From `plan_dark`, without a reason to skip.
    frames : module or Kernels
        `webbcal.kernels.frames.cpu` (or `reference`).

    Returns
    -------
    (ngroups, rows, nx) float32
        NaN in the reference counts as 0. Where the dark was extrapolated and needed no averaging, the
        array is float64, so that the subtraction rounds once, as in the official pipeline.
    """
    if plan.extrapolated:
        return _extrapolated(read, plan)
    if plan.matched:
        found: NDArray[np.float32] = frames.zero_for_nan(read(plan.groups[0].start, plan.groups[-1].stop))
        return found
    out: NDArray[np.float32] | None = None
    for g, group in enumerate(plan.groups):
        some = read(group.start, group.stop)
        if out is None:
            out = np.empty((len(plan.groups), *some.shape[1:]), np.float32)
        frames.average_frames(some, out[g])
    assert out is not None, "a plan has at least one group"
    return out


def _extrapolated(read: ReadFrames, plan: DarkPlan) -> NDArray[Any]:
    """Groups of a dark that is too short: it goes on with the difference of its last two frames.

    All in float64, from the float32 difference.
    """
    previous, last = (np.asarray(f, np.float32) for f in read(plan.available - 2, plan.available))
    rate = (last - previous).astype(np.float64)
    groups = []
    for group in plan.groups:
        stop = min(group.stop, plan.available)
        known = list(read(group.start, stop).astype(np.float64)) if group.start < stop else []
        beyond = range(max(group.start, plan.available), group.stop)
        frames = np.array(known + [(k - plan.available + 1) * rate + last for k in beyond])
        frames[np.isnan(frames)] = 0.0
        groups.append(frames[0] if len(frames) == 1 else frames.mean(axis=0))
    return np.array(groups, np.float64 if plan.matched else np.float32)


def average_dark_current(
    parameter: float | None,
    reference_map: NDArray[Any] | None,
    reference_value: float | None,
    shape: tuple[int, int],
) -> tuple[NDArray[np.float32] | None, str]:
    """Choose the average dark current (electrons/s) whose shot noise the slope fit adds.

    Parameters
    ----------
    parameter : float or None
        The user's value: it wins.
    reference_map : ndarray or None
        Map in the dark reference, used next if it is not all zero (its sum is not 0).
    reference_value : float or None
        Single value in the dark reference.
    shape : (rows, columns)
        Shape of the exposure.

    Returns
    -------
    value : (rows, columns) float32 or None
        None leaves the exposure's array alone: the map does not fit it.
    origin : str
        Where the value comes from, for the run record.
    """
    if parameter is not None:
        return np.full(shape, parameter, np.float32), f"parameter ({parameter} e-/s)"
    if reference_map is not None and np.sum(reference_map) != 0:
        if reference_map.shape != tuple(shape):
            return None, f"map of the dark reference not used: shape {reference_map.shape}, expected {shape}"
        return np.asarray(reference_map, np.float32), "map of the dark reference"
    value = 0.0 if reference_value is None else reference_value
    return np.full(shape, value, np.float32), f"dark reference ({value} e-/s)"
