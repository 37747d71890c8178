"""linearity: a polynomial per pixel turns the detector's response into a linear one."""

from __future__ import annotations

from typing import Any

from webbcal.run.band_step import BandStep
from webbcal.run.bands import RampBand
from webbcal.run.chain import BandReferences
from webbcal.run.exposure import Exposure


class LinearityStep(BandStep):
    """Correct unsaturated samples with the polynomial of the LINEARITY reference."""

    class_alias = "linearity"
    reference_file_types = ("linearity",)

    def measure(self, exposure: Exposure, references: Any, p: Any, upstream: Any) -> tuple[int, bool]:
        """Return the frames in a group, and whether the reference has the inverse polynomial."""
        assert exposure.readout is not None
        return exposure.readout.nframes, references["linearity"].has("inv_coeffs")

    def scratch_bytes(self, exposure: Exposure, references: Any) -> int:
        """The coefficients."""
        return 4 * references["linearity"].shape("coeffs")[0]

    def apply(self, band: RampBand, references: BandReferences, p: Any, state: Any) -> RampBand:
        """Linearise one band."""
        from webbcal.kernels.polynomial.cpu import linearize

        nframes, has_inverse = state
        linearize(
            band.data,
            band.groupdq,
            band.pixeldq,
            references.read("linearity", "coeffs"),
            references.read("linearity", "dq"),
            inverse=references.read("linearity", "inv_coeffs") if has_inverse else None,
            nframes=nframes,
            zeroframe=band.zeroframe,
        )
        return band
