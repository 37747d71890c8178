"""clean_flicker_noise: 1/f noise of the read-out, measured on the background and subtracted.

Ramps are cleaned difference by difference of their groups: a difference is an image of the sky with one
realisation of the noise, without the reset noise. The mask of the background comes from a draft rate image
(`draft_rate`, `scene_mask`). Cleaned differences are added up from the first group, which stays as it is.
Where images of many integrations are subtracted as the background (`median_image`), groups themselves are
cleaned. Methods: medians of rows or columns (after Willott's *image1overf*) and, for NIRSpec's spectra, low
frequencies (`kernels.flicker.fourier`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import FailedStep, PlanError
from webbcal.detector import draft_rate, flicker_autoparam, series_light
from webbcal.detector.draft_rate import Draft
from webbcal.detector.faint_light import without_faint_light
from webbcal.detector.flicker_frame import FrameCleaner, filled_flat, warn_of_boxes
from webbcal.detector.flicker_scan import FlickerState, Mask, MaskMaker, Masks, RampScan, RateScan
from webbcal.detector.scene_mask import background_mask, common_mask, science_regions_reason
from webbcal.detector.series_template import (
    SeriesTemplate,
    bytes_per_pixel,
    check_series,
    mean_template,
    median_template,
)
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.block_plan import Beside
from webbcal.run.engine.operation import BlockReferences, Stretch, Survey
from webbcal.run.engine.tiling import Tiling
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

log = logging.getLogger(__name__)

_FREQUENCIES = ("NRS_MSASPEC", "NRS_IFU", "NRS_FIXEDSLIT", "NRS_BRIGHTOBJ")
_FULL = 2048
_SERIES = ("median_image", "scaled_mean")


class CleanFlickerNoiseStep(BlockStep):
    """Remove 1/f noise."""

    class_alias = "clean_flicker_noise"
    reference_file_types = ("flat", "pastasoss", "bkg", *draft_rate.REFERENCES)
    optional_reference_types = ("flat", "pastasoss", "bkg", series_light.PARAMETERS)
    consumes = "any"
    tiling = Tiling.FRAMES
    walks = True
    surveys_all = True

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `CleanFlickerNoiseStep`."""

        autoparam: bool = param(False, "Choose parameters by the kind of exposure")
        fit_method: Literal["fft", "median"] = param("median", "How noise is fitted")
        fit_by_channel: bool = param(False, "Fit each amplifier on its own")
        background_method: Literal["median", "model", "median_image", "scaled_mean"] | None = param(
            "median", "How the background is found"
        )
        background_box_size: list[int] | None = param(
            None, "Box for the background model: rows, columns", ge=2, le=2, kind="int_list"
        )
        mask_science_regions: bool = param(False, "Mask regions with light")
        apply_flat_field: bool = param(False, "Flatten before fitting")
        n_sigma: float = param(2.0, "Clipping threshold", unit="sigma")
        fit_histogram: bool = param(False, "Fit the histogram instead of clipping")
        single_mask: bool = param(True, "One mask for all groups")
        user_mask: str | None = param(None, "Mask to use")
        mask_faint_light: bool = param(False, "Mask wings of extended sources, found in smoothed images")
        baseline_ints: list[int] | None = param(
            None,
            "Integrations before and after the event of a series (scaled_mean)",
            ge=2,
            le=2,
            kind="int_list",
        )
        save_mask: bool = param(False, "Save the mask")
        save_background: bool = param(False, "Save the background")
        save_noise: bool = param(False, "Save the noise")
        skip: bool = param(True, "Skip this step")

    def reason_to_skip(self, exposure: Exposure, p: Parameters) -> str | None:
        """Of MIRI, only images have such noise; frequencies are fitted to NIRSpec's spectra only.

        Raises
        ------
        PlanError
            For what this version cannot do.
        """
        if p.background_box_size is not None and min(p.background_box_size) < 1:
            raise PlanError(
                f"clean_flicker_noise.background_box_size is {p.background_box_size}: "
                "a box has at least one pixel"
            )
        kind = exposure.exp_type
        if kind.startswith("MIR") and kind != "MIR_IMAGE":
            raise FailedStep(f"exposures of type {kind} are not supported")
        if p.fit_method == "fft" and kind not in _FREQUENCIES:
            raise FailedStep(f"fit_method = fft does not apply to exposures of type {kind}")
        reason = (
            science_regions_reason(exposure) if p.mask_science_regions and not _named(p.user_mask) else None
        )
        if reason:
            raise PlanError(f"clean_flicker_noise: {reason}")
        if kind == "NIS_SOSS" and p.background_method == "median_image" and exposure.subarray == "FULL":
            raise FailedStep(
                f"median_image processing is not available for SOSS subarray {exposure.subarray}"
            )
        check_series(exposure, p.background_method)
        return None

    def reference_types_of(self, exposure: Exposure, p: Parameters) -> Sequence[str]:
        """What is asked for depends on the exposure and the parameters."""
        kind, kinds = exposure.exp_type, []
        automatic = p.autoparam and flicker_autoparam.knows(exposure)
        if p.apply_flat_field or automatic or (kind == "MIR_IMAGE" and p.mask_science_regions):
            kinds.append("flat")
        if kind == "NIS_SOSS":
            kinds.append("pastasoss")
        if kind == "NIS_SOSS" and p.background_method == "median_image":
            kinds.append("bkg")
        if p.background_method == "median_image":
            kinds += series_light.references_of(exposure)
        drafted = automatic or p.background_method in _SERIES or not _named(p.user_mask)
        if drafted and exposure.readout is not None:
            kinds += draft_rate.REFERENCES
        return list(dict.fromkeys(kinds))

    def extra_products(self) -> Mapping[str, str]:
        """The mask, the background and the noise."""
        wanted = (
            ("mask", "mask", self.save_mask),
            ("background", "flicker_bkg", self.save_background),
            ("noise", "flicker_noise", self.save_noise),
        )
        return {kind: self.make_output_path(suffix=suffix) for kind, suffix, save in wanted if save}

    def extra_layout(self, kind: str, exposure: Exposure, references: Mapping[str, Any]) -> Beside:
        """They go to their files block by block."""
        frame = exposure.frame.shape
        if kind != "mask":
            cls = {2: "ImageModel", 3: "CubeModel", 4: "RampModel"}[len(exposure.shape)]
            return Beside(cls, {"data": (exposure.shape, np.float32)})
        p = self.parameters
        single = len(exposure.shape) == 2 or (p.single_mask and p.background_method != "median_image")
        if _named(p.user_mask):
            single = _user_mask(p.user_mask).ndim == 2
        if single:
            return Beside("ImageModel", {"data": (frame, np.float32)})
        return Beside("CubeModel", {"data": ((exposure.nints, *frame), np.float32)})

    def scratch_bytes(self, exposure: Exposure, references: Any) -> int:
        """Two frames are handed on; an image with mask, sorted, and background; what a series shares."""
        return 40 + (bytes_per_pixel(exposure) if self.background_method in _SERIES else 0)

    def frame_bytes(self, p: Parameters) -> int:
        """A draft rate with its flags, its mask and what it is sorted in."""
        return 40

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters, survey: Survey
    ) -> FlickerState:
        """Find the background, in a draft rate image."""
        p = _automatic(exposure, references, p, survey)
        flat = None
        if p.apply_flat_field and references.get("flat") is None:
            log.warning("clean_flicker_noise: there is no flat for exposures of type %s", exposure.exp_type)
        elif p.apply_flat_field:
            flat = filled_flat(references["flat"].read("data"))
        if p.background_method == "median_image":
            p = replace(p, single_mask=False)  # each integration has a background of its own, as in jwst
        cleaner = _cleaner(exposure, p, flat)
        make = _mask_maker(exposure, references, p, cleaner)
        masks = _masks(exposure, references, p, survey, make)
        template = _template(exposure, references, p, survey, make, flat)
        return FlickerState(cleaner, masks, template, exposure.readout is None)

    def walk(
        self, stretch: Stretch, exposure: Exposure, references: BlockReferences, p: Any, state: FlickerState
    ) -> RampScan | RateScan:
        """Begin with an integration."""
        saved = frozenset(self.extra_products())
        if state.on_rates:
            return RateScan(stretch.ints.start, state, saved)
        return RampScan(stretch.ints.start, state, saved, stretch.threads)


