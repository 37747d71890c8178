"""refpix: bias drifts measured on the reference pixels of the border, and subtracted everywhere."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.core.errors import PlanError, SkipStep
from webbcal.detector import miri_columns, refpix_irs2
from webbcal.kernels.reference_pixels import edgeless
from webbcal.kernels.reference_pixels.geometry import Border, Geometry, border_boxes
from webbcal.kernels.reference_pixels.measure import (
    Correction,
    Options,
    apply,
    apply_zeroframe,
    joined,
    measure,
)
from webbcal.kernels.reference_pixels.striped import StripedReference
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.blocks import RampBlock, chunks
from webbcal.run.engine.operation import BlockReferences, Survey
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param
from webbcal.run.unused_parameters import say_unused

reference_pixels = kernels.get("reference_pixels")
log = logging.getLogger(__name__)

#: Parameters that do nothing for MIRI.
_NEAR_INFRARED = (
    "odd_even_columns", "use_side_ref_pixels", "side_smoothing_length", "side_gain", "refpix_algorithm",
)  # fmt: skip
#: Parameters that leave nothing of any exposure where they are not above 0.
_POSITIVE = ("side_smoothing_length", "siglimit", "sigreject", "gaussmooth")
#: Bytes of border samples that are measured at once.
_STRIP_BYTES = 4 << 20
#: Rows of an exposure in stripes that are looked at together.
_BAND = 64


@dataclass(frozen=True)
class _State:
    ramp: Correction
    zeroframe: Correction | None


class RefPixStep(BlockStep):
    """Subtract bias drifts by amplifier and column parity, and row by row from the side pixels."""

    class_alias = "refpix"
    joins_superstripes = True
    only_once = True
    reference_file_types = ("refpix", "sirskernel")
    optional_reference_types = ("refpix", "sirskernel")
    looks_at: ClassVar[str] = "the border of the frame"
    looks: ClassVar[bool] = True

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
        halfwidth: int = param(30, "Half-width of the kernel (sirs)", ge=0)
        siglimit: float = param(3.0, "Clipping of reference pixels", unit="sigma")

    def reason_to_skip(self, exposure: Exposure, p: Parameters) -> str | None:
        """MIRI's subarrays have none; refuse frames of IRS2 that are none, and limits of nothing."""
        for name in _POSITIVE:
            if getattr(p, name) <= 0:
                raise PlanError(f"refpix.{name} is {getattr(p, name):g}: it must be above 0")
        if exposure.instrument == "MIRI":
            if p.refpix_algorithm == "sirs":
                log.warning("Simple Improved Reference Subtraction (SIRS) not applied for MIRI")
            whole = exposure.frame.shape == exposure.full_frame.shape
            return None if whole else "it is for full frames of MIRI"
        if exposure.instrument == "NIRSPEC":
            refpix_irs2.check_frame(exposure)
        return None

    def reference_types_of(self, exposure: Exposure, p: Parameters) -> Sequence[str]:
        """IRS2 has weights of its own; a kernel is for one way to use the sides."""
        if exposure.irs2 is not None:
            return ("refpix",)
        return ("sirskernel",) if p.refpix_algorithm == "sirs" and exposure.instrument != "MIRI" else ()

    def reason_by_references(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters
    ) -> str | None:
        """IRS2 needs its weights."""
        if exposure.irs2 is not None and references.get("refpix") is None:
            return "No refpix reference file found, without which IRS2 cannot be corrected"
        return None

    def tiling_of(self, exposure: Exposure, p: Parameters) -> Tiling:
        """IRS2 is corrected in the order of time."""
        return Tiling.ROWS if exposure.irs2 is None else Tiling.FRAMES

    def exposure_after(self, exposure: Exposure, p: Parameters) -> Exposure:
        """The reference pixels between science pixels are stripped."""
        return exposure if exposure.irs2 is None or p.preserve_irs2_refpix else exposure.stripped()

    def scratch_bytes(self, exposure: Exposure, references: Any) -> int:
        """Of IRS2: a frame in the order of time, what is subtracted, spectra, the mean, and weights."""
        return 0 if exposure.irs2 is None else 24

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters, survey: Survey
    ) -> _State | miri_columns.Drift | refpix_irs2.Irs2State:
        """Measure the drifts on the border of the frame, some integrations at a time."""
        if exposure.instrument == "MIRI":
            say_unused("refpix", p, _NEAR_INFRARED, "MIRI has reference columns only")
            return miri_columns.measure(exposure, survey, p.odd_even_rows, p.siglimit)
        if exposure.irs2 is not None:
            return refpix_irs2.measure(exposure, references, p, survey, exposure.irs2)
        geometry = Geometry(exposure.box, exposure.fastaxis, exposure.slowaxis, exposure.noutputs or 0)
        if exposure.stripes:
            return _measured_in_stripes(exposure, survey, p)
        options = Options(
            odd_even_columns=p.odd_even_columns,
            use_side_ref_pixels=p.use_side_ref_pixels,
            side_smoothing_length=p.side_smoothing_length,
            side_gain=p.side_gain,
            siglimit=p.siglimit,
            sirs=_sirs_kernels(exposure, references, p),
            sigreject=p.sigreject,
        )
        border = sum(box.shape[0] * box.shape[1] for box in border_boxes(geometry))
        some = chunks(survey.ints, _STRIP_BYTES // max(1, 4 * border * exposure.ngroups))
        # Integrations side by side if there are many, else the pieces of the strips of the only ones.
        alone = survey if len(some) == 1 else None
        parts = survey.map(lambda ints: _measured(ints, geometry, options, exposure, survey, alone), some)
        ramp = joined([ramp for ramp, _ in parts])
        if ramp.reason:
            raise SkipStep(ramp.reason)
        zeroframes = [zeroframe for _, zeroframe in parts if zeroframe is not None]
        return _State(ramp, joined(zeroframes) if len(zeroframes) == len(parts) else None)

    def look(
        self, ints: range, references: Mapping[str, Any], p: Parameters, state: Any, survey: Survey
    ) -> Any:
        """Of IRS2, the mean of the groups is needed."""
        return refpix_irs2.look(ints, state, survey) if isinstance(state, refpix_irs2.Irs2State) else state

    def apply(
        self,
        block: RampBlock,
        references: BlockReferences,
        p: Parameters,
        state: _State | miri_columns.Drift | refpix_irs2.Irs2State,
    ) -> RampBlock:
        """Subtract the drifts from one block."""
        if isinstance(state, miri_columns.Drift):
            return state.subtracted(block)
        if isinstance(state, refpix_irs2.Irs2State):
            return refpix_irs2.apply(block, state)
        ints = block.ints.start, block.ints.stop
        apply(block.data, state.ramp.integrations(*ints), block.box, reference_pixels)
        if block.zeroframe is not None and state.zeroframe is not None:
            apply_zeroframe(block.zeroframe, state.zeroframe.integrations(*ints), block.box, reference_pixels)
        return block


def _measured(
    ints: range,
    geometry: Geometry,
    options: Options,
    exposure: Exposure,
    survey: Survey,
    alone: Survey | None,
) -> tuple[Correction, Correction | None]:
    """Measure the drifts of some integrations, and of their zero frames."""
    if exposure.instrument == "NIRSPEC" and exposure.subarray in edgeless.EDGELESS:
        sides = [_read_strip(box, ints, exposure, survey, alone) for box in edgeless.outer_columns(geometry)]
        data, dq = (sides[0].data, sides[1].data), (sides[0].pixeldq, sides[1].pixeldq)
        return edgeless.measure(data, dq, geometry, options, reference_pixels), None
    strips = [_read_strip(box, ints, exposure, survey, alone) for box in border_boxes(geometry)]
    flags = Border(*(s.pixeldq for s in strips))
    samples = Border(*(s.data for s in strips))
    ramp = measure(samples, flags, geometry, options, reference_pixels, continued=ints.start > 0)
    if not exposure.zero_frame or any(s.zeroframe is None for s in strips):
        return ramp, None
    frames = Border(*(s.zeroframe[:, None] for s in strips if s.zeroframe is not None))
    return ramp, measure(frames, flags, geometry, options, reference_pixels, continued=True)


def _measured_in_stripes(exposure: Exposure, survey: Survey, p: RefPixStep.Parameters) -> _State:
    """Measure the drifts of an exposure in stripes: its reference pixels are all over it."""
    box, (ny, nx) = exposure.box, exposure.frame.shape
    # its lines are somewhere on the detector: only their order counts
    box = Box(0, ny, box.x0, box.x1) if abs(exposure.slowaxis) == 2 else Box(box.y0, box.y1, 0, nx)
    geometry = Geometry(box, exposure.fastaxis, exposure.slowaxis, exposure.noutputs or 0)
    bands = list(survey.frame.bands(_BAND))
    first = range(survey.ints.start, survey.ints.start + 1)
    flags = [survey.block(band, first).arrays()["pixeldq"] for band in bands]
    where = StripedReference(np.concatenate(flags), geometry)

    def look(ints: range) -> tuple[Correction, Correction | None]:
        pieces = [(band, survey.block(band, ints).arrays()) for band in bands]
        samples = where.samples((band, arrays["data"]) for band, arrays in pieces)
        ramp = where.measure(samples, p.odd_even_columns, p.siglimit, reference_pixels)
        if not exposure.zero_frame or any("zeroframe" not in arrays for _, arrays in pieces):
            return ramp, None
        frames = where.samples((band, arrays["zeroframe"][:, None]) for band, arrays in pieces)
        return ramp, where.measure(frames, p.odd_even_columns, p.siglimit, reference_pixels)

    parts = survey.map(look, chunks(survey.ints, 1))
    ramp = joined([part for part, _ in parts])
    if ramp.reason:
        raise SkipStep(ramp.reason)
    zeroframes = [zeroframe for _, zeroframe in parts if zeroframe is not None]
    return _State(ramp, joined(zeroframes) if zeroframes else None)


def _read_strip(box: Box, ints: range, exposure: Exposure, survey: Survey, alone: Survey | None) -> RampBlock:
    """Return a strip of the border after the steps before this one, read in pieces."""
    groups = range(exposure.ngroups)
    if 0 in box.shape:  # the subarray does not reach this edge of the detector
        shape = (len(ints), len(groups), *box.shape)
        zeroframe = np.zeros((len(ints), *box.shape), np.float32) if exposure.zero_frame else None
        return RampBlock(
            box, box, ints, groups, np.zeros(shape, np.float32), np.zeros(shape, np.uint8),
            np.zeros(box.shape, np.uint32), zeroframe,
        )  # fmt: skip
    pieces = list(box.bands(256))
    blocks = (alone.map if alone else map)(lambda piece: survey.block(piece, ints), pieces)
    arrays = [block.arrays() for block in blocks]
    whole = {name: np.concatenate([a[name] for a in arrays], axis=-2) for name in arrays[0]}
    return RampBlock(
        box, box, ints, groups, whole["data"], whole["groupdq"], whole["pixeldq"], whole.get("zeroframe")
    )


def _sirs_kernels(exposure: Exposure, references: Mapping[str, Any], p: RefPixStep.Parameters) -> Any:
    """Return the convolution kernels of the alternative side correction, if asked for and there are any."""
    reference = references.get("sirskernel")
    if p.refpix_algorithm != "sirs":
        return None
    if "FULL" not in exposure.subarray:
        log.warning("Simple Improved Reference Subtraction (SIRS) not applied for subarray data")
        return None
    if reference is None:
        log.warning("No reference file found for the optimized convolution kernel: the median is used")
        return None
    from webbcal.kernels.reference_pixels.sirs import SirsKernels

    tree = {name.lower(): values for name, values in reference.model.to_flat_dict().items()}
    gamma, zeta = (tree.get(f"{exposure.detector.lower()}.{name}") for name in ("gamma", "zeta"))
    if gamma is None or zeta is None:
        log.warning("%s has no kernels of %s: the median is used", reference.name, exposure.detector)
        return None
    return SirsKernels.from_coefficients(np.array(gamma), np.array(zeta), p.gaussmooth, p.halfwidth)
