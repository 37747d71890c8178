"""dq_init: start the data quality of an exposure from the bad-pixel mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from webbcal.detector.guide_star import GuideStarDQStep, is_guide_star, user_flags
from webbcal.kernels.frames.arithmetic import init_dq
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock
from webbcal.run.engine.operation import BlockReferences
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param
from webbcal.run.planning import StepPlan
from webbcal.run.run import Run


class DQInitStep(BlockStep):
    """Set PIXELDQ from the MASK reference, and DO_NOT_USE in all groups of pixels that have it there."""

    class_alias = "dq_init"
    takes_superstripes = True
    tiling = Tiling.EITHER
    reference_file_types = ("mask",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `DQInitStep`."""

        user_supplied_dq: str | None = param(None, "FITS file of further DQ flags, of the exposure's shape")

    def work(self, run: Run, *args: Any) -> Any:
        """Run alone; guide-star exposures have flags of another form."""
        model = self.open_model(args[0])
        if not is_guide_star(model):
            return super().work(run, *args)
        result = self._of_guide_stars().work(run, model)
        if self.streams:
            self.save_model(result)
        return result

    def decided(self, data: Any, *more: Any) -> list[StepPlan]:
        """Decide on a guide-star exposure, in a script."""
        return self._of_guide_stars().decided(data, *more)

    def planned(self, run: Run, *args: Any) -> Any:
        """Return the plan of running this step alone."""
        model = self.open_model(args[0])
        return (
            self._of_guide_stars().planned(run, model)
            if is_guide_star(model)
            else super().planned(run, model)
        )

    def _of_guide_stars(self) -> GuideStarDQStep:
        """Return this step as it is for guide-star exposures."""
        return GuideStarDQStep(self.name, self.parent, **self.get_pars())

    def measure(self, exposure: Exposure, references: Any, p: Parameters, survey: Any) -> np.ndarray | None:
        """Read the user's flags, if any."""
        if p.user_supplied_dq is None:
            return None
        return user_flags(p.user_supplied_dq, exposure.frame.shape)

    def apply(self, block: RampBlock, references: BlockReferences, p: Parameters, state: Any) -> RampBlock:
        """OR the mask into the block's flags."""
        user = None if state is None else state[block.box.slices]
        init_dq(block.pixeldq, references.read("mask", "dq"), block.groupdq, user)
        return block
