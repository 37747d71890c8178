"""How an exposure is cut into blocks, and where it has to be cut in another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from webbcal.core.box import Box

#: Bytes of float32 samples that a block should hold, so that it stays in a core's cache.
BLOCK_BYTES = 4 << 20
#: Bytes of whole frames that a block of frames may hold.
FRAMES_BYTES = 48 << 20
#: Bytes of float32 samples of a block of all integrations, where they are many.
TILE_BYTES = 16 << 20
#: Columns that kernels work on at once: blocks of fewer columns waste time.
LANES = 64
#: Bytes of samples that a task may keep in memory until it has seen all its integrations.
KEPT_BYTES = 8 << 20


class Tiling(Enum):
    """Which blocks a step can live with.

    ROWS: some rows, all groups, some integrations. FRAMES: all rows of some groups of an integration. EITHER:
    each sample for itself.
    """

    ROWS = "rows"
    FRAMES = "frames"
    EITHER = "either"


class Tiled(Protocol):
    """What has a tiling."""

    @property
    def tiling(self) -> Tiling: ...  # noqa: D102


T = TypeVar("T", bound=Tiled)


def split(steps: Sequence[T]) -> list[tuple[Tiling, list[T]]]:
    """Cut a sequence of steps into passes, each of one tiling (ROWS or FRAMES)."""
    passes: list[tuple[Tiling, list[T]]] = []
    for step in steps:
        tiling = step.tiling
        if not passes:
            passes.append((tiling, [step]))
        elif tiling in (Tiling.EITHER, passes[-1][0]):
            passes[-1][1].append(step)
        elif passes[-1][0] is Tiling.EITHER:
            passes[-1] = (tiling, [*passes[-1][1], step])
        else:
            passes.append((tiling, [step]))
    return [(Tiling.ROWS if tiling is Tiling.EITHER else tiling, members) for tiling, members in passes]


@dataclass(frozen=True, slots=True)
class Cut:
    """The size of blocks.

    Attributes
    ----------
    rows : int
        Interior rows of a task.
    ints : int
        Integrations of a block.
    groups : int
        Groups of a block.
    columns : int
        Interior columns of a block that holds all integrations.
    """

    rows: int
    ints: int
    groups: int
    columns: int

    def tiles(self, frame: Box, margin: int) -> list[Box]:
        """Return the boxes of all integrations: columns of a frame, with margins that overlap."""
        starts = range(frame.x0, frame.x1, self.columns)
        inner = (Box(frame.y0, frame.y1, x, min(x + self.columns, frame.x1)) for x in starts)
        return [
            Box(box.y0, box.y1, max(box.x0 - margin, frame.x0), min(box.x1 + margin, frame.x1))
            for box in inner
        ]


def cut_rows(shape: tuple[int, ...], halo: int, threads: int) -> Cut:
    """Choose blocks of rows: a core's cache full of samples, and enough of them for all threads.

    Parameters
    ----------
    shape : tuple of int
        (integrations, groups, rows, columns).
    halo : int
        Rows that are read around a block.
    threads : int
    """
    nints, ngroups, ny, nx = shape
    sample = 4 * nx * ngroups
    floor = max(4 * halo, 1)
    rows, ints, columns = BLOCK_BYTES // (sample * nints), nints, nx
    if rows < floor and nints > 1:  # many integrations: some at a time, of more rows
        pixels = TILE_BYTES // (4 * nints * ngroups)
        rows = max(2 * floor, min(BLOCK_BYTES // sample, 64))
        rows = max(halo, 1, min(rows, pixels // LANES - 2))
        ints = BLOCK_BYTES // (sample * rows)
        columns = max(1, pixels // (rows + 2) // LANES) * LANES - 2
    else:
        rows = max(rows, floor)
    rows = max(1, min(rows, -(-ny // threads)))
    return Cut(rows, max(1, min(ints, nints)), ngroups, min(columns, nx))


def cut_frames(shape: tuple[int, ...], all_groups: bool) -> Cut:
    """Choose blocks of frames: one integration, and as many groups as memory allows or a step wants."""
    _, ngroups, ny, nx = shape
    groups = ngroups if all_groups else max(1, FRAMES_BYTES // (4 * ny * nx))
    return Cut(ny, 1, min(groups, ngroups), nx)
