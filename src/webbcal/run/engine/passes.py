"""Passes over an exposure: operations of one tiling, fed by the input or by what the pass before has kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from webbcal.core.box import Box
from webbcal.core.threads import run_on_threads
from webbcal.run.engine.blocks import Block, RampBlock, chunks
from webbcal.run.engine.operation import Kept, Operation, Survey
from webbcal.run.engine.rows import Emit, RowsTask
from webbcal.run.engine.sources import Source
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

    def append(self, operation: Operation, source: Source, threads: int) -> None:
        """Let an operation measure what it needs of the data that it will get, then add it.

        Raises
        ------
        SkipStep
            When the step cannot apply to these data.
        """
        upstream = Upstream(self.tiling, list(self.operations), source)
        operation.measure(Survey(upstream, source.ints, source.frame, threads))
        self.operations.append(operation)

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
        cut = self.cut(source, means.threads)

        def work(part: tuple[range, range]) -> None:
            block: Block = source.read(source.frame, 0, *part)
            kept_references = Kept()
            self.emit(-1, block)
            for index, operation in enumerate(self.operations):
                block = operation.apply(block, kept_references)
                self.emit(index, block)
            if kept is not None and isinstance(block, RampBlock):
                kept.put(block)
            means.progress.advance(1)

        pieces = chunks(source.groups, cut.groups)
        _on_threads(work, [(i, g) for i in chunks(source.ints, 1) for g in pieces], means)


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
        whole = any(op.all_integrations for op in self.operations)
        wanted = self.source.ints if whole else ints
        frames = self.tiling is Tiling.FRAMES and self.operations
        halo = max(self.source.frame.shape) if frames else sum(op.halo for op in self.operations)
        block: Block = self.source.read(box, halo, wanted, self.source.groups)
        references = Kept()
        for operation in self.operations:
            block = operation.apply(block, references, surveyed=True)
        assert isinstance(block, RampBlock)
        return block.integrations(ints) if whole else block


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
    """Return where the ramps go: whole frames that come from a store go back to their place."""
    if this.tiling is Tiling.FRAMES and isinstance(source, RampStore):
        return source
    return store_for(source.frame, source.ints, source.groups, means.kept_bytes, means.scratch)


def _close(source: Source) -> None:
    if isinstance(source, RampStore):
        source.close()
