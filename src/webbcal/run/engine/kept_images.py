"""Images of integrations, kept until all are there: in memory, or in scratch space where they are many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.io.scratch import room_for

#: Bytes that a task may take in memory for them, and that are looked at together.
MOST_BYTES = 8 << 20


class KeptImages:
    """Several images of each integration, of some rows.

    Parameters
    ----------
    box : Box
        Their pixels.
    nints : int
    types : sequence
        The type of each image.
    scratch : Path
        Folder of scratch space.
    """

    def __init__(self, box: Box, nints: int, types: Sequence[Any], scratch: Path) -> None:
        shape = (nints, *box.shape)
        size = math.prod(shape) * sum(np.dtype(t).itemsize for t in types)
        self._columns = min(box.shape[1], max(1, box.shape[1] * MOST_BYTES // size))
        self._room = room_for(size, MOST_BYTES, scratch)
        self._arrays = [self._room.allocate(shape, dtype) for dtype in types]
        self._taken = 0

    def put(self, images: Sequence[NDArray[Any]]) -> None:
        """Take the images of the next integrations, each (integrations, rows, columns)."""
        here = slice(self._taken, self._taken + len(images[0]))
        for array, values in zip(self._arrays, images, strict=True):
            array.write(values, here, slice(None), slice(None))
        self._taken = here.stop

    def pieces(self) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Yield some columns, and the images of all integrations there; give the room back at the end."""
        width = self._arrays[0].shape[2]
        try:
            for x in range(0, width, self._columns):
                columns = slice(x, min(x + self._columns, width))
                yield columns, [array.read(slice(None), slice(None), columns) for array in self._arrays]
        finally:
            self._room.close()
