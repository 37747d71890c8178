"""What the steps need to know of an exposure: looked up in its metadata when a step asks for it, and checked.

A step asks only for what it uses, so that an exposure made by hand needs no more: what is asked for and is
not there is an error that names it. What is there must make sense, whether it is asked for or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

from webbcal.core import irs2
from webbcal.core.box import Box
from webbcal.core.errors import InputError
from webbcal.references.cutout import Placement, full_frame
from webbcal.references.stripes import Stripe, stripes_of
from webbcal.run.time_tables import check_tables, integration_times

T = TypeVar("T")

#: Arrays of rates and images, beside the data.
_COMPANIONS = ("err", "dq", "var_poisson", "var_rnoise")


def meta_value(model: Any, path: str) -> Any:
    """Return the value at a dotted metadata path, or None."""
    node = model
    for part in path.split("."):
        node = getattr(node, part, None)
        if node is None:
            return None
    return node


class _Metadata:
    """The metadata of a model (or of a slit in one), by dotted path."""

    def __init__(self, model: Any, filename: str) -> None:
        self._model = model
        self.filename = filename

    def known(self, path: str) -> Any:
        """Return the value at a dotted path below ``meta``, or None if it is not there."""
        return meta_value(self._model, f"meta.{path}")

    def needed(self) -> list[_Needed[Any]]:
        """Return all values that steps may ask for."""
        return [value for value in vars(type(self)).values() if isinstance(value, _Needed)]

    def absent(self) -> list[_Needed[Any]]:
        """Return those that are not there; those that are must make sense.

        Raises
        ------
        InputError
            Naming one that does not.
        """
        absent = [one for one in self.needed() if self.known(one.path) is None]
        for one in self.needed():
            if one not in absent:
                one.__get__(self)
        return absent


class _Needed(Generic[T]):
    """A value that is there, or else touching it is an error that names it.

    Parameters
    ----------
    path : str
        Dotted path below ``meta``.
    keyword : str
        Its FITS keyword.
    usable : callable
        Returns the value as it is used, or raises `ValueError` with what it must be.
    """

    def __init__(self, path: str, keyword: str, usable: Callable[[Any], T]) -> None:
        self.path, self.keyword, self._usable = path, keyword, usable

    def __get__(self, owner: _Metadata, _: type | None = None) -> T:
        value = owner.known(self.path)
        if value is None:
            raise _missing(owner.filename, [self])
        try:
            return self._usable(value)
        except ValueError as error:
            raise InputError(f"{owner.filename}: {self.keyword} = {value!r}: must be {error}") from None


def _missing(name: str, needed: list[_Needed[Any]]) -> InputError:
    """Return the error of metadata that are not there."""
    what = ", ".join(f"{one.keyword} (meta.{one.path})" for one in needed)
    return InputError(
        f"{name}: required metadata are not there, or have no value that can be used: {what}. "
        "Set them in the header, or on the model before running."
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return value


def _name(value: Any) -> str:
    return _text(value).upper()


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("a whole number")
    return value


def _count(value: Any) -> int:
    if not (isinstance(value, int) and value > 0):
        raise ValueError("a number above 0")
    return value


def _seconds(value: Any) -> float:
    if not (isinstance(value, (int, float)) and 0 < value < math.inf):
        raise ValueError("a number above 0")
    return value


class Sampling(_Metadata):
    """How the ramp of an exposure is sampled: groups, frames and times, as in `webbcal.core.readout`."""

    nframes = _Needed("exposure.nframes", "NFRAMES", _count)
    groupgap = _Needed("exposure.groupgap", "GROUPGAP", _whole)
    tframe = _Needed("exposure.frame_time", "TFRAME", _seconds)
    tgroup = _Needed("exposure.group_time", "TGROUP", _seconds)
    _ngroups = _Needed("exposure.ngroups", "NGROUPS", _count)

    def __init__(self, model: Any, filename: str, groups: int) -> None:
        super().__init__(model, filename)
        self._groups = groups

    @property
    def ngroups(self) -> int:
        """Groups of an integration: those of the array, with which the header must agree."""
        if self.known("exposure.ngroups") is not None and self._ngroups != self._groups:
            raise InputError(
                f"{self.filename}: NGROUPS = {self._ngroups} but the SCI array has {self._groups} groups "
                "(axis 2 of 4)"
            )
        return self._groups

    @property
    def drop_frames1(self) -> int:
        """Frames that were dropped before the first group."""
        return self.known("exposure.drop_frames1") or 0


class Exposure(_Metadata):
    """One exposure's geometry and sampling.

    Touching what is not in the metadata, or makes no sense there, raises an `InputError` that names it.

    Attributes
    ----------
    shape : tuple of int
        Shape of the science array: (nints, ngroups, ny, nx) for ramps.
    readout : Sampling or None
        Sampling of the ramp; None for products without ramps.
    """

    instrument = _Needed("instrument.name", "INSTRUME", _name)
    detector = _Needed("instrument.detector", "DETECTOR", _name)
    exp_type = _Needed("exposure.type", "EXP_TYPE", _text)
    fastaxis = _Needed("subarray.fastaxis", "FASTAXIS", _whole)
    slowaxis = _Needed("subarray.slowaxis", "SLOWAXIS", _whole)
    _xstart = _Needed("subarray.xstart", "SUBSTRT1", _count)
    _ystart = _Needed("subarray.ystart", "SUBSTRT2", _count)

    def __init__(self, model: Any, filename: str, shape: tuple[int, ...]) -> None:
        super().__init__(model, filename)
        self.shape = shape
        self.readout = Sampling(model, filename, shape[1]) if len(shape) == 4 else None
        frame = self.known("subarray.ysize"), self.known("subarray.xsize")
        cut_out = shape[-2:] != frame  # a slit as large as the subarray has the corner of that
        self._corner: tuple[int, int] | None = getattr(model, "corner", None) if cut_out else None

    @classmethod
    def of_model(cls, model: Any) -> Exposure:
        """Look at a data model, or at a slit in one.

        Raises
        ------
        InputError
            If it has no science array, arrays differ in shape, or a value in the metadata makes no sense.
        """
        name = str(model.meta.filename or "input model")
        source = model.source(model.get_primary_array_name())
        if source is None:
            raise InputError(f"{name} has no science array (SCI extension); is it a JWST exposure?")
        if 0 in source.shape:
            raise InputError(
                f"{name}: the science array (SCI extension) is empty: its shape is {tuple(source.shape)}"
            )
        _check_shapes(model, name, tuple(source.shape))
        exposure = cls(model, name, tuple(source.shape))
        exposure.absent()
        return exposure

    @classmethod
    def of_frame(cls, model: Any) -> Exposure:
        """Look at the exposure that slits or spectra of a model are of: the frame of its subarray."""
        exposure = cls(model, str(model.meta.filename or "input model"), (0, 0))
        size = exposure.known("subarray.ysize"), exposure.known("subarray.xsize")
        exposure.shape = full_frame(exposure.known("instrument.name")) if None in size else size
        exposure._corner = None
        return exposure

    def absent(self) -> list[_Needed[Any]]:
        """Return the values that are not there, of the ramp also; those that are must make sense."""
        return super().absent() + ([] if self.readout is None else self.readout.absent())

    def complete(self) -> Exposure:
        """Return this exposure, after making sure that it has all that the steps of a pipeline ask for.

        Raises
        ------
        InputError
            Naming all that are missing, or saying what contradicts the shape of the data.
        """
        if absent := self.absent():
            raise _missing(self.filename, absent)
        _ = self.box, self.readout and self.readout.ngroups
        self.warn_of_contradictions()
        return self

    def warn_of_contradictions(self) -> None:
        """Warn of what stands beside ramps, is not computed with, and does not go with them."""
        if self.readout is not None:
            check_tables(self._model, self.filename, self.shape)

    @property
    def subarray(self) -> str:
        """Name of the subarray; empty if it is not known."""
        return str(self.known("subarray.name") or "")

    @property
    def is_miri(self) -> bool:
        """Whether it is of MIRI, and its detector is not said to be another instrument's."""
        detector = str(self.known("instrument.detector") or "MIR").upper()
        return self.instrument == "MIRI" and detector.startswith("MIR")

    @property
    def noutputs(self) -> int | None:
        """Outputs that the detector was read through."""
        noutputs: int | None = self.known("exposure.noutputs")
        return noutputs

    @property
    def nframes(self) -> int | None:
        """Frames of a group, as the header has them."""
        nframes: int | None = self.known("exposure.nframes")
        return nframes

    @property
    def frame_divisor(self) -> int | None:
        """What the sum of the frames of a group was divided by on board."""
        divisor: int | None = self.known("exposure.frame_divisor")
        return divisor

    @property
    def gain_factor(self) -> float | None:
        """Factor of a gain setting that is not the usual one."""
        factor: float | None = self.known("exposure.gain_factor")
        return factor

    @property
    def zero_frame(self) -> bool:
        """Whether the first frame of each integration was sent down by itself."""
        return bool(self.known("exposure.zero_frame"))

    @property
    def irs2(self) -> irs2.Interleaving | None:
        """Where reference pixels lie between the science pixels; None where the frame has none.

        Raises
        ------
        InputError
            If the frame is larger than the detector, but not as IRS2 frames are.
        """
        instrument = str(self.known("instrument.name") or "").upper()
        if instrument != "NIRSPEC" or max(self.shape[-2:]) <= irs2.SIZE:
            return None
        normal = self.known("exposure.nrs_normal") or irs2.NORMAL
        reference = self.known("exposure.nrs_reference") or irs2.REFERENCE
        layout = irs2.Interleaving(self.detector == "NRS2", normal, reference)
        if self.shape[-2:] != (layout.rows, irs2.SIZE):
            raise InputError(
                f"{self.filename}: the SCI array has {self.shape[-1]} columns and {self.shape[-2]} rows, but "
                f"frames of IRS2 (NRS_NORM = {normal}, NRS_REF = {reference}) have {irs2.SIZE} and "
                f"{layout.rows}"
            )
        return layout

    def with_frame(self, rows: int, columns: int) -> Exposure:
        """Return this exposure with a frame of another size."""
        exposure = Exposure(self._model, self.filename, (*self.shape[:-2], rows, columns))
        exposure._corner = self._corner
        return exposure

    def stripped(self) -> Exposure:
        """Return this exposure without the reference pixels between its science pixels."""
        return self.with_frame(irs2.SIZE, irs2.SIZE)

    @property
    def frame(self) -> Box:
        """The science array in its own coordinates."""
        return Box.of_shape(self.shape)

    @property
    def nints(self) -> int:
        """Integrations in the science array (1 for images)."""
        return self.shape[0] if len(self.shape) > 2 else 1

    @property
    def ngroups(self) -> int:
        """Groups of an integration."""
        return self.shape[1]

    @property
    def int_times(self) -> np.ndarray | None:
        """The INT_TIMES rows of the integrations in the science array, in order; None without such a table.

        The table of a segment may be that of the whole exposure: integrations have numbers.

        Raises
        ------
        InputError
            If it has fewer rows than there are integrations.
        """
        return integration_times(self._model, self.filename, self.nints)

    @property
    def full_frame(self) -> Box:
        """All pixels of the detector, in its own coordinates."""
        return Box.of_shape(full_frame(self.known("instrument.name")))

    @property
    def has_place(self) -> bool:
        """Whether it is known where on the detector the science array lies."""
        starts = self.known("subarray.xstart"), self.known("subarray.ystart")
        return None not in starts or self.shape[-2:] == full_frame(self.known("instrument.name"))

    @property
    def box(self) -> Box:
        """The science array in full-frame coordinates (0-based); without keywords it may be a full frame."""
        ny, nx = self.shape[-2:]
        sizes = self.known("subarray.xsize"), self.known("subarray.ysize")
        science = (nx, irs2.SIZE) if self.irs2 else (nx, ny)  # the header counts no interleaved pixels
        if self._corner is None and None not in sizes and sizes not in (science, (nx, ny)):
            raise InputError(
                f"{self.filename}: the header says SUBSIZE1 = {sizes[0]} and SUBSIZE2 = {sizes[1]}, but the "
                f"SCI array has {nx} columns and {ny} rows"
            )
        if self.has_place and self.known("subarray.xstart") is None and self.known("subarray.ystart") is None:
            return Box(0, ny, 0, nx)
        # One as large as its subarray is all of it, and its place is the subarray's (MIRI without a slit).
        first, left = (0, 0) if self._corner is None or sizes == (nx, ny) else self._corner
        y0, x0 = self._ystart - 1 + first, self._xstart - 1 + left
        return Box(y0, y0 + ny, x0, x0 + nx)

    @property
    def placement(self) -> Placement:
        """Where it lies on the detector and how it was read, as far as that is known."""
        names = (self.known("instrument.name"), self.known("instrument.detector"))
        instrument, detector = (name.upper() if isinstance(name, str) else None for name in names)
        axes = self.known("subarray.fastaxis"), self.known("subarray.slowaxis")
        box = self.box if self.has_place else None
        return Placement(self.filename, box, instrument, detector, *axes, self.stripes)

    @property
    def stripes(self) -> tuple[Stripe, ...]:
        """How its lines lie on the detector, if they were read here and there."""
        lines = self.shape[-1 if abs(self.known("subarray.slowaxis") or 2) == 1 else -2]
        return stripes_of(getattr(self._model.meta, "subarray", None), lines, self.filename)

    @property
    def description(self) -> str:
        """The exposure in one line."""
        paths = ("instrument.name", "instrument.detector", "exposure.type")
        what = " ".join(str(value) for path in paths if (value := self.known(path)) is not None)
        subarray = f", subarray {self.subarray}" if self.subarray else ""
        return f"{self.filename}: {what}{subarray}, {' × '.join(map(str, self.shape))}"


def _check_shapes(model: Any, name: str, shape: tuple[int, ...]) -> None:
    """Make sure that arrays beside the science array have the shapes that go with it; nothing is read."""
    if len(shape) == 4:
        wanted = {"groupdq": shape, "pixeldq": shape[-2:], "zeroframe": (shape[0], *shape[-2:])}
    else:
        wanted = dict.fromkeys(_COMPANIONS, shape)
        if type(model).__name__ == "GuiderCalModel":
            wanted["dq"] = shape[-2:]  # of guide stars, one for all integrations
    for array, expected in wanted.items():
        source = model.source(array) if model.has(array) else None
        if source is not None and tuple(source.shape) != tuple(expected):
            raise InputError(
                f"{name}: {array} of the input has shape {tuple(source.shape)}, but with data of shape "
                f"{shape} it must have {tuple(expected)}"
            )
