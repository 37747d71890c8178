"""The samples of a pixel up the ramp: read, told apart by their flags, and the rate of the pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.errors import InputError
from webbcal.plots.inputs import array_of, name_of, opened, optional_array, unit_of
from webbcal.run.exposure import meta_value

F64 = NDArray[np.float64]

JUMP = dqflags.group["JUMP_DET"]
#: Groups that no fit uses.
BAD = dqflags.group["SATURATED"] | dqflags.group["DO_NOT_USE"]


@dataclass(frozen=True)
class Samples:
    """The samples of a pixel in an integration.

    Attributes
    ----------
    x, y, integration : int
    values : ndarray
        One a group.
    flags : ndarray
        One a group.
    group_time : float or None
        Seconds from group to group, if the exposure says.
    unit, name : str
        Of the values, and what the exposure is called.
    """

    x: int
    y: int
    integration: int
    values: F64
    flags: NDArray[np.uint8]
    group_time: float | None
    unit: str
    name: str

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which groups a fit may use."""
        return ((self.flags & BAD) == 0) & np.isfinite(self.values)

    @property
    def jumps(self) -> NDArray[np.bool_]:
        """Which groups are flagged as the first after a jump."""
        return (self.flags & JUMP) != 0

    def abscissa(self, time: bool) -> F64:
        """Return where the samples are: numbers of groups, or seconds since the first.

        Raises
        ------
        InputError
            If the time is asked for, and the exposure does not say how long a group is.
        """
        return np.arange(len(self.values), dtype=float) * (self.seconds if time else 1.0)

    @property
    def seconds(self) -> float:
        """Seconds from group to group.

        Raises
        ------
        InputError
            If the exposure does not say.
        """
        if not self.group_time:
            raise InputError(
                f"{self.name}: does not say how long a group is: set TGROUP (meta.exposure.group_time)"
            )
        return self.group_time

    def stretches(self) -> Iterator[NDArray[np.intp]]:
        """Yield the good groups between jumps, stretch by stretch."""
        good = self.good
        starts = np.flatnonzero(self.jumps | ~good)
        for part in np.split(np.arange(len(good)), starts):
            if (kept := part[good[part]]).size:
                yield kept

    def typical_step(self) -> float:
        """Return the median difference of good neighbours without a jump between; or NaN."""
        steps = [np.diff(self.values[part]) for part in self.stretches()]
        steps = [step for step in steps if step.size]
        return float(np.median(np.concatenate(steps))) if steps else np.nan


def check_ramp(model: Any) -> tuple[int, ...]:
    """Return the shape of a ramp.

    Raises
    ------
    InputError
        If it is none.
    """
    shape = array_of(model, "data", "a ramp: _uncal, _ramp or a stage between").shape
    if len(shape) != 4:
        raise InputError(
            f"{name_of(model)}: its data of shape {tuple(shape)} are no ramp (integrations, groups, rows, "
            "columns); give an _uncal or _ramp product, or what a step of stage 1 has saved"
        )
    return tuple(shape)


def samples_of(source: Any, x: int, y: int, integration: int = 0) -> Samples:
    """Return the samples of a pixel of a ramp (model or path); nothing else is read.

    Raises
    ------
    InputError
        If it is no ramp, or has no such pixel or integration.
    """
    with opened(source) as model:
        shape = check_ramp(model)
        name = name_of(model)
        check_pixel(name, x, y, shape)
        if not -shape[0] <= integration < shape[0]:
            raise InputError(f"{name}: has no integration {integration}: it has {shape[0]}, counted from 0")
        place = integration % shape[0], slice(None), slice(y, y + 1), slice(x, x + 1)
        values = array_of(model, "data").read(*place)[:, 0, 0].astype(float)
        flags = optional_array(model, "groupdq")
        of_groups = np.zeros(shape[1], np.uint8) if flags is None else flags.read(*place)[:, 0, 0]
        time = meta_value(model, "meta.exposure.group_time")
        seconds = None if time is None else float(time)
        return Samples(x, y, integration % shape[0], values, of_groups, seconds, unit_of(model), name)


def check_pixel(name: str, x: int, y: int, shape: tuple[int, ...]) -> None:
    """Make sure that a pixel is in an array.

    Raises
    ------
    InputError
        If it is not.
    """
    ny, nx = shape[-2:]
    if not (0 <= x < nx and 0 <= y < ny):
        raise InputError(
            f"{name}: has no pixel at column {x}, row {y}: columns are 0 to {nx - 1}, rows 0 to {ny - 1}"
        )


def slope_of(rate: Any, x: int, y: int, integration: int = 0) -> float:
    """Return the rate of a pixel, from a `_rate`, or that of its integration, from a `_rateints`.

    Raises
    ------
    InputError
        If it holds no rates, or not of this pixel or integration.
    """
    with opened(rate) as model:
        data = array_of(model, "data", "a _rate or _rateints")
        name = name_of(model)
        check_pixel(name, x, y, data.shape)
        place = slice(y, y + 1), slice(x, x + 1)
        if len(data.shape) == 2:
            return float(data.read(*place)[0, 0])
        if len(data.shape) != 3 or integration >= data.shape[0]:
            raise InputError(
                f"{name}: its data of shape {tuple(data.shape)} have no rate of integration {integration}; "
                "give the _rate or _rateints of the same exposure"
            )
        return float(data.read(integration, *place)[0, 0])
