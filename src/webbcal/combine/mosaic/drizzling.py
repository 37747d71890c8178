"""Drizzling an image on a part of the output: with the kernel of ours, or by the drizzle library.

The output is made in tiles, on threads: images are dropped on a tile in their order. So no more than a few
tiles, and what the images have for them, are in memory, however many images there are; and each output pixel
sees the same additions, in the same order, as if there were no tiles.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.combine.mosaic.inputs import InputImage, Region, Scratch
from webbcal.core.box import Box
from webbcal.core.errors import ParameterError

drizzle_kernels = kernels.get("drizzle")

F32 = NDArray[np.float32]
Places = tuple[NDArray[np.float64], NDArray[np.float64]]

#: Pixels along the side of a tile, if it is square.
TILE = 512
#: Strips of whole rows are read and written faster; but a turned image has only some pixels of each row for
#: one. So many rows of the output may a row of an image cross.
_STRIP_TILT = 64
#: Below this the library takes pixels to be points, and so do we.
_POINT = 0.001


@dataclass(frozen=True, slots=True)
class Drop:
    """How a pixel is dropped on the output.

    Attributes
    ----------
    kernel : str
        ``square``, ``point``, ``turbo``, ``gaussian``, ``lanczos2`` or ``lanczos3``.
    pixfrac : float
        Side of the shrunken pixel.
    scale_ratio : float
        Output to input pixel scale.
    """

    kernel: str = "square"
    pixfrac: float = 1.0
    scale_ratio: float = 1.0

    @property
    def margin(self) -> float:
        """How far from its centre a pixel may be dropped, in output pixels."""
        return 2.0 + math.ceil(4.0 / self.scale_ratio)


def fill_value(text: str | float | None) -> float:
    """Return the value for pixels that nothing was dropped on.

    Raises
    ------
    ParameterError
        If it is no number, INDEF or empty.
    """
    if text is None or str(text).strip().upper() in ("", "INDEF"):
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise ParameterError(f"fillval = {text!r}: expected a number, NAN or INDEF") from None


@dataclass(frozen=True, slots=True)
class Dropped:
    """An image, dropped alone on a box of the output.

    Attributes
    ----------
    box : Box
    sums : (ny, nx, k + 1) float32
        Sums of weight times value, and last of weights.
    flags : (ny, nx) uint32, or (0, 0)
        DQ bits of all that was dropped.
    hits : (ny, nx) bool, optional
        Where anything was dropped with a positive weight; None: where the sum of weights is positive.
    """

    box: Box
    sums: F32
    flags: NDArray[np.uint32]
    hits: NDArray[np.bool_] | None = None


def drop(
    image: InputImage, tile: Box, how: Drop, variances: Sequence[str], flags: bool, scratch: Scratch
) -> Dropped | None:
    """Drop an image alone; return the part of it on a tile, or None if it does not reach it.

    Parameters
    ----------
    image : InputImage
    tile : Box
    how : Drop
    variances : sequence of str
        Error components to drop beside the data.
    flags : bool
        Whether to gather DQ bits.
    scratch : Scratch
        Where the arrays are put: they last until the next call.
    """
    target = tile.overlap(image.reach(how.margin))
    box = None if target is None else image.reaching(target, how.margin)
    if target is None or box is None:
        return None
    region, places = image.region(box, variances, scratch), image.positions(box, target, scratch)
    sums = scratch.zeros("sums", (*target.shape, region.values.shape[-1] + 1))
    bits = scratch.zeros("flags", target.shape if flags else (0, 0), np.uint32)
    if how.kernel == "square" and how.pixfrac >= _POINT:
        drizzle_kernels.drizzle(region.values, region.weight, region.dq, *places, how.pixfrac, sums, bits)
        return Dropped(target, sums, bits)
    if how.kernel == "point":
        drop_points(region, places, sums, bits)
        return Dropped(target, sums, bits)
    library = _Library(region, places, how, target.shape)
    library.drop(sums, bits)
    return Dropped(target, sums, bits, library.hits())


def drop_points(region: Region, places: Places, sums: F32, flags: NDArray[np.uint32]) -> None:
    """Drop each pixel on the output pixel that holds its centre, in place; as `Dropped` holds the results."""
    x, y = (place[1:-1, 1:-1] for place in places)
    rows, columns = sums.shape[:2]
    with np.errstate(invalid="ignore"):
        inside = (x >= -0.5) & (x < columns - 0.5) & (y >= -0.5) & (y < rows - 0.5) & (region.weight > 0)
    to = np.floor(y[inside] + 0.5).astype(int), np.floor(x[inside] + 0.5).astype(int)
    weight = region.weight[inside][:, None]
    np.add.at(sums, to, np.hstack([weight * region.values[inside], weight]))
    if flags.size:
        np.bitwise_or.at(flags, to, region.dq[inside])


class _Library:
    """The drizzle library, for the kernels that are not ours; it works on one thread at a time.

    It leaves out pixels whose centre is beyond the edge of the output, so it gets a tile with a margin.
    """

    def __init__(self, region: Region, places: Places, how: Drop, shape: tuple[int, int]) -> None:
        self._margin = math.ceil(how.margin)
        centres = np.dstack(places)[1:-1, 1:-1] + self._margin
        self._kernel = how.kernel
        self._shape = shape
        self._values, self._dq = region.values, region.dq
        self._how = {
            "exptime": 1.0, "pixmap": np.ascontiguousarray(centres), "weight_map": region.weight,
            "pixfrac": how.pixfrac, "pixel_scale_ratio": how.scale_ratio, "in_units": "cps",
        }  # fmt: skip

    @property
    def _inner(self) -> tuple[slice, slice]:
        return tuple(slice(self._margin, self._margin + n) for n in self._shape)  # type: ignore[return-value]

    def drop(self, sums: F32, flags: NDArray[np.uint32]) -> None:
        """Drop all planes, in place; see `webbcal.kernels.drizzle.reference.drizzle`."""
        from drizzle.resample import Drizzle

        shape = tuple(n + 2 * self._margin for n in self._shape)
        for k, plane in enumerate(np.moveaxis(self._values, -1, 0)):
            gathered = {"out_dq": np.zeros(shape, np.uint32)} if flags.size and k == 0 else {}
            drizzle = Drizzle(kernel=self._kernel, fillval="0", disable_ctx=True, out_shape=shape, **gathered)
            self._drop(drizzle, np.ascontiguousarray(plane), self._dq if gathered else None)
            weights = drizzle.out_wht[self._inner]
            np.multiply(drizzle.out_img[self._inner], weights, out=sums[..., k])
            if gathered:
                flags[:] = gathered["out_dq"][self._inner]
        sums[..., -1] = weights

    def hits(self) -> NDArray[np.bool_]:
        """Return where anything is dropped with a positive weight: some kernels have negative ones too."""
        from drizzle.resample import Drizzle

        shape = tuple(n + 2 * self._margin for n in self._shape)
        drizzle = Drizzle(kernel=self._kernel, fillval="0", out_shape=shape, max_ctx_id=0)
        self._drop(drizzle, np.zeros(self._dq.shape, np.float32), None)
        context = np.asarray(drizzle.out_ctx).reshape(shape)
        return np.asarray(context[self._inner] != 0)

    def _drop(self, drizzle: Any, plane: F32, dq: Any) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", ".*(not a flux-conserving kernel|pixel_fraction is ignored)", Warning
            )
            drizzle.add_image(plane, dq=dq, **self._how)


def tiles_of(box: Box, images: Sequence[InputImage]) -> list[Box]:
    """Return boxes of `TILE` × `TILE` pixels or so that tile a box: squares, or strips where faster."""
    tilt = max((image.tilt for image in images), default=0.0)
    long = 4 if tilt <= _STRIP_TILT else 1
    sides = ((box.y0, box.y1, TILE // long), (box.x0, box.x1, TILE * long))
    rows, columns = (
        np.linspace(a, b, max(1, round((b - a) / side)) + 1).astype(int).tolist() for a, b, side in sides
    )
    return [Box(*y, *x) for y in pairwise(rows) for x in pairwise(columns)]