def _named(user_mask: str | None) -> bool:
    """Tell whether the user gives a mask."""
    return user_mask is not None and str(user_mask).lower() != "none"


def _user_mask(path: Any) -> Mask:
    from webbcal import datamodels

    with datamodels.open(path) as model:
        return np.asarray(model.data).astype(np.bool_)


def _automatic(
    exposure: Exposure, references: Mapping[str, Any], p: CleanFlickerNoiseStep.Parameters, survey: Survey
) -> CleanFlickerNoiseStep.Parameters:
    """Return the parameters, chosen by the exposure where that is asked for."""
    if not p.autoparam:
        return p
    if not flicker_autoparam.knows(exposure):
        log.warning("clean_flicker_noise: parameters for %s are as given", exposure.exp_type)
        return p
    chosen = flicker_autoparam.choose(exposure, references, survey)
    log.info("clean_flicker_noise: %s", ", ".join(f"{k} = {v}" for k, v in chosen.items()))
    return replace(p, **chosen)


def _cleaner(
    exposure: Exposure, p: CleanFlickerNoiseStep.Parameters, flat: NDArray[np.float32] | None
) -> FrameCleaner:
    miri = exposure.exp_type.startswith("MIR")
    axis = 0 if miri else abs(exposure.slowaxis) - 1
    channels = 1
    if p.fit_by_channel and (miri or exposure.subarray.upper() != "FULL"):
        log.warning("clean_flicker_noise: only full frames of near-infrared detectors are fitted by channel")
    elif p.fit_by_channel and exposure.frame.shape[axis] == _FULL:
        channels = 4
    method = None if p.background_method in _SERIES else p.background_method
    if method == "model":
        warn_of_boxes(p.background_box_size, exposure.frame.shape)
    return FrameCleaner(
        p.fit_method, method, p.background_box_size, p.n_sigma, axis, channels,
        exposure.detector, exposure.subarray.upper(), flat,
    )  # fmt: skip


