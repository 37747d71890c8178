"""Drizzling tile by tile: images are dropped on a tile of the output in their order, tiles run on threads.

So no more than a few tiles, and what the images have for them, are in memory, however many images there are;
and each output pixel sees the same additions, in the same order, as if there were no tiles.
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

from webbcal.combine.inputs import InputImage, Region
from webbcal.core.box import Box
from webbcal.core.errors import ParameterError
from webbcal.kernels.drizzle.reference import Target

F32 = NDArray[np.float32]
Places = tuple[NDArray[np.float64], NDArray[np.float64]]

#: Rows and columns of a tile. Square, so that a turned image does not reach many tiles with few pixels each.
TILE = 512
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


class Tile:
    """A tile of the output while images are dropped on it.

    Parameters
    ----------
    box : Box
        Its place in the output.
    planes : int
        Planes that are averaged over all images: the data, and more if asked for.
    images : int
        Number of images of the mosaic, for the context.
    context, flags : bool
        Whether to keep which images, and which DQ bits, went into each pixel.

    Attributes
    ----------
    target : Target
        Means over all images, the sum of weights, and DQ bits.
    context : (ceil(images / 32), ny, nx) int32 or None
        Bit *n* of plane *m* is set where image ``32 m + n`` contributed.
    """

    def __init__(self, box: Box, planes: int, images: int, context: bool, flags: bool) -> None:
        self.box = box
        self.target = Target(planes, box.shape, flags)
        self.context: NDArray[np.int32] | None = None
        if context:
            self.context = np.zeros(((images - 1) // 32 + 1, *box.shape), np.int32)

    def drop(
        self, index: int, image: InputImage, how: Drop, variances: Sequence[str], together: int
    ) -> Target | None:
        """Drop an image; return its error components on this tile, or None if it does not reach it.

        Parameters
        ----------
        index : int
            Number of the image.
        image : InputImage
        how : Drop
        variances : sequence of str
            Error components to drop.
        together : int
            How many of these, from the first, go into the means of the tile; the others come back, averaged
            over this image alone.
        """
        box = image.reaching(self.box, how.margin)
        if box is None:
            return None
        region, places = image.region(box, variances), image.positions(box, self.box)
        alone = Target(len(variances) - together, self.box.shape)
        planes = np.concatenate([region.data[None], region.planes[:together]])
        others = region.planes[together:]
        if how.kernel == "square" and how.pixfrac >= _POINT:
            self._square(index, region, places, planes, others, how, alone)
        else:
            self._by_library(index, region, places, planes, others, how, alone)
        return alone

    def _square(
        self, index: int, region: Region, places: Places, planes: F32, others: F32, how: Drop, alone: Target
    ) -> None:
        from webbcal.kernels.drizzle.cpu import drizzle

        hits = np.zeros(self.box.shape, np.bool_)
        weight, dq = region.weight, region.dq
        drizzle(planes, others, weight, dq, *places, how.pixfrac, self.target, alone, hits)
        self._note(index, hits)

    def _note(self, index: int, hits: NDArray[np.bool_]) -> None:
        """Set the bit of an image in the context."""
        if self.context is not None:
            bits = self.context[index // 32].view(np.uint32)
            bits[hits] |= np.uint32(1 << index % 32)

    def _by_library(
        self, index: int, region: Region, places: Places, planes: F32, others: F32, how: Drop, alone: Target
    ) -> None:
        library = _Library(region, places, how, self.box.shape)
        flags = self.target.flags if self.target.flags.size else None
        weights = self.target.weights.copy()
        for k, plane in enumerate(planes):
            self.target.weights[:] = weights
            library.add(plane, self.target.means[k], self.target.weights, flags if k == 0 else None)
        if self.context is not None:
            self._note(index, library.hits())
        for k, plane in enumerate(others):
            alone.weights[:] = 0
            library.add(plane, alone.means[k], alone.weights)


class _Library:
    """The drizzle library, for the kernels that are not ours; it works on one thread at a time.

    It leaves out pixels whose centre is beyond the edge of the output, so it gets a tile with a margin.
    """

    def __init__(self, region: Region, places: Places, how: Drop, shape: tuple[int, int]) -> None:
        self._margin = math.ceil(how.margin)
        centres = np.dstack(places)[1:-1, 1:-1] + self._margin
        self._kernel = how.kernel
        self._shape = shape
        self._dq = region.dq
        self._how = {
            "exptime": 1.0, "pixmap": np.ascontiguousarray(centres), "weight_map": region.weight,
            "pixfrac": how.pixfrac, "pixel_scale_ratio": how.scale_ratio, "in_units": "cps",
        }  # fmt: skip

    @property
    def _inner(self) -> tuple[slice, slice]:
        return tuple(slice(self._margin, self._margin + n) for n in self._shape)  # type: ignore[return-value]

    def add(self, plane: F32, means: F32, weights: F32, flags: NDArray[np.uint32] | None = None) -> None:
        """Drop one plane on means and their weights, in place."""
        from drizzle.resample import Drizzle

        grown = {"out_img": np.pad(means, self._margin), "out_wht": np.pad(weights, self._margin)}
        if flags is not None:
            grown["out_dq"] = np.pad(flags, self._margin)
        drizzle = Drizzle(kernel=self._kernel, fillval="0", exptime=1.0, disable_ctx=True, **grown)
        self._drop(drizzle, plane, None if flags is None else self._dq)
        means[:], weights[:] = drizzle.out_img[self._inner], drizzle.out_wht[self._inner]
        if flags is not None:
            flags[:] = drizzle.out_dq[self._inner]

    def hits(self) -> NDArray[np.bool_]:
        """Return where anything is dropped with a positive weight."""
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


def tiles_of(box: Box) -> list[Box]:
    """Return boxes of about `TILE` × `TILE` pixels that tile a box."""
    rows, columns = (
        np.linspace(a, b, max(1, round((b - a) / TILE)) + 1).astype(int).tolist()
        for a, b in ((box.y0, box.y1), (box.x0, box.x1))
    )
    return [Box(*y, *x) for y in pairwise(rows) for x in pairwise(columns)]
