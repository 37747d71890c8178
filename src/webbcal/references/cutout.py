"""Where an exposure lies in a reference file's arrays: one function for all references."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from webbcal.core import irs2
from webbcal.core.box import Box
from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.references.stripes import LINES, Stripe, stripes_of

log = logging.getLogger(__name__)

#: Pixels (rows, columns) of a full frame, reference pixels included.
_FULL_FRAMES = {"MIRI": (1024, 1032)}
_NEAR_INFRARED = (2048, 2048)
#: Values of instrument and detector in references that fit all of them.
_EVERY = (None, "", "ANY", "N/A", "MULTIPLE")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an array lies on the detector, and how it was read.

    Attributes
    ----------
    box : Box or None
        Pixels of the full frame (0-based, reference pixels included), science orientation; None for what is
        no map of the detector.
    instrument, detector : str or None
        Upper case; None, "ANY", "N/A" and "MULTIPLE" fit every detector.
    fastaxis, slowaxis : int or None
        Directions of readout.
    stripes : tuple of Stripe
        How its lines lie on the detector, if they were read here and there; then the box does not say it.
    """

    name: str
    box: Box | None
    instrument: str | None = None
    detector: str | None = None
    fastaxis: int | None = None
    slowaxis: int | None = None
    stripes: tuple[Stripe, ...] = ()

    def placed(self, box: Box) -> Placement:
        """Return this at a place."""
        return replace(self, box=box)


def full_frame(instrument: str | None) -> tuple[int, int]:
    """Return the rows and columns of a full frame of an instrument."""
    return _FULL_FRAMES.get((instrument or "").upper(), _NEAR_INFRARED)


def says_where(model: Any) -> bool:
    """Tell whether a model says where on the detector its arrays lie."""
    sub = getattr(model.meta, "subarray", None)
    return getattr(sub, "xstart", None) is not None and getattr(sub, "ystart", None) is not None


def placement_of(model: Any, shape: tuple[int, ...] | None, name: str) -> Placement:
    """Return where an exposure or reference lies, from its ``meta.subarray`` and the shape of its array.

    A model without subarray keywords is a full frame if its array has that size. Where the sizes in the
    header and of the array differ, the array counts (with a warning).

    Parameters
    ----------
    model : DataModel
        The exposure, or the reference.
    shape : tuple of int or None
        Shape of its pixel arrays, of which the last two axes are rows and columns; None if it has none.
    name : str
        Its name for messages.

    Raises
    ------
    InputError
        If there are no keywords and the array is no full frame, or a corner is below 1.
    """
    meta = model.meta
    sub = getattr(meta, "subarray", None)
    return Placement(
        name,
        None if shape is None else _box_of(sub, shape[-2:], _upper(meta.instrument.name), name),
        _upper(meta.instrument.name),
        _upper(getattr(meta.instrument, "detector", None)),
        getattr(sub, "fastaxis", None),
        getattr(sub, "slowaxis", None),
        () if shape is None else stripes_of(sub, _lines_of(sub, shape), name),
    )


def _lines_of(sub: Any, shape: tuple[int, ...]) -> int:
    """Return the number of lines of an array along the slow axis."""
    return shape[-1] if abs(getattr(sub, "slowaxis", None) or 2) == 1 else shape[-2]


def _box_of(sub: Any, shape: tuple[int, ...], instrument: str | None, name: str) -> Box:
    ny, nx = shape
    frame = full_frame(instrument)
    x0, y0, xsize, ysize = (getattr(sub, key, None) for key in ("xstart", "ystart", "xsize", "ysize"))
    if x0 is None or y0 is None or xsize is None or ysize is None:
        if shape != frame:
            raise InputError(
                f"{name}: the subarray keywords SUBSTRT1, SUBSTRT2, SUBSIZE1, SUBSIZE2 are missing and its "
                f"array of {nx} × {ny} pixels is no full frame; set them (meta.subarray.xstart …)"
            )
        log.debug("%s: no subarray keywords; taken as a full frame", name)
        return Box(0, ny, 0, nx)
    if x0 < 1 or y0 < 1:
        raise InputError(
            f"{name}: SUBSTRT1, SUBSTRT2 = {x0}, {y0}, but they count from 1; correct the header"
        )
    raw = irs2.Interleaving(turned=False).rows  # of NIRSpec, which the header does not count
    interleaved = instrument == "NIRSPEC" and (ysize, ny) == (irs2.SIZE, raw)
    if (ysize, xsize) != (ny, nx) and not interleaved:
        size = f"SUBSIZE1 × SUBSIZE2 = {xsize} × {ysize}"
        log.warning("%s: %s but the array is %s × %s pixels; using the array's size", name, size, nx, ny)
    return Box(y0 - 1, y0 - 1 + ny, x0 - 1, x0 - 1 + nx)


