"""The median of many images on one grid, without having them in memory.

Each image is kept in one temporary file, as the box that it covers; a band of rows of all of them is read
back at a time. The file has no name, so nothing is left behind whatever happens.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.core.threads import run_on_threads
from webbcal.io.scratch import ScratchArray, ScratchFile

distribution = kernels.get("distribution")
stack = kernels.get("stack")

F32 = NDArray[np.float32]

#: Values of all images that a band may have.
_BAND_VALUES = 1 << 22
_CLIP_SIGMA, _CLIP_ROUNDS = 3.0, 5


class ImageStack:
    """Images on a common grid, in scratch space.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the grid.
    folder : path
        Where the file is made: it may become as large as all images together.

    Raises
    ------
    OutputError
        If the file cannot be made or written.
    """

    def __init__(self, shape: tuple[int, int], folder: Path) -> None:
        self.shape = shape
        self._images: list[tuple[Box, ScratchArray]] = []
        self._file = ScratchFile(folder, "choose another output_dir")

    def __enter__(self) -> ImageStack:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def append(self, box: Box, image: F32) -> None:
        """Add an image that covers a box of the grid; NaN is no value."""
        stored = self._file.allocate(box.shape, np.float32)
        stored.write(image)
        self._images.append((box, stored))

    def median(self, threads: int) -> F32:
        """Return the median of what is not NaN; NaN where nothing is."""
        result = np.empty(self.shape, np.float32)
        rows = max(1, _BAND_VALUES // max(1, self.shape[1] * len(self._images)))

        def work(band: Box) -> None:
            result[band.slices] = stack.nanmedian(self._read(band))

        run_on_threads(work, Box.of_shape(self.shape).bands(rows), threads)
        return result

    def _read(self, band: Box) -> F32:
        """Return the rows of a band of those images that reach it."""
        reaching = [(box, image) for box, image in self._images if box.y0 < band.y1 and box.y1 > band.y0]
        stack = np.full((len(reaching), *band.shape), np.nan, np.float32)
        for plane, (box, image) in zip(stack, reaching, strict=True):
            y0, y1 = max(box.y0, band.y0), min(box.y1, band.y1)
            plane[y0 - band.y0 : y1 - band.y0, box.x0 : box.x1] = image.read(slice(y0 - box.y0, y1 - box.y0))
        return stack


def weight_threshold(weights: F32, share: float) -> float:
    """Return a share of the typical weight, NaN if there is none.

    The typical one is the mean of those that are not zero, after clipping about their median.
    """
    used = weights[np.isfinite(weights) & (weights != 0)]
    pieces = distribution.Pieces(used, np.array([0, len(used)]))
    (left,) = distribution.clipped(pieces, _CLIP_SIGMA, _CLIP_ROUNDS)
    return left.mean * share
