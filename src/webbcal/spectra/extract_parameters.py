"""Parameters of ``extract_1d``, for all its modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webbcal.run.parameters import StepParameters, param


@dataclass(frozen=True)
class Extract1dParameters(StepParameters):
    """Parameters of `Extract1dStep`."""

    subtract_background: bool | None = param(None, "Subtract the background; None: if its regions are known")
    apply_apcorr: bool = param(True, "Apply the aperture correction to point sources")
    extraction_type: Literal["box", "optimal"] | None = param(
        "box", "How to extract; None: optimal where the source's position is used"
    )
    use_source_posn: bool | None = param(None, "Move the aperture to where the source is; None: by the mode")
    position_offset: float = param(0.0, "Move the aperture across the spectrum", unit="pixel")
    model_nod_pair: bool = param(True, "Fit the negative source of the other nod too (optimal)")
    optimize_psf_location: bool = param(True, "Fit the position of the source too (optimal)")
    smoothing_length: int | None = param(None, "Columns over which the background is averaged", unit="pixel")
    bkg_fit: Literal["poly", "mean", "median"] | None = param(None, "What is fitted to the background")
    bkg_order: int | None = param(None, "Order of the background's polynomial", ge=0)
    log_increment: int = param(50, "Log a line each so many integrations; 0: none")
    save_profile: bool = param(False, "Save the weights of pixels (_profile)")
    save_scene_model: bool = param(False, "Save the image of what was extracted (_scene_model)")
    save_residual_image: bool = param(False, "Save what is left in the image (_residual)")
    center_xy: list[float] | None = param(None, "Centre of the aperture, x and y (IFU)", kind="float_list")
    ifu_autocen: bool = param(False, "Find the centre of a point source (IFU)")
    bkg_sigma_clip: float = param(3.0, "Clipping limit of the background (IFU)", unit="standard deviations")
    ifu_rfcorr: bool = param(True, "Correct spectra for residual fringes (MRS)")
    ifu_set_srctype: Literal["POINT", "EXTENDED"] | None = param(None, "Take the source to be this (MRS)")
    ifu_rscale: float | None = param(None, "Radius of the aperture (IFU)", unit="FWHM", ge=0.5, le=3)
    ifu_covar_scale: float = param(1.0, "Factor on errors, for the covariance of cubes (IFU)")
    soss_atoca: bool = param(True, "Separate overlapping orders (SOSS)")
    soss_threshold: float = param(1e-2, "Part of the trace profile that is kept (SOSS)")
    soss_n_os: int = param(2, "Least oversampling of the wavelength grid (SOSS)")
    soss_wave_grid_in: str | None = param(None, "File with the wavelength grid (SOSS)", kind="input_file")
    soss_wave_grid_out: str | None = param(None, "File that the wavelength grid is saved in (SOSS)")
    soss_estimate: str | None = param(None, "File with an estimate of the flux (SOSS)", kind="input_file")
    soss_rtol: float = param(1.0e-4, "Relative tolerance of the pixel model (SOSS)")
    soss_max_grid_size: int = param(20000, "Most points of the wavelength grid (SOSS)")
    soss_tikfac: float | None = param(None, "Regularisation factor (SOSS)")
    soss_width: float = param(40.0, "Width of the aperture (SOSS)", unit="pixel")
    soss_bad_pix: Literal["model", "masking"] = param("masking", "What is done about bad pixels (SOSS)")
    soss_modelname: str | None = param(None, "File for models of the traces (SOSS)", kind="output_file")
    soss_order_3: bool = param(True, "Extract the third order too (SOSS)")
