"""Steps whose work is local to a block of an exposure.

A block step declares its parameters, its references, when it applies, the halo it consumes, how it may be cut
(`tiling`), optionally a measure phase, and `apply`, one function from block to block. It opens no file,
writes no keyword, logs no start and end, and saves nothing: `webbcal.run.engine.stream` does that for all of
them, whether the step runs alone, in a pipeline, or its result is saved on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from webbcal.core.box import Box
from webbcal.run.engine import cycling, stream
from webbcal.run.engine.block_plan import Beside
from webbcal.run.engine.blocks import RateBlock
from webbcal.run.engine.operation import BlockReferences, Fold, Stretch, Survey, Walk
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.run import Run
from webbcal.run.step import Step
from webbcal.run.superstripes import is_superstriped, whole_frame


class BlockPart:
    """What a step does to blocks, in one go: the whole of a `BlockStep`, or one of its `parts`."""

    #: Which blocks it can live with.
    tiling: ClassVar[Tiling] = Tiling.ROWS
    #: Of parts on whole frames: whether a block must hold all groups of an integration.
    all_groups: ClassVar[bool] = False
    #: Of parts on whole frames: whether it sees all of an integration (`look`) before its first block.
    looks: ClassVar[bool] = False
    #: Whether it sees all integrations of its rows before it works on the first: `fold`, not `apply`.
    folds: ClassVar[bool] = False
    #: Whether it remembers: it gets blocks in order (of rows the integrations, of frames the groups of an
    #: integration): `walk`, not `apply`.
    walks: ClassVar[bool] = False
    #: Whether `measure` looks at all samples: then the ramps before it are kept, not computed twice.
    surveys_all: ClassVar[bool] = False
    #: What the measure phase reads beside that, for the plan; empty: nothing.
    looks_at: ClassVar[str] = ""
    #: "ramp" or "rate".
    produces: ClassVar[str] = "ramp"

    def tiling_of(self, exposure: Exposure, p: Any) -> Tiling:
        """Return which blocks the step can live with on this exposure."""
        return self.tiling

    def halo(self, exposure: Exposure, p: Any) -> int:
        """Return the pixels of halo that `apply` consumes on this exposure."""
        return 0

    def exposure_after(self, exposure: Exposure, p: Any) -> Exposure:
        """Return the exposure as the steps after this one see it: another one where the frame changes.

        A step that changes the frame works on whole frames; the blocks that it returns lie in the new one.
        """
        return exposure

    def all_integrations(self, exposure: Exposure, p: Any) -> bool:
        """Tell whether a block must hold all integrations of its pixels; `apply` then changes flags only."""
        return False

    def measure(self, exposure: Exposure, references: Mapping[str, Any], p: Any, survey: Survey) -> Any:
        """Return what `apply` needs of the whole exposure; `survey` shows the data before this step.

        Raises
        ------
        SkipStep
            When the data turn out not to allow the step.
        """
        return None

    def look(self, ints: range, references: Mapping[str, Any], p: Any, state: Any, survey: Survey) -> Any:
        """Return the state with which `apply` gets the blocks of an integration (steps with `looks`).

        Parameters
        ----------
        ints : range
            One integration.
        references : mapping
        p : Parameters
        state : object
            What `measure` returned.
        survey : Survey
            Shows the data just before this step.
        """
        return state

    def apply(self, block: Any, references: BlockReferences, p: Any, state: Any) -> Any:
        """Process one block (in place where it can).

        Returns
        -------
        Block, or (Block, Result)
            The block, and what it tells beside its samples (merged over all blocks).
        """
        raise NotImplementedError

    def fold(self, box: Box, exposure: Exposure, references: BlockReferences, p: Any, state: Any) -> Fold:
        """Begin with the integrations of some rows (steps with `folds`)."""
        raise NotImplementedError

    def walk(
        self, stretch: Stretch, exposure: Exposure, references: BlockReferences, p: Any, state: Any
    ) -> Walk:
        """Begin with the first blocks of a stretch (steps with `walks`).

        Parameters
        ----------
        stretch : Stretch
            Of rows: all integrations; of frames: one.
        exposure : Exposure
        references : BlockReferences
        p : Parameters
        state : object
            What `measure` returned.
        """
        raise NotImplementedError

    def revised(self, result: Any, state: Any) -> Any:
        """Return a new state when what all blocks told asks for another run, else None."""
        return None

    def finish(self, model: Any, exposure: Exposure, result: Any, state: Any) -> None:
        """Set metadata of a product that only the finished run knows.

        Parameters
        ----------
        model : DataModel
        exposure : Exposure
        result : Result or None
            What all blocks told.
        state : object
            What `measure` returned.
        """

    def conclude(self, exposure: Exposure, result: Any, state: Any) -> None:
        """Save what is no product of the run, such as a state that the next exposure starts with.

        Called once, when all blocks are done and before products get their names; arguments as of `finish`.
        """

    def frame_bytes(self, p: Any) -> int:
        """Return the bytes per pixel of the frame that `measure` needs in each thread, for the projection."""
        return 0


class BlockStep(BlockPart, Step):
    """A step that works on bands; see the module's text."""

    saves_itself = True
    takes = "one"
    #: What the step takes: "ramp" or "rate", or "any" (and makes the same).
    consumes: ClassVar[str] = "ramp"
    #: Whether it takes superstripes (each position of the cycle by itself); and whether it makes of them the
    #: frame that they make up.
    takes_superstripes: ClassVar[bool] = False
    joins_superstripes: ClassVar[bool] = False
    #: Arrays that the step adds to a ramp.
    adds: ClassVar[Sequence[str]] = ()

    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None:
        """Return why the step does not apply to this exposure, or None."""
        return None

    def reference_types_of(self, exposure: Exposure, p: Any) -> Sequence[str]:
        """Return the types of references that the step needs for this exposure."""
        return self.reference_file_types

    def reason_by_references(self, exposure: Exposure, references: Mapping[str, Any], p: Any) -> str | None:
        """Return why the step does not apply with these references, or None."""
        return None

    def parts(self, p: Any) -> Sequence[BlockPart]:
        """Return what the step does, one after another; they share parameters and references."""
        return (self,)

    def extra_layout(self, kind: str, exposure: Exposure, references: Mapping[str, Any]) -> Beside | None:
        """Return the arrays of one of `extra_products` that comes in `Piece`s beside the blocks.

        The engine writes it piece by piece. None: the step saves it itself (`save_extra`, `conclude`).
        """
        return None

    def save_extra(self, make: Callable[[str], Any], pieces: Sequence[RateBlock]) -> None:
        """Save a further product (`extra_products`) from what blocks have carried as `extra`.

        Parameters
        ----------
        make : callable
            Returns a model of the class of this name, with the metadata of the run.
        pieces : sequence of RateBlock
        """
        raise NotImplementedError

    def scratch_bytes(self, exposure: Exposure, references: Mapping[str, Any]) -> int:
        """Return the bytes per pixel that `apply` needs beside the block, for the memory projection."""
        return 0

    def work(self, run: Run, *args: Any) -> Any:
        """Run this step alone."""
        model = stream.open_input(self, args[0])
        if is_superstriped(model):
            return cycling.run_alone(self, model, run)
        return stream.run_alone(self, model, run)

    def planned(self, run: Run, *args: Any) -> Any:
        """Return the plan of running this step alone; on superstripes, on the frame that they make up."""
        model = stream.open_input(self, args[0])
        if is_superstriped(model):
            cycling.check_takes(self, model)
            model = whole_frame(model)
        return stream.plan_alone(self, model, run)
