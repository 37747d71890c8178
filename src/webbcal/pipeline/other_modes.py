"""Steps of spectral pipelines for modes not calibrated yet: NIRSpec's slits, integral fields.

Their places in the pipelines and their parameters are kept, so that what people set for them is taken; on
exposures of other modes they are skipped, as in jwst. The pipelines refuse the modes themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from webbcal.core.errors import PlanError
from webbcal.run.model_step import ModelStep
from webbcal.run.parameters import StepParameters, param


class OtherModeStep(ModelStep):
    """A step of modes that are not calibrated yet."""

    #: What it is for.
    of: ClassVar[str]

    def reason_to_skip(self, model: Any, p: Any) -> str | None:
        """Skip it."""
        return f"is for {self.of}"


class MSAFlagOpenStep(OtherModeStep):
    """Flag what stuck-open shutters let through."""

    class_alias, of = "msa_flagging", "NIRSpec's shutters"
    reference_file_types = ("msaoper",)


class ImprintStep(OtherModeStep):
    """Subtract exposures with all shutters closed."""

    class_alias, cal_step, of = "imprint", "imprint", "NIRSpec's shutters and integral field"


class MasterBackgroundMosStep(OtherModeStep):
    """Subtract the sky that background slits have seen."""

    class_alias, of = "master_background_mos", "NIRSpec's shutters"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `MasterBackgroundMosStep`."""

        sigma_clip: float = param(3.0, "Clipping limit when spectra are combined", kind="float")
        median_kernel: int = param(1, "Length of a median filter of the background spectrum")
        force_subtract: bool = param(False, "Subtract even where backgrounds were subtracted")
        save_background: bool = param(False, "Save the background")
        user_background: str | None = param(None, "Background spectrum of the user's")
        inverse: bool = param(False, "Add it instead")
        output_use_model: bool = param(True, "Name files after the models")


class WavecorrStep(OtherModeStep):
    """Correct wavelengths for the place of the source in its slit."""

    class_alias, of = "wavecorr", "NIRSpec's slits"
    reference_file_types = ("wavecorr",)


class StraylightStep(OtherModeStep):
    """Take out light that the detector scatters."""

    class_alias, of = "straylight", "MIRI's integral field"
    reference_file_types = ("mrsxartcorr", "regions")

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `StraylightStep`."""

        clean_showers: bool = param(False, "Remove showers between the slices")
        shower_plane: int = param(3, "Plane of the regions that tells slices from gaps")
        shower_x_stddev: float = param(18.0, "Width of the smoothing along rows", unit="pixel")
        shower_y_stddev: float = param(5.0, "Width of the smoothing along columns", unit="pixel")
        shower_low_reject: float = param(0.1, "Lowest share of pixels that does not count", unit="%")
        shower_high_reject: float = param(99.9, "Share of pixels above which none counts", unit="%")
        save_shower_model: bool = param(False, "Save what was removed")


class FringeStep(OtherModeStep):
    """Divide by the fringes of the detector."""

    class_alias, of = "fringe", "MIRI's integral field"
    reference_file_types = ("fringe",)


class ResidualFringeStep(OtherModeStep):
    """Fit and remove what is left of the fringes."""

    class_alias, of = "residual_fringe", "MIRI's integral field"
    reference_file_types = ("fringefreq", "regions")

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `ResidualFringeStep`."""

        skip: bool = param(True, "Skip this step")
        save_intermediate_results: bool = param(False, "Save what was fitted")
        search_output_file: bool = param(False, "Name files after the pipeline's output_file")
        ignore_region_min: list | None = param(None, "Where wavelengths to leave out begin", unit="um")
        ignore_region_max: list | None = param(None, "Where they end", unit="um")
        suffix: str | None = param("residual_fringe", "Suffix of file names")


class BarShadowStep(OtherModeStep):
    """Correct for the shadows of the bars between shutters."""

    class_alias, of = "barshadow", "NIRSpec's shutters"
    reference_file_types = ("barshadow",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `BarShadowStep`."""

        inverse: bool = param(False, "Put the shadows in instead")
        source_type: str | None = param(None, "Treat all sources as of this type")


class SpectralLeakStep(OtherModeStep):
    """Take second-order light out of channel 3A."""

    class_alias, of = "spectral_leak", "MIRI's integral field"
    reference_file_types = ("mrsptcorr",)


class AdaptiveTraceModelStep(OtherModeStep):
    """Model the trace, and oversample by it."""

    class_alias, of = "adaptive_trace_model", "spectra with a trace"

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `AdaptiveTraceModelStep`."""

        skip: bool = param(True, "Skip this step")
        fit_threshold: float = param(10.0, "Least signal of what is fitted", unit="standard deviations")
        oversample: float = param(1.0, "Factor of oversampling")
        slope_limit: float = param(0.1, "Least slope of a profile that is used")
        psf_optimal: bool = param(False, "Use the spline everywhere")
        save_intermediate_results: bool = param(False, "Save the models")
        output_use_model: bool = param(True, "Name files after the models")
        maximum_cores: str = param("none", "Cores to use")

    def reason_to_skip(self, model: Any, p: Parameters) -> str | None:
        """Refuse: it is skipped unless somebody asks for it.

        Raises
        ------
        PlanError
            Always.
        """
        raise PlanError(
            "adaptive_trace_model is not available in this version of webbcal; leave it out "
            "(adaptive_trace_model.skip=true, its default)"
        )


class CubeBuildStep(OtherModeStep):
    """Build cubes of the slices of integral fields."""

    class_alias, of = "cube_build", "integral fields"
    reference_file_types = ("cubepar",)

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `CubeBuildStep`."""

        channel: Literal["1", "2", "3", "4", "all"] = param("all", "Channel (MIRI)")
        band: str = param("all", "Band (MIRI)")
        grating: str = param("all", "Grating (NIRSpec)")
        filter: str = param("all", "Filter (NIRSpec)")
        output_type: Literal["band", "channel", "grating", "multi"] = param("band", "What makes a cube")
        linear_wave: bool = param(True, "Planes at equal steps of wavelength")
        scalexy: float = param(0.0, "Size of a spaxel", unit="arcsec")
        scalew: float = param(0.0, "Step in wavelength", unit="um")
        weighting: Literal["emsm", "msm", "drizzle"] = param("drizzle", "How pixels are shared out")
        coord_system: Literal["skyalign", "world", "internal_cal", "ifualign"] = param("skyalign", "Axes")
        ra_center: float | None = param(None, "Centre of the cube", unit="deg")
        dec_center: float | None = param(None, "Centre of the cube", unit="deg")
        cube_pa: float | None = param(None, "Position angle of the cube", unit="deg")
        nspax_x: int | None = param(None, "Spaxels along x")
        nspax_y: int | None = param(None, "Spaxels along y")
        rois: float = param(0.0, "Radius within which pixels count", unit="arcsec")
        roiw: float = param(0.0, "Range of wavelength within which pixels count", unit="um")
        weight_power: float = param(2.0, "Power of the distance in weights")
        wavemin: float | None = param(None, "Shortest wavelength", unit="um")
        wavemax: float | None = param(None, "Longest wavelength", unit="um")
        skip_dqflagging: bool = param(False, "Make no flags of the cube")
        output_use_model: bool = param(True, "Name files after the models")
        suffix: str | None = param("s3d", "Suffix of file names")
        offset_file: str | None = param(None, "File with offsets of exposures")
        debug_spaxel: str = param("-1 -1 -1", "A spaxel to tell about")
