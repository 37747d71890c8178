"""group_scale: undo an on-board frame average that divided by another number than the frames it summed."""

from __future__ import annotations

from typing import Any

from webbcal.kernels.frames.arithmetic import group_scale_skip_reason, scale_groups
from webbcal.run.band_step import BandStep
from webbcal.run.bands import RampBand
from webbcal.run.exposure import Exposure


class GroupScaleStep(BandStep):
    """Rescale groups by FRMDIVSR / NFRAMES."""

    class_alias = "group_scale"

    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None:
        """Nothing to do when the divisor is the number of frames."""
        assert exposure.readout is not None
        return group_scale_skip_reason(exposure.readout.nframes, exposure.frame_divisor)

    def measure(self, exposure: Exposure, references: Any, p: Any, upstream: Any) -> tuple[int, int]:
        """Return NFRAMES and FRMDIVSR."""
        assert exposure.readout is not None and exposure.frame_divisor is not None
        return exposure.readout.nframes, exposure.frame_divisor

    def apply(self, band: RampBand, references: Any, p: Any, state: Any) -> RampBand:
        """Scale all groups."""
        scale_groups(band.data, *state)
        return band
