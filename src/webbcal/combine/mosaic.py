"""A mosaic: images, drizzled and co-added, with their errors.

The error components (read noise, flat, Poisson) of a mosaic are those of a weighted mean. Each image's
standard deviation is drizzled alone, as its data are; squared, it is the variance of the image on the output
grid, and the variances of images add up with the squares of their weights. Correlations between output pixels
are not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from webbcal.combine.drizzling import Drop, Tile, tiles_of
from webbcal.combine.inputs import VARIANCES, InputImage
from webbcal.core.box import Box
from webbcal.kernels.drizzle.reference import Target
from webbcal.run.chain import available_threads, run_on_threads

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
    """

    errors: Literal["components", "drizzled"] | None = "components"
    context: bool = True
    flags: bool = False
    fill: float = np.nan

    @property
    def planes(self) -> tuple[str, ...]:
        """Arrays of the input whose square roots are dropped beside the data."""
        return {"components": VARIANCES, "drizzled": ("err",), None: ()}[self.errors]

    @property
    def together(self) -> int:
        """How many of them are averaged over all images, as the data are."""
        return 1 if self.errors == "drizzled" else 0


@dataclass
class Mosaic:
    """The arrays of a mosaic, or of a box of it.

    Attributes
    ----------
    box : Box
    data, weights : (ny, nx) float32
    error : (ny, nx) float32 or None
    variances : dict
        ``var_rnoise``, ``var_flat``, ``var_poisson``, each (ny, nx) float32; or empty.
    context : (planes, ny, nx) int32 or None
    flags : (ny, nx) uint32 or None
    """

    box: Box
    data: F32
    weights: F32
    error: F32 | None = None
    variances: dict[str, F32] = field(default_factory=dict)
    context: NDArray[np.int32] | None = None
    flags: NDArray[np.uint32] | None = None

    @classmethod
    def empty(cls, box: Box, wanted: Wanted, images: int) -> Mosaic:
        """Return one with arrays to be filled."""
        mosaic = cls(box, np.empty(box.shape, np.float32), np.empty(box.shape, np.float32))
        if wanted.errors:
            mosaic.error = np.empty(box.shape, np.float32)
        if wanted.errors == "components":
            mosaic.variances = {name: np.empty(box.shape, np.float32) for name in VARIANCES}
        if wanted.context:
            mosaic.context = np.empty(((images - 1) // 32 + 1, *box.shape), np.int32)
        if wanted.flags:
            mosaic.flags = np.empty(box.shape, np.uint32)
        return mosaic


def make_mosaic(images: Sequence[InputImage], box: Box, how: Drop, wanted: Wanted) -> Mosaic:
    """Drizzle images on a box of the output grid.

    Parameters
    ----------
    images : sequence of InputImage
        Their order is that of the bits of the context.
    box : Box
    how : Drop
    wanted : Wanted
    """
    mosaic = Mosaic.empty(box, wanted, len(images))

    def work(part: Box) -> None:
        _make_tile(images, part, how, wanted, mosaic)

    run_on_threads(work, tiles_of(box), available_threads())
    return mosaic


def _make_tile(images: Sequence[InputImage], part: Box, how: Drop, wanted: Wanted, mosaic: Mosaic) -> None:
    tile = Tile(part, 1 + wanted.together, len(images), wanted.context, wanted.flags)
    sums = VarianceSums(part.shape)
    for index, image in enumerate(images):
        alone = tile.drop(index, image, how, wanted.planes, wanted.together)
        if alone is not None and wanted.errors == "components":
            sums.add(alone, image)
    place = part.relative_to(mosaic.box).slices
    empty = tile.target.weights == 0
    mosaic.data[place] = np.where(empty, np.float32(wanted.fill), tile.target.means[0])
    mosaic.weights[place] = tile.target.weights
    if mosaic.context is not None and tile.context is not None:
        mosaic.context[(slice(None), *place)] = tile.context
    if mosaic.flags is not None:
        mosaic.flags[place] = tile.target.flags
    if mosaic.error is None:
        return
    if wanted.errors == "drizzled":
        mosaic.error[place] = np.where(empty, np.float32(wanted.fill), tile.target.means[1]) / how.scale_ratio
        return
    variances = sums.means(how.scale_ratio)
    for name, variance in variances.items():
        mosaic.variances[name][place] = variance
    mosaic.error[place] = total_error(list(variances.values()))


class VarianceSums:
    """Variances of a tile, added up over images with the squares of their weights."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._sums = np.zeros((len(VARIANCES), *shape), np.float32)
        self._weights = np.zeros((len(VARIANCES), *shape), np.float32)

    def add(self, deviations: Target, image: InputImage) -> None:
        """Add an image's drizzled standard deviations (in the order of `VARIANCES`).

        As a whole the image weighs by its read noise on the output grid, or by its exposure time, as the
        pixels do.
        """
        variances = np.square(deviations.means)
        covered = deviations.weights != 0
        if image.weighting.kind == "ivm" and image.has["var_rnoise"]:
            noise = variances[VARIANCES.index("var_rnoise")]
            covered &= (noise > 0) & np.isfinite(noise)
            weight = np.divide(np.float32(1), noise, out=np.zeros_like(noise), where=covered).astype(float)
        else:
            weight = np.full(covered.shape, image.time if image.weighting.kind == "exptime" else 1.0)
            covered &= weight > 0
        for k, name in enumerate(VARIANCES):
            if image.has[name]:
                used = covered & np.isfinite(variances[k])
                with np.errstate(over="ignore"):
                    self._sums[k][used] += (variances[k] * weight * weight)[used]
                self._weights[k][used] += weight[used]

    def means(self, scale_ratio: float) -> dict[str, F32]:
        """Return the variances of the weighted mean; NaN where there are none.

        Pixels of the output that are larger than those of the input average over more of them.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            # Divided twice: the square of the weight may be too large for its type.
            scaled = self._sums * np.float32(1.0 / scale_ratio**2) / self._weights / self._weights
        return dict(zip(VARIANCES, scaled, strict=True))


def total_error(variances: Sequence[F32]) -> F32:
    """Return the square root of the sum of what is not NaN; NaN where all are."""
    stack = np.array(variances)
    error: F32 = np.sqrt(np.nansum(stack, axis=0))
    error[np.isnan(stack).all(axis=0)] = np.nan
    return error
