"""superbias: subtract the detector's fixed pedestal from every group."""

from __future__ import annotations

from typing import Any

from webbcal.kernels.frames.arithmetic import subtract_bias
from webbcal.run.band_step import BandStep
from webbcal.run.bands import RampBand
from webbcal.run.chain import BandReferences


class SuperBiasStep(BandStep):
    """Subtract the SUPERBIAS reference; its flags go to PIXELDQ."""

    class_alias = "superbias"
    reference_file_types = ("superbias",)

    def apply(self, band: RampBand, references: BandReferences, p: Any, state: Any) -> RampBand:
        """Subtract the superbias."""
        bias, flags = references.read("superbias"), references.read("superbias", "dq")
        subtract_bias(band.data, band.pixeldq, bias, flags, band.zeroframe)
        return band