def check_detector(reference: Placement, exposure: Placement, warn_only: bool = False) -> None:
    """Check that a reference belongs to the exposure's detector and has its orientation.

    With `warn_only`, another detector is warned of: scripts written for jwst may give such a reference.

    Raises
    ------
    ReferenceFileError
        With both values, if not.
    """
    for what in ("instrument", "detector"):
        theirs, ours = getattr(reference, what), getattr(exposure, what)
        if theirs not in _EVERY and ours is not None and theirs != ours:
            wrong = f"{reference.name} is for {what} {theirs}, but {exposure.name} was taken with {ours}"
            if not warn_only:
                raise ReferenceFileError(f"{wrong}; give a reference of the same detector")
            log.warning("%s; it is used, as you have given it", wrong)
            break
    for axis in ("fastaxis", "slowaxis"):
        theirs, ours = getattr(reference, axis), getattr(exposure, axis)
        if theirs is not None and ours is not None and theirs != ours:
            raise ReferenceFileError(
                f"{reference.name} has {axis.upper()} = {theirs}, but {exposure.name} has {ours}; "
                "the reference is not in the orientation of the exposure"
            )


def exposure_box(reference: Placement, exposure: Placement) -> Box:
    """Return the box of the exposure in the coordinates of the reference's arrays.

    Raises
    ------
    ReferenceFileError
        If the reference does not cover the exposure.
    """
    if reference.box is None or exposure.box is None:
        raise ValueError("only maps of the detector have a box")
    if not reference.box.contains(exposure.box):
        raise ReferenceFileError(
            f"{reference.name} covers {_extent(reference.box)} of the detector, which does not contain "
            f"{_extent(exposure.box)} of {exposure.name}; give a full-frame reference or one of that subarray"
        )
    return exposure.box.relative_to(reference.box)


def stripe_boxes(reference: Placement, exposure: Placement, box: Box) -> list[Box]:
    """Return the boxes of the reference's arrays that lie over a box of a striped exposure, in its order.

    Raises
    ------
    ReferenceFileError
        If the reference does not have all lines of the detector, or not all columns of the exposure.
    """
    if reference.box is None or exposure.box is None:
        raise ValueError("only maps of the detector have a box")
    by_rows = abs(exposure.slowaxis or 2) == 2
    across = exposure.box if by_rows else exposure.box.transposed()
    theirs = reference.box if by_rows else reference.box.transposed()
    wanted = box if by_rows else box.transposed()
    if theirs.shape[0] != LINES or theirs.x0 > across.x0 or theirs.x1 < across.x1:
        raise ReferenceFileError(
            f"{reference.name} covers {_extent(reference.box)} of the detector, but {exposure.name} has "
            "stripes all over it; give a full-frame reference or one of that subarray"
        )
    found = (stripe.within(wanted.y0, wanted.y1) for stripe in exposure.stripes)
    x0 = across.x0 - theirs.x0
    boxes = [
        Box(s.on_detector, s.on_detector + s.stop - s.start, wanted.x0 + x0, wanted.x1 + x0)
        for s in found
        if s is not None
    ]
    return boxes if by_rows else [one.transposed() for one in boxes]


def _extent(box: Box) -> str:
    return f"columns {box.x0 + 1}–{box.x1}, rows {box.y0 + 1}–{box.y1}"


def _upper(text: Any) -> str | None:
    return None if text is None else str(text).strip().upper()
