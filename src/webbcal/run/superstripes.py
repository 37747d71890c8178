"""Superstripes: exposures of which each integration reads other lines, until a cycle has read them all.

What the integrations at one position of the cycle have read are stripes like any others (NIRCam DHS,
`webbcal.references.stripes`), so steps take them as an exposure of their own: `position`. When the reference
pixels are done with, `Assembly` puts the positions together: an integration of the result is a cycle. Lines
that are read several times in a frame become groups of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.errors import InputError
from webbcal.io.scratch import mapped
from webbcal.references.stripes import LINES, Stripe, stripes_of

#: Subarrays that are put together as all lines of the detector, also those that no superstripe has read.
_ALL_LINES = ("SUB17STRIPE_SOSS", "SUB60STRIPE_SOSS", "SUB204STRIPE_SOSS", "SUB680STRIPE_SOSS")
_PIXELDQ_UNREAD = np.uint32(dqflags.pixel["REFERENCE_PIXEL"])
#: ``meta.subarray`` of superstripes, which the frame that they make up does not have.
_KEYWORDS = (
    "multistripe_reads1", "multistripe_reads2", "multistripe_skips1", "multistripe_skips2", "repeat_stripe",
    "interleave_reads1", "num_superstripe", "superstripe_step",
)  # fmt: skip
#: Times of an integration and of a cycle, as columns of INT_TIMES.
_TIMES = ("MJD_UTC", "BJD_TDB")
#: Bytes of a whole array that stay in memory; of samples of a position that are worked on at once.
_IN_MEMORY, _AT_ONCE = 256 << 20, 128 << 20
#: Of the electronics: clock ticks at the end of a line, and seconds of a tick.
_LINE_OVERHEAD, _TICK = 12, 10.0e-6


@dataclass(frozen=True)
class Cycle:
    """What the integrations of a cycle read.

    Attributes
    ----------
    positions : tuple of tuple of Stripe
        For each integration of a cycle the stripes of a frame without the lines that lead, in the order of
        time: one, or the same lines several times.
    start, lines : int
        The first line of the frame that they make up (0-based, on the detector, science orientation), and
        how many it has.
    by_rows : bool
        Whether lines are rows of the arrays.
    """

    positions: tuple[tuple[Stripe, ...], ...]
    start: int
    lines: int
    by_rows: bool

    @classmethod
    def of_model(cls, model: Any) -> Cycle:
        """Look at a model of superstripes.

        Raises
        ------
        InputError
            If the header contradicts itself or the data, or has stripes of a kind that is not known.
        """
        name, sub = str(model.meta.filename or "input model"), model.meta.subarray
        shape = model.source("data").shape
        by_rows = abs(sub.slowaxis or 2) == 2
        _check_integrations(model, name, shape[0])
        found = []
        for k in range(sub.num_superstripe):
            part = _Subarray(sub, k, name)
            stripes = [s for s in stripes_of(part, shape[-2 if by_rows else -1], name) if not s.leads]
            found.append(tuple(stripes[::-1] if (sub.slowaxis or 0) < 0 else stripes))
        if any(s.on_detector != some[0].on_detector for some in found for s in some):
            raise InputError(
                f"{name}: several stripes in a frame of a superstripe (MSTR_RPT = {sub.repeat_stripe}, "
                f"MSTR_INT = {sub.interleave_reads1}) are not available in this version, only the same "
                "one several times (MSTR_RPT = 1)"
            )
        start = min(some[0].on_detector for some in found)
        stop = max(some[0].on_detector + len(some[0]) for some in found)
        if sub.name in _ALL_LINES:
            start, stop = 0, LINES
        return cls(tuple(found), start, stop - start, by_rows)

    def __len__(self) -> int:
        """Integrations of a cycle."""
        return len(self.positions)

    @property
    def repeats(self) -> int:
        """How often lines are read in a frame."""
        return len(self.positions[0])

    def shape(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return the shape of the ramps that superstripes of a shape make up."""
        nints, ngroups, ny, nx = shape
        frame = (self.lines, nx) if self.by_rows else (ny, self.lines)
        return (nints // len(self), ngroups * self.repeats, *frame)

    def stretches(self, shape: tuple[int, ...]) -> list[range]:
        """Return cycles that fit into memory together, for superstripes of a shape."""
        nints, ngroups, ny, nx = shape
        some = max(1, _AT_ONCE // (4 * ngroups * ny * nx))
        cycles = nints // len(self)
        return [range(first, min(first + some, cycles)) for first in range(0, cycles, some)]

    def places(self, k: int) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Return for each repeat where it lies in the arrays of a position, and in the frame."""
        return [
            (
                self._lines(s.start, s.stop),
                self._lines(s.on_detector - self.start, s.on_detector - self.start + len(s)),
            )
            for s in self.positions[k]
        ]

    def _lines(self, start: int, stop: int) -> tuple[Any, ...]:
        lines = slice(start, stop)
        return (..., lines, slice(None)) if self.by_rows else (..., lines)


class _Subarray:
    """``meta.subarray`` of a position of the cycle: stripes, of which the first comes after a longer skip."""

    def __init__(self, sub: Any, k: int, name: str) -> None:
        step = sub.superstripe_step or 0
        if not sub.multistripe_reads2 and step < 1:
            raise InputError(f"{name}: neither MSTR_RD2 nor SSTR_STP says how many lines a stripe has")
        if sub.multistripe_reads1 is None:
            raise InputError(f"{name}: SSTR_NST = {sub.num_superstripe}, but there is no MSTR_RD1 …")
        self._sub = sub
        self.num_superstripe = 0
        self.multistripe_reads2 = sub.multistripe_reads2 or step
        self.multistripe_skips1 = (sub.multistripe_skips1 or 0) + step * k

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sub, name)


def _check_integrations(model: Any, name: str, nints: int) -> None:
    """Make sure that the integrations are whole cycles."""
    count, first = model.meta.subarray.num_superstripe, model.meta.exposure.integration_start or 1
    if nints % count or (first - 1) % count:
        raise InputError(
            f"{name}: its integrations {first}–{first + nints - 1} are no whole cycles of SSTR_NST = {count} "
            "superstripes; give whole cycles, or correct the header"
        )


def is_superstriped(model: Any) -> bool:
    """Tell whether each integration of a model reads other stripes."""
    return (model.meta.subarray.num_superstripe or 0) > 0


def position(model: Any, cycle: Cycle, k: int, cycles: range) -> Any:
    """Return the integrations at position k of some cycles as an exposure in stripes."""
    from webbcal import datamodels

    count = len(cycle)
    part = datamodels.RampModel()
    part.update(model)
    sub, changed = part.meta.subarray, _Subarray(model.meta.subarray, k, str(model.meta.filename))
    sub.num_superstripe, sub.superstripe_step = 0, 0
    sub.multistripe_reads2 = changed.multistripe_reads2
    sub.multistripe_skips1 = changed.multistripe_skips1
    for name in ("data", "groupdq", "zeroframe"):
        if model.has(name):
            source = model.source(name)
            ints = [
                source.read(slice(i, i + 1))
                for i in range(cycles.start * count + k, cycles.stop * count, count)
            ]
            setattr(part, name, np.concatenate(ints))
    if model.has("pixeldq"):  # of superstripes that went through a step, each position has its own
        part.pixeldq = model.pixeldq if model.pixeldq.ndim == 2 else model.pixeldq[k]
    return part


class Woven:
    """Ramps of the positions, integration by integration, as they were before: a `SuperstripeRampModel`."""

    def __init__(self, model: Any, cycle: Cycle, scratch: Path) -> None:
        self._model, self._count, self._scratch = model, len(cycle), scratch
        self._shape = model.source("data").shape
        self._arrays: dict[str, NDArray[Any]] = {}
        self._meta: Any = None

    def add(self, k: int, cycles: range, part: Any) -> None:
        """Take the ramps of a position."""
        self._meta = self._meta or part
        count, nints = self._count, self._shape[0]
        ints = slice(cycles.start * count + k, cycles.stop * count, count)
        for name in ("data", "groupdq", "zeroframe"):
            if part.has(name):
                array = getattr(part, name)
                self._whole(name, (nints, *array.shape[1:]), array.dtype)[ints] = array
        self._whole("pixeldq", (count, *self._shape[-2:]), np.uint32)[k] = part.pixeldq

    def _whole(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        if name not in self._arrays:
            self._arrays[name] = _room(shape, dtype, self._scratch)
        return self._arrays[name]

    def finish(self) -> Any:
        """Return the model."""
        from webbcal import datamodels

        woven = datamodels.SuperstripeRampModel()
        woven.update(self._meta)
        for keyword in _KEYWORDS:
            setattr(woven.meta.subarray, keyword, getattr(self._model.meta.subarray, keyword))
        for name, array in self._arrays.items():
            setattr(woven, name, array)
        for name in ("group", "int_times"):
            if self._model.has(name):
                setattr(woven, name, getattr(self._model, name))
        return woven


class Assembly:
    """The frame that the superstripes make up; what none of them has read is NaN and REFERENCE_PIXEL."""

    def __init__(self, model: Any, cycle: Cycle, scratch: Path) -> None:
        self._model, self._cycle = model, cycle
        shape = self._shape = cycle.shape(model.source("data").shape)
        self._data = _room(shape, np.float32, scratch)
        self._data[...] = np.nan
        self._groupdq = _room(shape, np.uint8, scratch)
        self._pixeldq = np.full(shape[-2:], _PIXELDQ_UNREAD)
        self._zeroframe: NDArray[np.float32] | None = None
        self._meta: Any = None

    def add(self, k: int, cycles: range, part: Any) -> None:
        """Put the ramps of a position in some cycles in their place."""
        self._meta = self._meta or part
        ints, repeats = slice(cycles.start, cycles.stop), self._cycle.repeats
        for repeat, (here, there) in enumerate(self._cycle.places(k)):
            self._data[ints, repeat::repeats][there] = part.data[here]
            self._groupdq[ints, repeat::repeats][there] = part.groupdq[here]
            self._pixeldq[there] = part.pixeldq[here]
        if part.has("zeroframe"):
            if self._zeroframe is None:
                self._zeroframe = np.full((self._shape[0], *self._shape[-2:]), np.nan, np.float32)
            here, there = self._cycle.places(k)[0]
            self._zeroframe[ints][there] = part.zeroframe[here]

    def finish(self) -> Any:
        """Return the ramps, with the metadata and tables of the frame."""
        from webbcal import datamodels

        ramp = datamodels.RampModel()
        ramp.update(self._meta)
        ramp.data, ramp.groupdq, ramp.pixeldq = self._data, self._groupdq, self._pixeldq
        if self._zeroframe is not None:
            ramp.zeroframe = self._zeroframe
        _set_frame(ramp, self._model, self._cycle, self._shape)
        return ramp


def _room(shape: tuple[int, ...], dtype: Any, scratch: Path) -> NDArray[Any]:
    """Return an array of zeros, in memory if it is small, else in scratch space."""
    if math.prod(shape) * np.dtype(dtype).itemsize <= _IN_MEMORY:
        return np.zeros(shape, dtype)
    return mapped(scratch, shape, dtype)


def whole_frame(model: Any) -> Any:
    """Return ramps without values that are what superstripes make up, to plan with."""
    from webbcal import datamodels

    cycle = Cycle.of_model(model)
    shape = cycle.shape(model.source("data").shape)
    ramp = datamodels.RampModel()
    ramp.update(model)
    ramp.data = np.broadcast_to(np.float32(0), shape)
    _set_frame(ramp, model, cycle, shape)
    return ramp


def _set_frame(ramp: Any, model: Any, cycle: Cycle, shape: Sequence[int]) -> None:
    """Let the header and the tables of ramps say what cycles of superstripes make up."""
    count, exposure, sub = len(cycle), ramp.meta.exposure, ramp.meta.subarray
    nints = model.source("data").shape[0]
    last = exposure.integration_end or exposure.nints or nints
    exposure.integration_start = math.ceil((exposure.integration_start or 1) / count)
    exposure.integration_end = math.ceil(last / count)
    exposure.nints = math.ceil((exposure.nints or nints) / count)
    exposure.ngroups = shape[1]
    if cycle.repeats > 1:
        exposure.read_times = read_times(model, cycle.repeats)
    for keyword in _KEYWORDS:
        setattr(sub, keyword, None)
    sub.ysize, sub.xsize = shape[-2:]
    setattr(sub, "ystart" if cycle.by_rows else "xstart", cycle.start + 1)
    if model.has("int_times") and len(model.int_times):
        first = exposure.integration_start
        ramp.int_times, ramp.int_times_stripe = cycle_times(np.asarray(model.int_times), count, first)


def cycle_times(times: NDArray[Any], count: int, first: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the times of cycles (INT_TIMES), and those of their integrations (INT_TIMES_STRIPE).

    Parameters
    ----------
    times : structured array
        INT_TIMES of the integrations.
    count : int
        Integrations of a cycle.
    first : int
        Number of the first cycle.
    """
    cycles = len(times) // count
    begin, end = times[: cycles * count : count], times[count - 1 : cycles * count : count]
    whole = np.zeros(cycles, times.dtype)
    whole["integration_number"] = np.arange(cycles) + first
    for scale in _TIMES:
        start, stop = begin[f"int_start_{scale}"], end[f"int_end_{scale}"]
        whole[f"int_start_{scale}"], whole[f"int_end_{scale}"] = start, stop
        whole[f"int_mid_{scale}"] = (stop - start) / 2.0 + start
    names = [name for name in times.dtype.names or () if name != "integration_number"]
    described = [("integration_number", "i4"), ("stripe_number", "i4"), *((name, "f8") for name in names)]
    each = np.zeros(len(times), described)
    each["integration_number"] = np.arange(len(times)) // count + first
    each["stripe_number"] = np.arange(len(times)) % count + 1
    for name in names:
        each[name] = times[name]
    return whole, each


def read_times(model: Any, repeats: int) -> list[list[float]]:
    """Return for each group of ramps when its frames were read, s, where lines are read several times.

    A frame begins with the reset of the lines at the start and one stripe; from then on, each repeat takes
    as long as its lines. The clock of the electronics (JWST documentation, "NIRCam Detector Readout").

    Parameters
    ----------
    model : DataModel
        The superstripes.
    repeats : int
        How often a frame reads them.
    """
    exposure, sub = model.meta.exposure, model.meta.subarray
    ny, nx = model.source("data").shape[-2:]
    lines, columns = (ny, nx) if abs(sub.slowaxis or 2) == 2 else (nx, ny)
    outputs = exposure.noutputs
    extra_lines, extra_ticks = (1, 1) if outputs == 4 else (2 if outputs == 1 and columns >= 9 else 3, 0)
    line = columns / outputs + _LINE_OVERHEAD
    frame = (line * (lines + extra_lines) + extra_ticks) * _TICK
    some = lines // repeats
    first = (line * (some + extra_lines) + extra_ticks) * _TICK
    steps = [first] + [line * some * _TICK] * (repeats - 1)
    times, now = [], 0.0
    for _ in range(exposure.ngroups):
        for step in steps:
            times.append([now + step + k * frame for k in range(exposure.nframes)])
            now += step
        now += frame * (exposure.nframes - 1 + (exposure.groupgap or 0))
    return times
