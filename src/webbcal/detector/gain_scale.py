"""gain_scale: rescale rates taken with a non-standard gain setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from webbcal.kernels.frames.arithmetic import scale_rates
from webbcal.run.band_step import BandStep
from webbcal.run.bands import RateBand
from webbcal.run.chain import SkipStep
from webbcal.run.exposure import Exposure


class GainScaleStep(BandStep):
    """Multiply rates and errors by GAINFACT, variances by its square."""

    class_alias = "gain_scale"
    reference_file_types = ("gain",)
    optional_reference_types = ("gain",)
    consumes = "rate"
    produces = "rate"
    product_suffixes: ClassVar[Mapping[str, str]] = {"image": "gain_scale", "ints": "gain_scaleints"}

    def measure(self, exposure: Exposure, references: Any, p: Any, upstream: Any) -> float:
        """Find the factor."""
        factor = exposure.gain_factor
        if factor is None and references["gain"] is not None:
            factor = references["gain"].meta.exposure.gain_factor
        if factor is None:
            raise SkipStep("GAINFACT is neither in the exposure nor in the GAIN reference")
        return float(factor)

    def apply(self, band: RateBand, references: Any, p: Any, state: float) -> RateBand:
        """Scale the rates."""
        for arrays in (band.image, band.ints):
            if arrays is not None:
                scale_rates(arrays, state)
        return band

    def finish(self, model: Any, exposure: Exposure, counts: Any, state: float) -> None:
        """Record the factor."""
        model.meta.exposure.gain_factor = state
