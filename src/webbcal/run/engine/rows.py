"""The work on some rows of an exposure: its integrations pass through the steps, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from webbcal.core.box import Box
from webbcal.run.engine.blocks import Block, RampBlock, chunks
from webbcal.run.engine.operation import Fold, Kept, Operation, Stretch
from webbcal.run.engine.sources import Source
from webbcal.run.engine.store import RampStore, store_for
from webbcal.run.engine.tiling import KEPT_BYTES, Cut

#: A block is cropped when it has this many times the rows that the steps to come need.
WASTE = 1.15

#: Takes the data after an operation (its position among those of the pass, -1: before all of them).
Emit = Callable[[int, Block], None]


@dataclass
class RowsTask:
    """Some rows of an exposure on their way through operations.

    Attributes
    ----------
    interior : Box
        The rows whose results are wanted.
    source : Source
    operations : sequence of Operation
    cut : Cut
    scratch : Path
        Folder for ramps that have to be kept and are not small.
    emit : callable
    """

    interior: Box
    source: Source
    operations: Sequence[Operation]
    cut: Cut
    scratch: Path
    emit: Emit

    def __post_init__(self) -> None:
        self._chunks = chunks(self.source.ints, self.cut.ints)
        self._references = Kept(again=len(self._chunks) > 1)
        self._stores: dict[int, RampStore] = {}  # by the operation that ramps wait for

    def run(self) -> Iterator[Block]:
        """Yield what comes out of the last operation, block by block.

        Stages are generators, each fed by the one before: a block is worked on while it is in cache, and no
        more integrations are in memory than a block holds.
        """
        stream = self._told(-1, self._read())
        for index, operation in enumerate(self.operations):
            if operation.step.folds:
                stream = self._folded(index, operation, stream)
            elif operation.step.walks:
                stream = self._walked(index, operation, stream)
            elif self._waits_for_all(index):
                stream = self._together(index, operation, stream)
            else:
                stream = self._applied(index, operation, stream)
            stream = self._told(index, stream)
        try:
            yield from stream
        finally:
            for store in self._stores.values():
                store.close()

    def _waits_for_all(self, index: int) -> bool:
        """Whether an operation gets all integrations at once, of which a block holds but some."""
        operation = self.operations[index]
        by_itself = operation.step.folds or operation.step.walks
        return operation.all_integrations and not by_itself and len(self._chunks) > 1

    def _halo(self, index: int) -> int:
        """The halo that the operations from this one on need."""
        return sum(operation.halo for operation in self.operations[index:])

    def _read(self) -> Iterator[Block]:
        for ints in self._chunks:
            yield self.source.read(self.interior, self._halo(0), ints, self.source.groups)

    def _told(self, index: int, stream: Iterator[Block]) -> Iterator[Block]:
        for block in stream:
            self.emit(index, block)
            yield block

    def _applied(self, index: int, operation: Operation, stream: Iterator[Block]) -> Iterator[Block]:
        halo = self._halo(index)
        for block in stream:
            trimmed = self._trimmed(block, halo)
            yield operation.apply(trimmed, self._references)

    def _walked(self, index: int, operation: Operation, stream: Iterator[Block]) -> Iterator[Block]:
        """Give a step the integrations of its rows in order."""
        halo, walk = self._halo(index), None
        for block in stream:
            trimmed = self._trimmed(block, halo)
            assert isinstance(trimmed, RampBlock)
            if walk is None:
                walk = operation.walk(Stretch(trimmed.box, self.source.ints), self._references)
            yield operation.walked(walk, trimmed)

    def _trimmed(self, block: Block, halo: int) -> Block:
        """Drop rows that are not needed any more, where they are so many that a copy without them pays."""
        if not isinstance(block, RampBlock):
            return block
        if block.box.shape[0] <= WASTE * (block.interior.shape[0] + 2 * halo):
            return block
        self._references.forget()
        return block.cropped(halo)

    def _folded(self, index: int, operation: Operation, stream: Iterator[Block]) -> Iterator[Block]:
        """Let a step see all integrations before it works on the first."""
        fold = operation.fold(self.interior, self._references)
        if len(self._chunks) > 1 and fold.looks:
            stream = self._seen(index, operation, fold, stream)
        for block in stream:
            trimmed = self._trimmed(block, 0)
            assert isinstance(trimmed, RampBlock)
            yield operation.timed(fold.apply, trimmed)
        yield fold.finish()

    def _seen(self, index: int, operation: Operation, fold: Fold, stream: Iterator[Block]) -> Iterator[Block]:
        """Let a fold see all blocks; then bring them once more, from the source or kept on the way."""
        # What comes straight from the source or a store can be read there again.
        waited = index > 0 and self._waits_for_all(index - 1)
        store = None if index == 0 or waited else self._store(index, self.interior)
        for block in stream:
            assert isinstance(block, RampBlock)
            block = block.cropped(0)
            operation.timed(fold.look, block)
            if store is not None:
                store.put(block)
        again = self.source if index == 0 else self._stores[index - waited]
        for ints in self._chunks:
            yield again.read(self.interior, 0, ints, self.source.groups)

    def _store(self, index: int, frame: Box, tiles: Sequence[Box] = ()) -> RampStore:
        store = store_for(frame, self.source.ints, self.source.groups, KEPT_BYTES, self.scratch, tiles)
        self._stores[index] = store
        return store

    def _together(self, index: int, operation: Operation, stream: Iterator[Block]) -> Iterator[Block]:
        """Give a step all integrations of a few columns at a time; it may change flags only."""
        frame = self.interior.grow(self._halo(index), within=self.source.frame)
        store = self._store(index, frame, self.cut.tiles(frame, operation.halo))
        for block in stream:
            assert isinstance(block, RampBlock)
            store.put(block, frame)
        after = self._halo(index + 1)
        for number, inside in enumerate(store.interiors()):
            interior = inside.overlap(self.interior)
            assert interior is not None, "a store is as wide as its rows"
            block = operation.apply(store.read_tile(number, interior), Kept())
            assert isinstance(block, RampBlock)
            store.put_flags(block, number)
        for ints in self._chunks:
            yield store.read(self.interior, after, ints, self.source.groups)
