"""A step bound to an exposure: what it was given, what it measured, and what its blocks told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.core.threads import run_on_threads
from webbcal.run.engine.blocks import Block, RampBlock, RateBlock
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure

T = TypeVar("T")


class Fold(Protocol):
    """A step that makes something of all integrations of some rows.

    Attributes
    ----------
    looks : bool
        Whether it has to see all of them before it can make anything of the first.
    """

    looks: bool

    def look(self, block: RampBlock) -> None:
        """See some integrations; blocks come in order."""

    def apply(self, block: RampBlock) -> RateBlock:
        """Make the result of some integrations, in order, once all were looked at.

        A block of all integrations need not be looked at before; it may have some halo left.
        """

    def finish(self) -> RateBlock:
        """Make the result of the exposure, after all integrations."""


class Walk(Protocol):
    """A step that remembers: it sees the integrations of some rows, or the groups of frames, in order."""

    def apply(self, block: Any) -> Any:
        """Work on what comes next (in place where it can).

        Returns
        -------
        Block, or (Block, Result)
            As `BlockStep.apply`.
        """


@dataclass(frozen=True)
class Stretch:
    """What a walk goes over: pixels and integrations, and the threads that nothing else uses meanwhile."""

    box: Box
    ints: range
    threads: int = 1


class Result(Protocol):
    """What a block tells beside its samples; results of all blocks are merged."""

    def merged(self, other: Any) -> Any:
        """Return this result and another of other pixels or integrations as one."""


class BlockWork(Protocol):
    """What the engine needs of a step, or of a part of a step."""

    def tiling_of(self, exposure: Exposure, p: Any) -> Tiling: ...  # noqa: D102
    @property
    def looks(self) -> bool: ...  # noqa: D102
    @property
    def surveys_all(self) -> bool: ...  # noqa: D102
    @property
    def looks_at(self) -> str: ...  # noqa: D102
    @property
    def all_groups(self) -> bool: ...  # noqa: D102
    @property
    def folds(self) -> bool: ...  # noqa: D102
    @property
    def walks(self) -> bool: ...  # noqa: D102
    @property
    def produces(self) -> str: ...  # noqa: D102
    def halo(self, exposure: Exposure, p: Any) -> int: ...  # noqa: D102
    def exposure_after(self, exposure: Exposure, p: Any) -> Exposure: ...  # noqa: D102
    def all_integrations(self, exposure: Exposure, p: Any) -> bool: ...  # noqa: D102
    def measure(self, exposure: Exposure, references: Any, p: Any, survey: Survey) -> Any: ...  # noqa: D102
    def look(self, ints: range, references: Any, p: Any, state: Any, survey: Survey) -> Any: ...  # noqa: D102
    def apply(self, block: Any, references: BlockReferences, p: Any, state: Any) -> Any: ...  # noqa: D102
    def fold(self, box: Box, exposure: Exposure, references: Any, p: Any, state: Any) -> Fold: ...  # noqa: D102
    def walk(self, stretch: Stretch, exposure: Exposure, references: Any, p: Any, state: Any) -> Walk: ...  # noqa: D102
    def revised(self, result: Any, state: Any) -> Any: ...  # noqa: D102
    def finish(self, model: Any, exposure: Exposure, result: Any, state: Any) -> None: ...  # noqa: D102
    def conclude(self, exposure: Exposure, result: Any, state: Any) -> None: ...  # noqa: D102
    def frame_bytes(self, p: Any) -> int: ...  # noqa: D102


class Kept:
    """What was read of references for a task, so that steps share it.

    Attributes
    ----------
    again : bool
        Whether the same pixels come again, with other integrations: then what steps made of references is
        worth keeping, too. Otherwise memory that is given back at once is used again while it is hot.
    """

    def __init__(self, again: bool = False) -> None:
        self.again = again
        self.read: dict[Any, Any] = {}
        self.made: dict[Any, Any] = {}

    def forget(self) -> None:
        """Give back what was read, unless the same pixels come again."""
        if not self.again:
            self.read.clear()


class BlockReferences:
    """The references of a step, cut to a block's pixels."""

    def __init__(self, references: Mapping[str, Any], box: Box, kept: Kept) -> None:
        self._references = references
        self._box = box
        self._kept = kept

    def __getitem__(self, reference_type: str) -> Any:
        return self._references[reference_type]

    def __contains__(self, reference_type: str) -> bool:
        return self._references.get(reference_type) is not None

    def read(self, reference_type: str, array: str = "data") -> Any:
        """Return an array of a reference over this block (shared between steps: do not change it)."""
        reference = self._references[reference_type]
        key = (id(reference), array, self._box)  # steps may use different files of one type
        if key not in self._kept.read:
            self._kept.read[key] = reference.read(array, self._box)
        return self._kept.read[key]

    def over(self, box: Box) -> BlockReferences:
        """Return the same references, cut to other pixels."""
        return BlockReferences(self._references, box, self._kept)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` makes for these pixels, made once for all integrations."""
        if not self._kept.again:
            return make()
        full = (key, self._box)
        if full not in self._kept.made:
            self._kept.made[full] = make()
        return self._kept.made[full]


class Looked(Protocol):
    """The data after some steps, computed (or read) where they are looked at."""

    def __call__(self, box: Box, ints: range) -> RampBlock: ...  # noqa: D102
    def flags(self, box: Box, ints: range, groups: range) -> NDArray[np.uint8]: ...  # noqa: D102
    def some(self, box: Box, ints: range, groups: range) -> RampBlock: ...  # noqa: D102
    def rates(self, box: Box, ints: range) -> RateBlock: ...  # noqa: D102


class Survey:
    """What a step may look at before it starts: the data as they are just before it.

    Attributes
    ----------
    ints, groups : range
        Integrations and groups of the exposure.
    frame : Box
        Its pixels.
    threads : int
        That a step may use for looking.
    scratch : Path
        Folder of scratch space, for what a step keeps on its way.
    """

    def __init__(
        self, upstream: Looked, ints: range, groups: range, frame: Box, threads: int, scratch: Path
    ) -> None:
        self._upstream, self.ints, self.groups, self.frame = upstream, ints, groups, frame
        self.threads, self.scratch = threads, scratch

    def block(self, box: Box, ints: range | None = None) -> RampBlock:
        """Return some pixels, of some integrations (all by default)."""
        return self._upstream(box, self.ints if ints is None else ints)

    def rates(self, ints: range | None = None, box: Box | None = None) -> RateBlock:
        """Return rates of some integrations and pixels (all by default); where the data are rates."""
        where = self.frame if box is None else box
        return self._upstream.rates(where, self.ints if ints is None else ints)

    def flags(self, integration: int, group: int) -> NDArray[np.uint8]:
        """Return the flags of a group's frame, (rows, columns); cheap for a part that begins a pass."""
        some = range(integration, integration + 1), range(group, group + 1)
        return self._upstream.flags(self.frame, *some)[0, 0]

    def some(self, box: Box, ints: range, groups: range) -> RampBlock:
        """Return some pixels, integrations and groups; cheap for a part that begins a pass."""
        return self._upstream.some(box, ints, groups)

    def map(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Call `work` on each item, on all threads; return the results in order."""
        return run_on_threads(work, items, self.threads)


@dataclass
class Operation:
    """A step, or a part of one, bound to an exposure: parameters, references, what it measured and found."""

    step: BlockWork
    position: int
    parameters: Any
    references: Mapping[str, Any]
    exposure: Exposure
    state: Any = None
    result: Any = None
    seconds: float = 0.0
    _seen: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def tiling(self) -> Tiling:
        """Which blocks it can live with."""
        return self.step.tiling_of(self.exposure, self.parameters)

    @property
    def halo(self) -> int:
        """Pixels of halo that it consumes."""
        return self.step.halo(self.exposure, self.parameters)

    @property
    def frame_after(self) -> Box:
        """The frame of the blocks that it returns."""
        return self.step.exposure_after(self.exposure, self.parameters).frame

    @property
    def all_integrations(self) -> bool:
        """Whether a block must hold all integrations."""
        return self.step.all_integrations(self.exposure, self.parameters)

    def measure(self, survey: Survey) -> None:
        """Run the measure phase."""
        start = time.perf_counter()
        self.state = self.step.measure(self.exposure, self.references, self.parameters, survey)
        self.note(time.perf_counter() - start)

    @property
    def looks(self) -> bool:
        """Whether it sees an integration before its first block."""
        return self.step.looks and self.tiling is Tiling.FRAMES

    def look(self, ints: range, survey: Survey) -> None:
        """See an integration before its first block, if the step wants to."""
        if self.looks:
            start = time.perf_counter()
            self._seen = self.step.look(ints, self.references, self.parameters, self.state, survey)
            self.note(time.perf_counter() - start)

    def apply(self, block: Block, kept: Kept, surveyed: bool = False) -> Block:
        """Run the step on one block; what it tells is kept, unless it is only looked at before a run."""
        if self.step.walks:
            assert isinstance(block, RampBlock)
            return self.walked(self.walk(Stretch(block.box, block.ints), kept), block, surveyed)
        box = block.box if isinstance(block, RampBlock) else block.interior
        references = BlockReferences(self.references, box, kept)
        state = self._seen if self.looks else self.state
        return self._worked(lambda: self.step.apply(block, references, self.parameters, state), surveyed)

    def walk(self, stretch: Stretch, kept: Kept) -> Walk:
        """Begin to walk."""
        references = BlockReferences(self.references, stretch.box, kept)
        return self.step.walk(stretch, self.exposure, references, self.parameters, self.state)

    def walked(self, walk: Walk, block: Block, surveyed: bool = False) -> Block:
        """Go on with what comes next."""
        return self._worked(lambda: walk.apply(block), surveyed)

    def _worked(self, work: Callable[[], Any], surveyed: bool) -> Block:
        start = time.perf_counter()
        done = work()
        block, told = done if isinstance(done, tuple) else (done, None)
        if not surveyed:
            self.note(time.perf_counter() - start, told)
        made: Block = block
        return made

    def fold(self, box: Box, kept: Kept) -> Fold:
        """Begin with the rows of a task."""
        references = BlockReferences(self.references, box, kept)
        return self.step.fold(box, self.exposure, references, self.parameters, self.state)

    def timed(self, work: Callable[[RampBlock], T], block: RampBlock) -> T:
        """Do a part of the step's work on a block."""
        start = time.perf_counter()
        done = work(block)
        self.note(time.perf_counter() - start)
        return done

    def note(self, seconds: float, told: Result | None = None) -> None:
        """Add to the time spent, and to the results (thread-safe)."""
        with self._lock:
            self.seconds += seconds
            if told is not None:
                self.result = told if self.result is None else self.result.merged(told)

    def revise(self) -> bool:
        """Let the step judge what all blocks told; return whether it asks for another run."""
        state = None if self.result is None else self.step.revised(self.result, self.state)
        if state is not None:
            self.state = state
        return state is not None
