"""What all exposures together say that a pixel should be: the median, without any cosmic ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from webbcal.combine.mosaic.inputs import WeightedImage
from webbcal.combine.mosaic.tiles import Mosaic
from webbcal.combine.outliers.median import ImageStack, weight_threshold
from webbcal.core.box import Box

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Expected:
    """What pixels should be: on the grid of all exposures, or at those of one.

    Attributes
    ----------
    data : (ny, nx) float32
    error : (ny, nx) float32 or None
        The median error, if it stands for that of the exposures.
    """

    data: F32
    error: F32 | None = None

    def mapped(self, to: Callable[[F32], F32]) -> Expected:
        """Return it with a function applied to its images."""
        return Expected(to(self.data), None if self.error is None else to(self.error))


def median_of(
    exposures: Iterable[tuple[Box, Mosaic]], shape: tuple[int, int], maskpt: float, folder: Path, threads: int
) -> Expected:
    """Return the median of exposures on one grid.

    Parameters
    ----------
    exposures : iterable of (Box, Mosaic)
        Each as the box of the grid that it covers, with its weights; and its errors, if the median error is
        wanted. One is in memory at a time.
    shape : tuple of int
        Rows and columns of the grid.
    maskpt : float
        Share of the typical weight of an exposure below which its pixels do not count.
    folder : path
        Where scratch files are made.
    threads : int
    """
    with ExitStack() as opened:
        stacks: dict[str, ImageStack] = {}
        for box, mosaic in exposures:
            faint = mosaic.weights < weight_threshold(mosaic.weights, maskpt)
            for name in ("data", "err"):
                if name in mosaic.arrays:
                    if name not in stacks:
                        stacks[name] = opened.enter_context(ImageStack(shape, folder))
                    mosaic.arrays[name][faint] = np.nan
                    stacks[name].append(box, mosaic.arrays[name])
        found = {name: stack.median(threads) for name, stack in stacks.items()}
    return Expected(found["data"], found.get("err"))


def as_they_are(images: Sequence[WeightedImage], errors: bool) -> Iterable[tuple[Box, Mosaic]]:
    """Yield images that are on one grid already; with their errors, if those are wanted."""
    for image in images:
        whole = Box.of_shape(image.shape)
        region = image.region(whole, ("err",) if errors else ())
        arrays = {"data": region.data, "wht": region.weight}
        if errors:
            arrays["err"] = region.values[..., 1]
        yield whole, Mosaic(whole, {name: np.ascontiguousarray(array) for name, array in arrays.items()})
