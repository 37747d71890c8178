"""Where blocks come from: models, read straight from their files when they are not yet in memory."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.io.arrays import ArraySource
from webbcal.run.engine.blocks import RATE_ARRAYS, Block, RampBlock, RateBlock


class ModelLike(Protocol):
    """What a source needs of a data model."""

    def has(self, name: str) -> bool: ...  # noqa: D102
    def source(self, name: str) -> Any: ...  # noqa: D102


class Source(Protocol):
    """Where blocks come from."""

    @property
    def frame(self) -> Box:
        """All pixels."""

    @property
    def ints(self) -> range:
        """All integrations."""

    @property
    def groups(self) -> range:
        """All groups."""

    def read(self, interior: Box, halo: int, ints: range, groups: range) -> Block:
        """Return the block whose interior is `interior`, grown by `halo` pixels."""


class RampSource:
    """Blocks of a `Level1bModel` or `RampModel`."""

    def __init__(self, model: ModelLike) -> None:
        self._data: ArraySource = model.source("data")
        self._optional: dict[str, ArraySource | None] = {
            name: model.source(name) if model.has(name) else None
            for name in ("groupdq", "pixeldq", "zeroframe", "average_dark_current")
        }
        self.frame = Box.of_shape(self._data.shape)
        self.ints, self.groups = (range(n) for n in self._data.shape[:2])

    def read(self, interior: Box, halo: int, ints: range, groups: range) -> RampBlock:
        """Read one block."""
        box = interior.grow(halo, within=self.frame)
        ys, xs = box.slices
        i, g = slice(ints.start, ints.stop), slice(groups.start, groups.stop)
        data = np.empty((len(ints), len(groups), *box.shape), np.float32)
        self._data.read_into(data, i, g, ys, xs)
        groupdq = self._read("groupdq", i, g, ys, xs)
        pixeldq = self._read("pixeldq", ys, xs)
        zeroframe = self._read("zeroframe", i, ys, xs) if groups.start == 0 else None
        return RampBlock(
            box=box,
            interior=interior,
            ints=ints,
            groups=groups,
            data=data,
            groupdq=np.zeros(data.shape, np.uint8) if groupdq is None else groupdq,
            pixeldq=np.zeros(box.shape, np.uint32) if pixeldq is None else pixeldq,
            zeroframe=None if zeroframe is None else zeroframe.astype(np.float32, copy=False),
            dark_current=self._read("average_dark_current", ys, xs),
        )

    def flags(self, box: Box, ints: range, groups: range) -> NDArray[np.uint8]:
        """Read flags only."""
        i, g = slice(ints.start, ints.stop), slice(groups.start, groups.stop)
        found = self._read("groupdq", i, g, *box.slices)
        return np.zeros((len(ints), len(groups), *box.shape), np.uint8) if found is None else found

    def _read(self, name: str, *index: slice) -> NDArray[Any] | None:
        source = self._optional[name]
        return None if source is None else source.read(*index)


class RateSource:
    """Blocks of an `ImageModel` or `CubeModel` of rates."""

    def __init__(self, model: ModelLike) -> None:
        self._sources: dict[str, ArraySource] = {
            name: model.source(name) for name in RATE_ARRAYS if model.has(name)
        }
        shape = self._sources["data"].shape
        self._is_image = len(shape) == 2
        self.frame = Box.of_shape(shape)
        self.ints, self.groups = range(1 if self._is_image else shape[0]), range(1)

    def read(self, interior: Box, halo: int, ints: range, groups: range) -> RateBlock:
        """Read one block (rates need no halo)."""
        index = interior.slices if self._is_image else (slice(ints.start, ints.stop), *interior.slices)
        values = {name: source.read(*index) for name, source in self._sources.items()}
        return RateBlock(interior, None if self._is_image else ints, values)
