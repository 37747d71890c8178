"""How an exposure is cut into blocks, and where it has to be cut in another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from webbcal.core.box import Box

#: Bytes of float32 samples of a block: few enough for caches, enough that rows of halo weigh little.
BLOCK_BYTES = 6 << 20
#: Bytes of whole frames that a block of frames may hold.
FRAMES_BYTES = 32 << 20
#: Columns that kernels work on at once: blocks of fewer columns waste time.
LANES = 64
#: Bytes of float32 samples of a block of all integrations, where they are many.
TILE_BYTES = 16 << 20
#: Such blocks: how much larger they are, and how much narrower. The first that have enough rows are taken:
#: rows of halo are dearer than narrow blocks.
TILES = ((1, 1), (1, 2), (2, 2), (4, 2))
#: Bytes of samples of as many rows as make a halo worth it; wider ramps get fewer rows.
FLOOR_BYTES = 16 << 20
#: Bytes of ramps that a task may keep in memory until it has seen all its integrations. Those of more wait in
#: scratch space, which takes a third more processor time.
KEPT_BYTES = 80 << 20
#: Bytes of a sample that is kept: its value and its flags.
SAMPLE_BYTES = 5


class Tiling(Enum):
    """Which blocks a step can live with.

    ROWS: some rows, all groups, some integrations. FRAMES: all rows of some groups of an integration. EITHER:
    each sample for itself.
    """

    ROWS = "rows"
    FRAMES = "frames"
    EITHER = "either"


class Tiled(Protocol):
    """What has a tiling, and may look at all samples before it starts: then it begins a pass."""

    @property
    def tiling(self) -> Tiling: ...  # noqa: D102
    @property
    def surveys_all(self) -> bool: ...  # noqa: D102


T = TypeVar("T", bound=Tiled)


def split(steps: Sequence[T]) -> list[tuple[Tiling, list[T]]]:
    """Cut a sequence of steps into passes, each of one tiling (ROWS or FRAMES).

    What a step looks at that surveys all ramps is kept before, not computed for it: it begins a pass.
    """
    passes: list[tuple[Tiling, list[T]]] = []
    for step in steps:
        tiling = step.tiling
        if not passes or step.surveys_all:
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
    floor = max(1, min(4 * halo, FLOOR_BYTES // sample))
    rows, ints, columns = BLOCK_BYTES // (sample * nints), nints, nx
    if rows < floor and nints > 1:  # many integrations: some at a time, of more rows
        wide = max(floor, min(2 * floor, 2 * BLOCK_BYTES // sample))
        rows = max(wide, min(BLOCK_BYTES // sample, 64))
        in_memory = KEPT_BYTES // (SAMPLE_BYTES * nints * ngroups * nx) - 2 * halo
        rows = min(rows, in_memory) if in_memory >= floor else rows
        pixels, lanes = _tile(4 * nints * ngroups, floor)
        rows = max(halo, 1, min(rows, pixels // lanes - 2))
        ints = BLOCK_BYTES // (sample * rows)
        columns = max(1, pixels // (rows + 2) // lanes) * lanes - 2
    else:
        rows = max(rows, floor)
    rows = max(1, min(rows, -(-ny // threads)))
    return Cut(rows, max(1, min(ints, nints)), ngroups, min(columns, nx))


def _tile(ramp_bytes: int, rows: int) -> tuple[int, int]:
    """Return the pixels of a tile of all integrations, and its columns: if it can be, of this many rows."""
    choices = [(size * TILE_BYTES // ramp_bytes, LANES // narrower) for size, narrower in TILES]
    enough = (choice for choice in choices if choice[0] // choice[1] - 2 >= rows)
    return next(enough, choices[-1])


def cut_frames(shape: tuple[int, ...], all_groups: bool) -> Cut:
    """Choose blocks of frames: one integration, and as many groups as memory allows or a step wants."""
    _, ngroups, ny, nx = shape
    groups = ngroups if all_groups else max(1, FRAMES_BYTES // (4 * ny * nx))
    return Cut(ny, 1, min(groups, ngroups), nx)
