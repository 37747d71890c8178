"""What the steps need to know of an exposure, read once from its metadata and checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from webbcal.core.box import Box
from webbcal.core.errors import InputError
from webbcal.core.readout import Readout

_REQUIRED = {
    "meta.instrument.name": "INSTRUME",
    "meta.instrument.detector": "DETECTOR",
    "meta.exposure.type": "EXP_TYPE",
    "meta.subarray.xstart": "SUBSTRT1",
    "meta.subarray.ystart": "SUBSTRT2",
    "meta.subarray.xsize": "SUBSIZE1",
    "meta.subarray.ysize": "SUBSIZE2",
    "meta.subarray.fastaxis": "FASTAXIS",
    "meta.subarray.slowaxis": "SLOWAXIS",
}
_RAMP_REQUIRED = {
    "meta.exposure.ngroups": "NGROUPS",
    "meta.exposure.nframes": "NFRAMES",
    "meta.exposure.groupgap": "GROUPGAP",
    "meta.exposure.frame_time": "TFRAME",
    "meta.exposure.group_time": "TGROUP",
}

#: Of these, 0 and less make no sense.
_POSITIVE = {f"meta.exposure.{name}" for name in ("ngroups", "nframes", "frame_time", "group_time")}
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


@dataclass(frozen=True, slots=True)
class Exposure:
    """One exposure's geometry and sampling.

    Attributes
    ----------
    box : Box
        The science array in full-frame coordinates (0-based).
    shape : tuple of int
        Shape of the science array: (nints, ngroups, ny, nx) for ramps.
    readout : Readout or None
        Sampling of the ramp; None for products without ramps.
    """

    filename: str
    instrument: str
    detector: str
    exp_type: str
    subarray: str
    box: Box
    fastaxis: int
    slowaxis: int
    noutputs: int | None
    shape: tuple[int, ...]
    readout: Readout | None
    frame_divisor: int | None
    gain_factor: float | None
    zero_frame: bool

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
    def description(self) -> str:
        """The exposure in one line."""
        return (
            f"{self.filename}: {self.instrument} {self.detector} {self.exp_type}, subarray {self.subarray}, "
            f"{' × '.join(map(str, self.shape))}"
        )

    @classmethod
    def of_model(cls, model: Any) -> Exposure:
        """Read and check the metadata of a data model, or of a slit in one.

        Raises
        ------
        InputError
            If keywords are missing, make no sense or contradict the shape of the data, or arrays differ in
            shape.
        """
        name = str(model.meta.filename or "input model")
        source = model.source(model.get_primary_array_name())
        if source is None:
            raise InputError(f"{name} has no science array (SCI extension); is it a JWST exposure?")
        if 0 in source.shape:
            raise InputError(
                f"{name}: the science array (SCI extension) is empty: its shape is {source.shape}"
            )
        ramp = len(source.shape) == 4
        values = _required(model, name, _REQUIRED | (_RAMP_REQUIRED if ramp else {}))
        _check_shapes(model, name, tuple(source.shape))
        ny, nx = source.shape[-2:]
        corner = getattr(model, "corner", None)  # of a slit that was cut out
        if corner is None and (values["meta.subarray.ysize"], values["meta.subarray.xsize"]) != (ny, nx):
            raise InputError(
                f"{name}: the header says SUBSIZE1 = {values['meta.subarray.xsize']} and SUBSIZE2 = "
                f"{values['meta.subarray.ysize']}, but the SCI array has {nx} columns and {ny} rows"
            )
        first, left = corner or (0, 0)
        y0, x0 = values["meta.subarray.ystart"] - 1 + first, values["meta.subarray.xstart"] - 1 + left
        return cls(
            filename=name,
            instrument=values["meta.instrument.name"].upper(),
            detector=values["meta.instrument.detector"].upper(),
            exp_type=values["meta.exposure.type"],
            subarray=str(meta_value(model, "meta.subarray.name") or ""),
            box=Box(y0, y0 + ny, x0, x0 + nx),
            fastaxis=values["meta.subarray.fastaxis"],
            slowaxis=values["meta.subarray.slowaxis"],
            noutputs=meta_value(model, "meta.exposure.noutputs"),
            shape=tuple(source.shape),
            readout=_readout(values, meta_value(model, "meta.exposure.drop_frames1"), source.shape, name)
            if ramp
            else None,
            frame_divisor=meta_value(model, "meta.exposure.frame_divisor"),
            gain_factor=meta_value(model, "meta.exposure.gain_factor"),
            zero_frame=bool(meta_value(model, "meta.exposure.zero_frame")),
        )


def _required(model: Any, name: str, table: dict[str, str]) -> dict[str, Any]:
    values = {path: meta_value(model, path) for path in table}
    missing = [f"{table[p]} ({p})" for p, v in values.items() if v is None]
    if missing:
        raise InputError(
            f"{name}: required metadata are not there, or have no value that can be used: "
            f"{', '.join(missing)}. Set them in the header, or on the model before running."
        )
    for path in _POSITIVE & set(values):
        if not (isinstance(values[path], (int, float)) and 0 < values[path] < math.inf):
            raise InputError(f"{name}: {table[path]} = {values[path]!r}: must be a number above 0")
    return values


def _check_shapes(model: Any, name: str, shape: tuple[int, ...]) -> None:
    """Make sure that arrays beside the science array have the shapes that go with it; nothing is read."""
    if len(shape) == 4:
        wanted = {"groupdq": shape, "pixeldq": shape[-2:], "zeroframe": (shape[0], *shape[-2:])}
    else:
        wanted = dict.fromkeys(_COMPANIONS, shape)
    for array, expected in wanted.items():
        source = model.source(array) if model.has(array) else None
        if source is not None and tuple(source.shape) != tuple(expected):
            raise InputError(
                f"{name}: {array} of the input has shape {tuple(source.shape)}, but with data of shape "
                f"{shape} it must have {tuple(expected)}"
            )


def _readout(values: dict[str, Any], drop: int | None, shape: tuple[int, ...], name: str) -> Readout:
    ngroups = values["meta.exposure.ngroups"]
    if ngroups != shape[1]:
        raise InputError(f"{name}: NGROUPS = {ngroups} but the SCI array has {shape[1]} groups (axis 2 of 4)")
    return Readout(
        ngroups=ngroups,
        nframes=values["meta.exposure.nframes"],
        groupgap=values["meta.exposure.groupgap"],
        tframe=values["meta.exposure.frame_time"],
        tgroup=values["meta.exposure.group_time"],
        drop_frames1=drop or 0,
    )
