"""The median of many images on one grid, without having them in memory.

Each image is kept in one temporary file, as the box that it covers; a band of rows of all of them is read
back at a time. The file has no name, so nothing is left behind whatever happens.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.core.errors import OutputError
from webbcal.core.threads import run_on_threads

distribution = kernels.get("distribution")
stack = kernels.get("stack")

F32 = NDArray[np.float32]

#: Values of all images that a band may have.
_BAND_VALUES = 1 << 22
_ITEM = 4
_CLIP_SIGMA, _CLIP_ROUNDS = 3.0, 5


class ImageStack:
    """Images on a common grid, in a temporary file.

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
        self._boxes: list[Box] = []
        self._offsets: list[int] = [0]
        self._folder = folder
        try:
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".webbcal_")  # noqa: SIM115
        except OSError as error:
            raise OutputError(f"{folder}: cannot make a temporary file ({error.strerror})") from error

    def __enter__(self) -> ImageStack:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def append(self, box: Box, image: F32) -> None:
        """Add an image that covers a box of the grid; NaN is no value."""
        data = np.ascontiguousarray(image, np.float32)
        try:
            _write(self._file.fileno(), data.reshape(-1).view(np.uint8).data, self._offsets[-1])
        except OSError as error:
            raise OutputError(
                f"{self._folder}: cannot write a temporary file ({error.strerror}); "
                f"outlier_detection needs {data.nbytes >> 20} MB for each exposure there"
            ) from error
        self._boxes.append(box)
        self._offsets.append(self._offsets[-1] + data.nbytes)

    def median(self, threads: int) -> F32:
        """Return the median of what is not NaN; NaN where nothing is."""
        result = np.empty(self.shape, np.float32)
        rows = max(1, _BAND_VALUES // max(1, self.shape[1] * len(self._boxes)))

        def work(band: Box) -> None:
            result[band.slices] = stack.nanmedian(self._read(band))

        run_on_threads(work, Box.of_shape(self.shape).bands(rows), threads)
        return result

    def _read(self, band: Box) -> F32:
        """Return the rows of a band of those images that reach it."""
        reaching = [k for k, box in enumerate(self._boxes) if box.y0 < band.y1 and box.y1 > band.y0]
        stack = np.full((len(reaching), *band.shape), np.nan, np.float32)
        for plane, k in zip(stack, reaching, strict=True):
            box = self._boxes[k]
            y0, y1, width = max(box.y0, band.y0), min(box.y1, band.y1), box.shape[1]
            part = np.empty((y1 - y0, width), np.float32)
            _read(self._file.fileno(), part, self._offsets[k] + (y0 - box.y0) * width * _ITEM)
            plane[y0 - band.y0 : y1 - band.y0, box.x0 : box.x1] = part
        return stack


def _write(descriptor: int, buffer: memoryview, offset: int) -> None:
    done = 0
    while done < len(buffer):
        done += os.pwrite(descriptor, buffer[done:], offset + done)


def _read(descriptor: int, out: F32, offset: int) -> None:
    buffer, done = out.reshape(-1).view(np.uint8).data, 0
    while done < len(buffer):
        done += os.preadv(descriptor, [buffer[done:]], offset + done)


def weight_threshold(weights: F32, share: float) -> float:
    """Return a share of the typical weight, NaN if there is none.

    The typical one is the mean of those that are not zero, after clipping about their median.
    """
    used = weights[np.isfinite(weights) & (weights != 0)]
    pieces = distribution.Pieces(used, np.array([0, len(used)]))
    (left,) = distribution.clipped(pieces, _CLIP_SIGMA, _CLIP_ROUNDS)
    return left.mean * share
