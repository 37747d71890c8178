"""Steps whose work is local to a band of rows.

A band step declares its parameters, its references, when it applies, the halo it consumes, optionally a
measure phase, and `apply`, one function from band to band. It opens no file, writes no keyword, logs no start
and end, and saves nothing: `webbcal.run.stream` does that for all of them, whether the step runs alone, in a
pipeline, or its result is saved on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from webbcal.core.box import Box
from webbcal.run.bands import Band, RampBand
from webbcal.run.chain import BandReferences
from webbcal.run.exposure import Exposure
from webbcal.run.run import Run
from webbcal.run.step import Step

Upstream = Callable[[Box], RampBand]


class BandStep(Step):
    """A step that works on bands; see the module's text."""

    saves_itself = True
    takes = "one"
    #: What the step takes: "ramp" or "rate".
    consumes: ClassVar[str] = "ramp"
    #: What it makes.
    produces: ClassVar[str] = "ramp"
    #: Whether the measure phase reads data (for the plan).
    measures_data: ClassVar[bool] = False

    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None:
        """Return why the step does not apply to this exposure, or None."""
        return None

    def reason_by_references(self, exposure: Exposure, references: Mapping[str, Any], p: Any) -> str | None:
        """Return why the step does not apply with these references, or None."""
        return None

    def halo(self, p: Any) -> int:
        """Return the rows of halo that `apply` consumes."""
        return 0

    def measure(self, exposure: Exposure, references: Mapping[str, Any], p: Any, upstream: Upstream) -> Any:
        """Return what `apply` needs of the whole exposure; `upstream(box)` gives the data before this step.

        Raises
        ------
        SkipStep
            When the data turn out not to allow the step.
        """
        return None

    def apply(self, band: Any, references: BandReferences, p: Any, state: Any) -> Band:
        """Process one band (in place where it can) and return it."""
        raise NotImplementedError

    def review(self, counts: Mapping[str, float], bands: int, state: Any) -> Any:
        """Return a new state when what all bands found together asks for another pass, else None."""
        return None

    def finish(self, model: Any, exposure: Exposure, counts: Mapping[str, float], state: Any) -> None:
        """Set metadata of the product that only the finished run knows."""

    def scratch_bytes(self, exposure: Exposure, references: Mapping[str, Any]) -> int:
        """Return the bytes per pixel that `apply` needs beside the band, for the memory projection."""
        return 0

    def work(self, run: Run, *args: Any) -> Any:
        """Run this step alone."""
        from webbcal.run.stream import run_alone

        return run_alone(self, args[0], run)

    def planned(self, run: Run, *args: Any) -> Any:
        """Return the plan of running this step alone."""
        from webbcal.run.stream import plan_alone

        return plan_alone(self, args[0], run)


class UnavailableStep(BandStep):
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
