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
from webbcal.run.engine import stream
from webbcal.run.engine.blocks import RateBlock
from webbcal.run.engine.operation import BlockReferences, Fold, Survey
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.run import Run
from webbcal.run.step import Step


class BlockStep(Step):
    """A step that works on bands; see the module's text."""

    saves_itself = True
    takes = "one"
    #: What the step takes: "ramp" or "rate".
    consumes: ClassVar[str] = "ramp"
    #: What it makes.
    produces: ClassVar[str] = "ramp"
    #: Which blocks the step can live with.
    tiling: ClassVar[Tiling] = Tiling.ROWS
    #: Of steps on whole frames: whether a block must hold all groups of an integration.
    all_groups: ClassVar[bool] = False
    #: Whether the step sees all integrations of its rows before it works on the first: `fold`, not `apply`.
    folds: ClassVar[bool] = False
    #: Arrays that the step adds to a ramp.
    adds: ClassVar[Sequence[str]] = ()
    #: Whether the measure phase reads data (for the plan).
    measures_data: ClassVar[bool] = False

    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None:
        """Return why the step does not apply to this exposure, or None."""
        return None

    def reason_by_references(self, exposure: Exposure, references: Mapping[str, Any], p: Any) -> str | None:
        """Return why the step does not apply with these references, or None."""
        return None

    def halo(self, p: Any) -> int:
        """Return the pixels of halo that `apply` consumes."""
        return 0

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
        return stream.run_alone(self, args[0], run)

    def planned(self, run: Run, *args: Any) -> Any:
        """Return the plan of running this step alone."""
        return stream.plan_alone(self, args[0], run)


class UnavailableStep(BlockStep):
    """A step that webbcal does not have yet: accepted and recorded while skipped, refused when asked for."""

    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None:
        """Refuse to pretend.

        Raises
        ------
        PlanError
            Always: this is asked only of a step that is not skipped.
        """
        from webbcal.core.errors import PlanError

        raise PlanError(
            f"this exposure needs the step {self.class_alias!r}, which is not available in this version of "
            f"webbcal; --steps.{self.class_alias}.skip=true goes on without it, with other results than jwst"
        )
