"""Stage-1 steps that webbcal does not have yet.

Their names and parameters are known, so parameter files and scripts that set them work; while skipped (most
are by default, and none applies to near-infrared images) they are recorded as skipped. Asking for one is an
error, not a silent omission.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webbcal.run.block_step import UnavailableStep
from webbcal.run.parameters import StepParameters, param


class EmiCorrStep(UnavailableStep):
    """Remove 390 Hz interference (MIRI)."""

    class_alias = "emicorr"
    reference_file_types = ("emicorr",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `EmiCorrStep`."""

        algorithm: Literal["sequential", "joint"] = param("joint", "Fitting algorithm")
        nints_to_phase: int | None = param(None, "Integrations to phase")
        nbins: int | None = param(None, "Bins in one phased wave")
        scale_reference: bool = param(True, "Scale the reference wave to the data")
        onthefly_corr_freq: list | None = param(
            None, "Frequencies to correct without a reference", unit="Hz", kind="float_list"
        )
        use_n_cycles: int | None = param(3, "Cycles to use for an average")
        fit_ints_separately: bool = param(False, "Fit each integration on its own")
        user_supplied_reffile: str | None = param(None, "Reference file to use")
        save_intermediate_results: bool = param(False, "Save what was fitted")
        skip: bool = param(True, "Skip this step")


class RscdStep(UnavailableStep):
    """Reject the groups after a reset (MIRI)."""

    class_alias = "rscd"
    reference_file_types = ("rscd",)


class FirstFrameStep(UnavailableStep):
    """Reject the first group (MIRI)."""

    class_alias = "firstframe"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `FirstFrameStep`."""

        bright_use_group1: bool = param(True, "Keep the first group of pixels that saturate in the third")
        skip: bool = param(True, "Skip this step")


class LastFrameStep(UnavailableStep):
    """Reject the last group (MIRI)."""

    class_alias = "lastframe"


class ResetStep(UnavailableStep):
    """Subtract the reset anomaly (MIRI)."""

    class_alias = "reset"
    reference_file_types = ("reset",)


class PersistenceStep(UnavailableStep):
    """Flag or subtract persistence."""

    class_alias = "persistence"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `PersistenceStep`."""

        save_persistence: str | None = param(None, "Save the persistence that was found")
        persistence_time: int | None = param(None, "Time after saturation to flag", unit="s")
        dn_threshold: float | None = param(None, "Signal that causes persistence", unit="DN")
        persistence_array_file: str | None = param(None, "Persistence state of the exposure before")
        persistence_dnu: bool = param(False, "Also flag DO_NOT_USE")
        skip: bool = param(True, "Skip this step")


class PictureFrameStep(UnavailableStep):
    """Subtract the picture-frame pattern (NIRSpec)."""

    class_alias = "picture_frame"
    reference_file_types = ("pictureframe",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `PictureFrameStep`."""

        mask_science_regions: bool = param(True, "Mask regions with light")
        n_sigma: float = param(2.0, "Clipping threshold", unit="sigma")
        save_mask: bool = param(False, "Save the mask")
        save_correction: bool = param(False, "Save the correction")
        skip: bool = param(True, "Skip this step")


class CleanFlickerNoiseStep(UnavailableStep):
    """Remove 1/f noise."""

    class_alias = "clean_flicker_noise"
    reference_file_types = ("flat", "pastasoss")

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `CleanFlickerNoiseStep`."""

        autoparam: bool = param(False, "Choose parameters by the kind of exposure")
        fit_method: Literal["fft", "median"] = param("median", "How noise is fitted")
        fit_by_channel: bool = param(False, "Fit each amplifier on its own")
        background_method: Literal["median", "model", "median_image"] | None = param(
            "median", "How the background is found"
        )
        background_box_size: list | None = param(None, "Box for the background model", kind="int_list")
        mask_science_regions: bool = param(False, "Mask regions with light")
        apply_flat_field: bool = param(False, "Flatten before fitting")
        n_sigma: float = param(2.0, "Clipping threshold", unit="sigma")
        fit_histogram: bool = param(False, "Fit the histogram instead of clipping")
        single_mask: bool = param(True, "One mask for all groups")
        user_mask: str | None = param(None, "Mask to use")
        save_mask: bool = param(False, "Save the mask")
        save_background: bool = param(False, "Save the background")
        save_noise: bool = param(False, "Save the noise")
        skip: bool = param(True, "Skip this step")
