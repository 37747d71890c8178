"""gain_scale: rescale rates taken with a non-standard gain setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from webbcal.kernels.frames.arithmetic import scale_rates
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RateBlock
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters


class GainScaleStep(BlockStep):
    """Multiply rates and errors by GAINFACT, variances by its square."""

    class_alias = "gain_scale"
    only_once = True
    tiling = Tiling.EITHER
    reference_file_types = ("gain",)
    optional_reference_types = ("gain",)
    consumes = "rate"
    produces = "rate"
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "gain_scale", "ints": "gain_scaleints"}

    def reason_by_references(
        self, exposure: Exposure, references: Mapping[str, Any], p: StepParameters
    ) -> str | None:
        """Without a factor there is nothing to do."""
        if _gain_factor(exposure, references) is None:
            return "GAINFACT is neither in the exposure nor in the GAIN reference"
        return None

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: StepParameters, survey: Any
    ) -> float | None:
        """Return the factor."""
        return _gain_factor(exposure, references)

    def apply(self, block: RateBlock, references: Any, p: StepParameters, state: float) -> RateBlock:
        """Scale the rates."""
        scale_rates(block.values, state)
        return block

    def finish(self, model: Any, exposure: Exposure, result: Any, state: float) -> None:
        """Record the factor."""
        model.meta.exposure.gain_factor = state


def _gain_factor(exposure: Exposure, references: Mapping[str, Any]) -> float | None:
    if exposure.gain_factor is not None or references["gain"] is None:
        return exposure.gain_factor
    factor: float | None = references["gain"].meta.exposure.gain_factor
    return factor
