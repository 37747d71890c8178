"""Ramps on their way: kept in memory where they are small, in scratch space where they are not.

A store is filled block by block and read block by block, cut in another way: where a step wants whole frames
and the next one all integrations of some rows, or a step has to see all integrations before it works on the
first. It may be laid out in tiles of columns, each with its own margin, so that all integrations of a few
pixels lie together on disk.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.io.scratch import Room, RoomArray, ScratchFile, room_for
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.tiling import SAMPLE_BYTES


class RampStore:
    """Ramps of a box of pixels, all integrations and groups; a `Source` once it is filled.

    Parameters
    ----------
    frame : Box
        Its pixels, in the coordinates of the science array.
    ints, groups : range
    room : Room
        Where the samples go.
    tiles : sequence of Box, optional
        How it is laid out: boxes that cover the frame, with margins that overlap.
    """

    def __init__(
        self,
        frame: Box,
        ints: range,
        groups: range,
        room: Room,
        tiles: Sequence[Box] = (),
    ) -> None:
        self.frame, self.ints, self.groups = frame, ints, groups
        self._room = room
        self.tiles = list(tiles) or [frame]
        samples = (len(ints), len(groups))
        self._data = [room.allocate((*samples, *t.shape), np.float32) for t in self.tiles]
        self._groupdq = [room.allocate((*samples, *t.shape), np.uint8) for t in self.tiles]
        self._zeroframe: list[RoomArray] = []
        self._pixeldq = np.zeros(frame.shape, np.uint32)
        self._dark: NDArray[np.float32] | None = None
        self._lock = threading.Lock()

    @staticmethod
    def bytes_of(frame: Box, ints: int, groups: int) -> int:
        """Return the room that samples of a box take."""
        return SAMPLE_BYTES * ints * groups * frame.shape[0] * frame.shape[1]

    def put(self, block: RampBlock, pixels: Box | None = None) -> None:
        """Take a block (thread-safe): its interior, or the pixels that are given."""
        pixels = pixels or block.interior
        inner = pixels.relative_to(block.box).slices
        self._put_pixels(block, pixels, inner)
        i, g = self._leading(block)
        for number, tile in enumerate(self.tiles):
            part = pixels.overlap(tile)
            if part is None:
                continue
            target, source = part.relative_to(tile).slices, part.relative_to(block.box).slices
            self._data[number].write(block.data[..., *source], i, g, *target)
            self._groupdq[number].write(block.groupdq[..., *source], i, g, *target)
            if block.zeroframe is not None:
                self._zeroframe[number].write(block.zeroframe[..., *source], i, *target)

    def _put_pixels(self, block: RampBlock, pixels: Box, inner: tuple[slice, slice]) -> None:
        """Take what there is once for all integrations."""
        here = pixels.relative_to(self.frame).slices
        with self._lock:
            self._pixeldq[here] |= block.pixeldq[inner]
            if block.zeroframe is not None and not self._zeroframe:
                shapes = [(len(self.ints), *tile.shape) for tile in self.tiles]
                self._zeroframe = [self._room.allocate(shape, np.float32) for shape in shapes]
            if block.dark_current is not None:
                if self._dark is None:
                    self._dark = np.zeros(self.frame.shape, np.float32)
                self._dark[here] = block.dark_current[inner]

    def put_flags(self, block: RampBlock, tile: int) -> None:
        """Take the changed flags of a block that is a whole tile; those of its margins are not asked for."""
        self._groupdq[tile].write(block.groupdq, *self._leading(block))
        inside = self.interiors()[tile]
        with self._lock:
            here = inside.relative_to(self.frame).slices
            self._pixeldq[here] |= block.pixeldq[inside.relative_to(block.box).slices]

    def _leading(self, block: RampBlock) -> tuple[slice, slice]:
        i, g = block.ints.start - self.ints.start, block.groups.start - self.groups.start
        return slice(i, i + len(block.ints)), slice(g, g + len(block.groups))

    def read(self, interior: Box, halo: int, ints: range, groups: range) -> RampBlock:
        """Return a block."""
        box = interior.grow(halo, within=self.frame)
        i = slice(ints.start - self.ints.start, ints.stop - self.ints.start)
        g = slice(groups.start - self.groups.start, groups.stop - self.groups.start)
        data, groupdq = self._gather(self._data, box, i, g), self._gather(self._groupdq, box, i, g)
        first = bool(self._zeroframe) and groups.start == 0
        zeroframe = self._gather(self._zeroframe, box, i) if first else None
        return self._block(box, interior, ints, groups, data, groupdq, zeroframe)

    def flags(self, box: Box, ints: range, groups: range) -> NDArray[np.uint8]:
        """Return the flags of some samples."""
        i = slice(ints.start - self.ints.start, ints.stop - self.ints.start)
        g = slice(groups.start - self.groups.start, groups.stop - self.groups.start)
        flags: NDArray[np.uint8] = self._gather(self._groupdq, box, i, g)
        return flags

    def read_tile(self, number: int, interior: Box) -> RampBlock:
        """Return all integrations of a tile as a block with this interior; in memory, not a copy of them."""
        data, groupdq = self._data[number].whole(), self._groupdq[number].whole()
        zeroframe = self._zeroframe[number].whole() if self._zeroframe else None
        return self._block(self.tiles[number], interior, self.ints, self.groups, data, groupdq, zeroframe)

    def _block(
        self, box: Box, interior: Box, ints: range, groups: range, data: Any, groupdq: Any, zeroframe: Any
    ) -> RampBlock:
        """Return samples as a block, with what there is once for all integrations."""
        here = box.relative_to(self.frame).slices
        dark = None if self._dark is None else self._dark[here].copy()
        return RampBlock(
            box, interior, ints, groups, data, groupdq, self._pixeldq[here].copy(), zeroframe, dark
        )

    def _gather(self, stored: Sequence[RoomArray], box: Box, *leading: slice) -> Any:
        """Read a box from the tiles that hold it; where tiles overlap, from that whose interior it is."""
        if len(self.tiles) == 1:
            return stored[0].read(*leading, *box.relative_to(self.tiles[0]).slices)
        lengths = [s.stop - s.start for s in leading]
        out = np.empty((*lengths, *box.shape), stored[0].dtype)
        for tile, inside, array in zip(self.tiles, self.interiors(), stored, strict=True):
            part = box.overlap(inside)
            if part is not None:  # a tile is read whole: it lies in one piece
                whole = array.read(*leading)
                out[(..., *part.relative_to(box).slices)] = whole[(..., *part.relative_to(tile).slices)]
        return out

    def interiors(self) -> list[Box]:
        """Return the tiles without their margins: boxes that share the frame."""
        edges = [(a.x1 + b.x0) // 2 for a, b in zip(self.tiles, self.tiles[1:], strict=False)]
        starts, stops = [self.frame.x0, *edges], [*edges, self.frame.x1]
        return [
            Box(self.frame.y0, self.frame.y1, start, stop) for start, stop in zip(starts, stops, strict=True)
        ]

    def close(self) -> None:
        """Give the room back."""
        self._room.close()


def store_for(
    frame: Box, ints: range, groups: range, most: int, folder: Path, tiles: Sequence[Box] = ()
) -> RampStore:
    """Return an empty store: in memory if it takes `most` bytes at most, else in tiles in scratch space."""
    room = room_for(RampStore.bytes_of(frame, len(ints), len(groups)), most, folder)
    return RampStore(frame, ints, groups, room, tiles if isinstance(room, ScratchFile) else ())
