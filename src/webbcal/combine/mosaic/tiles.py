"""A mosaic: images, drizzled and co-added, with their errors.

The error components (read noise, flat, Poisson) of a mosaic are those of a weighted mean. Each image's
standard deviation is drizzled alone, as its data are; squared, it is the variance of the image on the output
grid, and the variances of images add up with the squares of their weights. Correlations between output pixels
are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.combine.mosaic.drizzling import Drop, drop, tiles_of
from webbcal.combine.mosaic.inputs import VARIANCES, InputImage, Scratch
from webbcal.core.box import Box
from webbcal.core.threads import run_on_threads
from webbcal.run.engine.sinks import MemorySink, Sink

coadd = kernels.get("coadd")

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a mosaic shall hold besides data and weights.

    Attributes
    ----------
    errors : str or None
        ``components``: errors from co-added variances; ``drizzled``: the drizzled errors; None: none.
    context, flags : bool
        Which images went into each pixel; the OR of their DQ flags.
    fill : float
        Value of pixels without data.
    components : bool
        Whether to give the co-added variances beside the errors made of them.
    """

    errors: Literal["components", "drizzled"] | None = "components"
    context: bool = True
    flags: bool = False
    fill: float = np.nan
    components: bool = True

    @property
    def planes(self) -> tuple[str, ...]:
        """Arrays of the input whose square roots are dropped beside the data."""
        return {"components": VARIANCES, "drizzled": ("err",), None: ()}[self.errors]

    @property
    def together(self) -> int:
        """How many of them are averaged over all images, as the data are."""
        return 1 if self.errors == "drizzled" else 0

    def arrays(self, shape: tuple[int, int], images: int) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Return shape and type of the arrays of a mosaic of so many images, by the product's names."""
        image = (shape, np.float32)
        arrays: dict[str, tuple[tuple[int, ...], Any]] = {"data": image}
        if self.errors:
            arrays["err"] = image
        if self.flags:
            arrays["dq"] = (shape, np.uint32)
        if self.context:
            arrays["con"] = ((math.ceil(images / 32), *shape), np.int32)
        arrays["wht"] = image
        if self.errors == "components" and self.components:
            arrays |= dict.fromkeys(("var_poisson", "var_rnoise", "var_flat"), image)
        return arrays


@dataclass
class Mosaic:
    """The arrays of a mosaic, or of a box of it.

    Attributes
    ----------
    box : Box
    arrays : dict
        By the names of the product's arrays, as `Wanted.arrays` tells them.
    """

    box: Box
    arrays: dict[str, NDArray[Any]]

    @property
    def data(self) -> F32:
        """Weighted means."""
        return self.arrays["data"]

    @property
    def weights(self) -> F32:
        """Sums of weights."""
        return self.arrays["wht"]


def make_mosaic(images: Sequence[InputImage], box: Box, how: Drop, wanted: Wanted, threads: int) -> Mosaic:
    """Drizzle images on a box of the output grid, in memory; as `stream_mosaic`."""
    sink = MemorySink(Box.of_shape(box.shape))
    stream_mosaic(images, box, how, wanted, sink, threads)
    return Mosaic(box, sink.arrays)


def stream_mosaic(
    images: Sequence[InputImage], box: Box, how: Drop, wanted: Wanted, sink: Sink, threads: int
) -> None:
    """Drizzle images on a box of the output grid, tile by tile.

    Parameters
    ----------
    images : sequence of InputImage
        Their order is that of the bits of the context.
    box : Box
    how : Drop
    wanted : Wanted
    sink : Sink
        Takes the arrays of the tiles; its frame begins at the corner of the box.
    threads : int
    """
    scratch = Scratch()

    def work(part: Box) -> None:
        tile = _Tile(part, how, wanted, len(images), scratch)
        for index, image in enumerate(images):
            tile.add(index, image)
        sink.put(part.relative_to(box), tile.arrays())

    run_on_threads(work, tiles_of(box, images), threads)


class _Tile:
    """A tile of the output while images are added; its arrays are those of the thread."""

    def __init__(self, box: Box, how: Drop, wanted: Wanted, images: int, scratch: Scratch) -> None:
        self._box, self._how, self._wanted, self._scratch = box, how, wanted, scratch
        self._images = images
        self._total = scratch.zeros("total", (*box.shape, 2 + wanted.together))
        components = (*box.shape, 2 * len(VARIANCES)) if wanted.errors == "components" else (0, 0, 0)
        self._components = scratch.zeros("components", components)
        context = (math.ceil(images / 32), *box.shape) if wanted.context else (1, 0, 0)
        self._context = scratch.zeros("context", context, np.int32)
        self._flags = scratch.zeros("gathered", box.shape if wanted.flags else (0, 0), np.uint32)

    def add(self, index: int, image: InputImage) -> None:
        """Drop the image of a number and add it to those before."""

        wanted = self._wanted
        dropped = drop(image, self._box, self._how, wanted.planes, wanted.flags, self._scratch)
        if dropped is None:
            return
        place, constant = dropped.box.relative_to(self._box), image.constant_weight
        context = self._context[index // 32 if wanted.context else 0]
        told = np.zeros((0, 0), np.int32) if dropped.hits is not None else context
        coadd.add(
            dropped.sums, constant, (place.y0, place.x0), self._total, self._components, told, index % 32
        )
        if dropped.hits is not None and wanted.context:
            context[place.slices] |= np.where(dropped.hits, np.uint32(1 << index % 32), 0).view(np.int32)
        if wanted.flags:
            self._flags[place.slices] |= dropped.flags

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the finished tile, in memory that the next tile of the thread uses again."""

        held = {"con": self._context, "dq": self._flags}
        arrays = {
            name: held[name] if name in held else self._scratch.array(name, *kind)
            for name, kind in self._wanted.arrays(self._box.shape, self._images).items()
            if name not in VARIANCES
        }
        fill, ratio = self._wanted.fill, self._how.scale_ratio
        coadd.means(self._total, 0, 1.0, fill, arrays["data"])
        arrays["wht"][:] = self._total[..., -1]
        if self._wanted.errors == "drizzled":
            coadd.means(self._total, 1, 1.0 / ratio, fill, arrays["err"])
        elif self._wanted.errors == "components":
            variances = self._scratch.array("variances", (len(VARIANCES), *self._box.shape))
            # Pixels of the output that are larger than those of the input average over more of them.
            coadd.errors(self._components, 1.0 / ratio**2, variances, arrays["err"])
            if self._wanted.components:
                arrays |= dict(zip(VARIANCES, variances, strict=True))
        return arrays