def _mask_maker(
    exposure: Exposure,
    references: Mapping[str, Any],
    p: CleanFlickerNoiseStep.Parameters,
    cleaner: FrameCleaner,
) -> MaskMaker:
    """Return the function from a draft rate to its background."""

    def make(draft: Draft) -> Mask:
        if cleaner.flat is not None:
            draft = replace(draft, data=draft.data / cleaner.flat)
        mask = background_mask(
            draft, exposure, references, science_regions=p.mask_science_regions, n_sigma=p.n_sigma,
            fit_histogram=p.fit_histogram,
        )  # fmt: skip
        return without_faint_light(draft.data, mask, cleaner.axis) if p.mask_faint_light else mask

    return make


def _masks(
    exposure: Exposure,
    references: Mapping[str, Any],
    p: CleanFlickerNoiseStep.Parameters,
    survey: Survey,
    make: MaskMaker,
) -> Masks:
    """Return the masks of all integrations."""
    if _named(p.user_mask):
        given = _user_mask(p.user_mask)
        frame = exposure.frame.shape
        if given.shape not in (frame, (exposure.nints, *frame)):
            raise FailedStep(f"user_mask {p.user_mask} has shape {given.shape}, but the exposure is {frame}")
        return Masks(given)
    if p.single_mask or len(exposure.shape) == 2:
        return Masks(common_mask(exposure, references, survey, make))
    return Masks(None, draft_rate.rates_of(exposure, references, survey), make)


def _template(
    exposure: Exposure,
    references: Mapping[str, Any],
    p: CleanFlickerNoiseStep.Parameters,
    survey: Survey,
    make: MaskMaker,
    flat: NDArray[np.float32] | None,
) -> SeriesTemplate | None:
    """Return what all integrations have in common, where that is subtracted."""
    if p.background_method == "median_image":
        return median_template(exposure, references, survey, make, flat)
    if p.background_method == "scaled_mean":
        return mean_template(exposure, references, survey, make, p.baseline_ints)
    return None
