"""refpix: bias drifts measured on the reference pixels of the border, and subtracted everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from webbcal.core.box import Box
from webbcal.core.errors import PlanError, ReferenceFileError
from webbcal.core.resources import available_threads
from webbcal.core.threads import run_on_threads
from webbcal.kernels.reference_pixels.geometry import Border, Geometry, border_boxes
from webbcal.kernels.reference_pixels.measure import Correction, Options, apply, apply_zeroframe, measure
from webbcal.run.band_step import BandStep, Upstream
from webbcal.run.bands import RampBand
from webbcal.run.chain import BandReferences, SkipStep
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param


@dataclass(frozen=True)
class _State:
    ramp: Correction
    zeroframe: Correction | None


class RefPixStep(BandStep):
    """Subtract bias drifts by amplifier and column parity, and row by row from the side pixels."""

    class_alias = "refpix"
    reference_file_types = ("refpix", "sirskernel")
    optional_reference_types = ("refpix", "sirskernel")
    measures_data: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `RefPixStep`."""

        odd_even_columns: bool = param(True, "Measure odd and even columns apart")
        use_side_ref_pixels: bool = param(True, "Use the side pixels to follow each row")
        side_smoothing_length: int = param(11, "Rows in the running median of the side pixels", unit="pix")
        side_gain: float = param(1.0, "Factor on the side correction")
        odd_even_rows: bool = param(True, "Measure odd and even rows apart (MIRI)")
        ovr_corr_mitigation_ftr: float = param(3.0, "Guard against bad reference pixels (IRS2)")
        preserve_irs2_refpix: bool = param(False, "Keep reference pixels in the output (IRS2)")
        irs2_mean_subtraction: bool = param(False, "Subtract means before the IRS2 correction")
        refpix_algorithm: Literal["median", "sirs"] = param("median", "How side pixels are smoothed")
        sigreject: float = param(4.0, "Clipping of side pixels (sirs)", unit="sigma")
        gaussmooth: float = param(1.0, "Low-pass width of the kernel (sirs)")
        halfwidth: int = param(30, "Half-width of the kernel (sirs)")
        siglimit: float = param(3.0, "Clipping of reference pixels", unit="sigma")

    def reason_to_skip(self, exposure: Exposure, p: Any) -> str | None:
        """Refuse the readouts that have another scheme."""
        if exposure.instrument == "MIRI" or exposure.exp_type.startswith("NRS"):
            raise PlanError(f"reference pixels of {exposure.instrument} are not available in this version")
        return None

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Any, upstream: Upstream
    ) -> _State:
        """Measure the drifts on the border of the frame."""
        from webbcal.kernels.reference_pixels import cpu

        geometry = Geometry(exposure.box, exposure.fastaxis, exposure.slowaxis, exposure.noutputs or 0)
        strips = [_read_strip(box, exposure, upstream) for box in border_boxes(geometry)]
        flags = Border(*(s.pixeldq for s in strips))
        options = Options(
            odd_even_columns=p.odd_even_columns,
            use_side_ref_pixels=p.use_side_ref_pixels,
            side_smoothing_length=p.side_smoothing_length,
            side_gain=p.side_gain,
            siglimit=p.siglimit,
            sirs=_sirs_kernels(exposure, references, p),
            sigreject=p.sigreject,
        )
        ramp = measure(Border(*(s.data for s in strips)), flags, geometry, options, cpu)
        if ramp.reason:
            raise SkipStep(ramp.reason)
        zeroframe = None
        if exposure.zero_frame and all(s.zeroframe is not None for s in strips):
            frames = Border(*(s.zeroframe[:, None] for s in strips if s.zeroframe is not None))
            zeroframe = measure(frames, flags, geometry, options, cpu, continued=True)
        return _State(ramp, zeroframe)

    def apply(self, band: RampBand, references: BandReferences, p: Any, state: _State) -> RampBand:
        """Subtract the drifts from one band."""
        from webbcal.kernels.reference_pixels import cpu

        apply(band.data, state.ramp, band.box, cpu)
        if band.zeroframe is not None and state.zeroframe is not None:
            apply_zeroframe(band.zeroframe, state.zeroframe, band.box, cpu)
        return band


def _read_strip(box: Box, exposure: Exposure, upstream: Upstream) -> RampBand:
    """Return a strip of the border after the steps before this one, read in pieces on all threads."""
    if 0 in box.shape:  # the subarray does not reach this edge of the detector
        shape = (exposure.nints, exposure.ngroups, *box.shape)
        zeroframe = np.zeros((exposure.nints, *box.shape), np.float32) if exposure.zero_frame else None
        return RampBand(
            box, box, np.zeros(shape, np.float32), np.zeros(shape, np.uint8), np.zeros(box.shape, np.uint32),
            zeroframe,
        )  # fmt: skip
    bands = run_on_threads(upstream, box.bands(256), available_threads())
    joined = {name: np.concatenate([b.arrays()[name] for b in bands], axis=-2) for name in bands[0].arrays()}
    return RampBand(box, box, joined["data"], joined["groupdq"], joined["pixeldq"], joined.get("zeroframe"))


def _sirs_kernels(exposure: Exposure, references: Mapping[str, Any], p: Any) -> Any:
    """Return the convolution kernels of the alternative side correction, if asked for and there are any."""
    reference = references.get("sirskernel")
    if p.refpix_algorithm != "sirs" or reference is None or "FULL" not in exposure.subarray:
        return None
    from webbcal.kernels.reference_pixels.sirs import SirsKernels

    tree = {name.lower(): values for name, values in reference.model.to_flat_dict().items()}
    detector = exposure.detector.lower()
    try:
        gamma, zeta = (np.array(tree[f"{detector}.{name}"]) for name in ("gamma", "zeta"))
    except KeyError as missing:
        raise ReferenceFileError(f"{reference.name} has no coefficients {missing} of this detector") from None
    return SirsKernels.from_coefficients(gamma, zeta, p.gaussmooth, p.halfwidth)
