"""Passes over an exposure: operations of one tiling, fed by the input or by what the pass before has kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.core.threads import run_on_threads
from webbcal.run.engine.blocks import Block, RampBlock, RateBlock, chunks
from webbcal.run.engine.operation import Kept, Operation, Stretch, Survey
from webbcal.run.engine.rows import Emit, RowsTask
from webbcal.run.engine.sources import RampSource, Source
from webbcal.run.engine.store import RampStore, store_for
from webbcal.run.engine.tiling import Cut, Tiling, cut_frames, cut_rows


class Progress(Protocol):
    """What is told of the progress of a run."""

    def start(self, description: str, total: int) -> None: ...  # noqa: D102
    def advance(self, units: int) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Means:
    """What a run works with: threads, memory for ramps between passes, scratch space, and a display."""

    threads: int
    kept_bytes: int
    scratch: Path
    progress: Progress


@dataclass
class Pass:
    """Operations of one tiling over a source of blocks."""

    tiling: Tiling
    operations: list[Operation] = field(default_factory=list)
    emit: Emit = lambda index, block: None

    def cut(self, source: Source, threads: int) -> Cut:
        """Return the size of its blocks."""
        shape = (len(source.ints), len(source.groups), *source.frame.shape)
        if self.tiling is Tiling.FRAMES:
            return cut_frames(shape, any(op.step.all_groups for op in self.operations))
        return cut_rows(shape, sum(op.halo for op in self.operations), threads)

    def append(self, operation: Operation, source: Source, threads: int, scratch: Path) -> None:
        """Let an operation measure what it needs of the data that it will get, then add it.

        Raises
        ------
        SkipStep
            When the step cannot apply to these data.
        """
        operation.measure(self._survey(len(self.operations), source, threads, scratch))
        self.operations.append(operation)

    def _survey(self, index: int, source: Source, threads: int, scratch: Path) -> Survey:
        """Return what the operation at this position, or the next one, may look at."""
        upstream = Upstream(self.tiling, self.operations[:index], source)
        frame = self.operations[index - 1].frame_after if index else source.frame
        return Survey(upstream, source.ints, source.groups, frame, threads, scratch)

    def run(self, source: Source, means: Means, kept: RampStore | None = None) -> None:
        """Run over all blocks; what comes out goes to `kept`, if there is one."""
        work = self._frames if self.tiling is Tiling.FRAMES else self._rows
        work(source, means, kept)

    def _rows(self, source: Source, means: Means, kept: RampStore | None) -> None:
        cut = self.cut(source, means.threads)

        def work(interior: Box) -> None:
            for block in RowsTask(interior, source, self.operations, cut, means.scratch, self.emit).run():
                if kept is not None and isinstance(block, RampBlock):
                    kept.put(block)
            means.progress.advance(1)

        _on_threads(work, list(source.frame.bands(cut.rows)), means)

    def _frames(self, source: Source, means: Means, kept: RampStore | None) -> None:
        pieces = chunks(source.groups, self.cut(source, means.threads).groups)
        looks = any(operation.looks for operation in self.operations)
        walks = any(operation.step.walks for operation in self.operations)
        whole = chunks(source.ints, 1)
        means.progress.start("calibrating", len(whole) * len(pieces))
        for batch in [[ints] for ints in whole] if looks else [whole]:
            for index, operation in enumerate(self.operations):
                operation.look(batch[0], self._survey(index, source, means.threads, means.scratch))
            parts = [[(ints, groups) for groups in pieces] for ints in batch]
            tasks = parts if walks else [[part] for some in parts for part in some]
            spare = max(1, means.threads // len(tasks))

            def work(task: list[tuple[range, range]], spare: int = spare) -> None:
                self._some_frames(task, source, spare, means, kept)

            run_on_threads(work, tasks, means.threads)

    def _some_frames(
        self,
        parts: list[tuple[range, range]],
        source: Source,
        threads: int,
        means: Means,
        kept: RampStore | None,
    ) -> None:
        """Work on frames of one integration, in the order in which they are given."""
        references = Kept()
        stretch = Stretch(source.frame, parts[0][0], threads)
        walks = {op.position: op.walk(stretch, references) for op in self.operations if op.step.walks}
        for part in parts:
            block: Block = source.read(source.frame, 0, *part)
            self.emit(-1, block)
            for index, operation in enumerate(self.operations):
                walk = walks.get(operation.position)
                if walk is not None:
                    block = operation.walked(walk, block)
                else:
                    block = operation.apply(block, references)
                self.emit(index, block)
            if kept is not None and isinstance(block, RampBlock):
                kept.put(block)
            means.progress.advance(1)


def _on_threads(work: Callable[..., None], items: Sequence[Any], means: Means) -> None:
    means.progress.start("calibrating", len(items))
    run_on_threads(work, items, means.threads)


@dataclass(frozen=True)
class Upstream:
    """The data after some operations of a pass, computed where they are looked at."""

    tiling: Tiling
    operations: Sequence[Operation]
    source: Source

    def __call__(self, box: Box, ints: range) -> RampBlock:
        """Return some pixels of some integrations."""
        whole = any(op.all_integrations or op.step.walks for op in self.operations)
        wanted = self.source.ints if whole else ints
        frames = any(op.tiling is Tiling.FRAMES for op in self.operations)
        halo = max(self.source.frame.shape) if frames else sum(op.halo for op in self.operations)
        block: Block = self.source.read(box, halo, wanted, self.source.groups)
        references = Kept()
        for operation in self.operations:
            block = operation.apply(block, references, surveyed=True)
        assert isinstance(block, RampBlock)
        return block.integrations(ints) if whole else block

    def rates(self, box: Box, ints: range) -> RateBlock:
        """Return the rates of some pixels and integrations, where the source has rates."""
        block: Block = self.source.read(box, 0, ints, self.source.groups)
        for operation in self.operations:
            block = operation.apply(block, Kept(), surveyed=True)
        assert isinstance(block, RateBlock)
        return block

    def flags(self, box: Box, ints: range, groups: range) -> NDArray[np.uint8]:
        """Return the flags of some pixels, integrations and groups."""
        if self.operations:
            return self.some(box, ints, groups).groupdq
        assert isinstance(self.source, RampSource | RampStore)
        return self.source.flags(box, ints, groups)

    def some(self, box: Box, ints: range, groups: range) -> RampBlock:
        """Return some pixels of some integrations and groups."""
        if self.operations:
            return self(box, ints).some_groups(groups)
        block = self.source.read(box, 0, ints, groups)
        assert isinstance(block, RampBlock)
        return block


def run_passes(
    passes: Sequence[Pass], source: Source, means: Means, prepare: Callable[[Pass, Source], None]
) -> None:
    """Run passes one after another.

    Parameters
    ----------
    passes : sequence of Pass
    source : Source
        The input.
    means : Means
    prepare : callable
        Is called with each pass and its source before it runs.
    """
    current = source
    try:
        for number, this in enumerate(passes):
            prepare(this, current)
            last = number + 1 == len(passes)
            kept = None if last else _room_after(this, current, means)
            this.run(current, means, kept)
            if kept is not None and kept is not current:
                _close(current)
                current = kept
    finally:
        _close(current)


def _room_after(this: Pass, source: Source, means: Means) -> RampStore:
    """Return where the ramps go: whole frames that come from a store go back to their place, if they fit."""
    frame = this.operations[-1].frame_after if this.operations else source.frame
    if this.tiling is Tiling.FRAMES and isinstance(source, RampStore) and frame == source.frame:
        return source
    return store_for(frame, source.ints, source.groups, means.kept_bytes, means.scratch)


def _close(source: Source) -> None:
    if isinstance(source, RampStore):
        source.close()
