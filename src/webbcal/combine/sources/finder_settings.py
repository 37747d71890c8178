"""How sources are found in an image: parameters of all steps that find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webbcal.run.parameters import param


@dataclass(frozen=True)
class FinderSettings:
    """How sources are found; the parameters of a step derive from it, with defaults of their own."""

    starfinder: Literal["dao", "iraf", "segmentation"] = param("iraf", "How sources are found")
    snr_threshold: float = param(10.0, "Threshold above the background, in its rms")
    kernel_fwhm: float = param(2.5, "FWHM of the Gaussian that sources are like", unit="pixel")
    bkg_boxsize: int = param(400, "Boxes that the background is measured in", unit="pixel", ge=1)
    minsep_fwhm: float = param(0.0, "Smallest separation of stars, in FWHM (dao, iraf)")
    sigma_radius: float = param(1.5, "Radius of the Gaussian kernel, in its sigma (dao, iraf)")
    sharplo: float = param(0.5, "Smallest sharpness (dao, iraf)")
    sharphi: float = param(2.0, "Largest sharpness (dao, iraf)")
    roundlo: float = param(0.0, "Smallest roundness (dao, iraf)")
    roundhi: float = param(0.2, "Largest roundness (dao, iraf)")
    brightest: int = param(200, "Keep this many of the brightest sources (dao, iraf)")
    peakmax: float | None = param(None, "Leave out sources with a higher peak (dao, iraf)")
    npixels: int = param(10, "Smallest number of connected pixels (segmentation)", ge=1)
    connectivity: Literal[4, 8] = param(8, "Neighbours that count as connected (segmentation)")
    nlevels: int = param(32, "Levels of deblending (segmentation)", ge=1)
    contrast: float = param(
        0.001, "Least share of a source's flux that a deblended part has (segmentation)", ge=0, le=1
    )
    multithresh_mode: Literal["exponential", "linear", "sinh"] = param(
        "exponential", "Spacing of the levels of deblending (segmentation)"
    )
    localbkg_width: int = param(
        0, "Width of the annulus of a local background (segmentation)", unit="pixel", ge=0
    )
    apermask_method: Literal["correct", "mask", "none"] = param(
        "correct", "What is done about neighbours in an aperture (segmentation)"
    )
    kron_params: list[float] | None = param(None, "Kron aperture: 2 or 3 numbers (segmentation)")
    deblend: bool = param(True, "Separate sources that touch (segmentation)")
