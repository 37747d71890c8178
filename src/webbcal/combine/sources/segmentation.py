"""Segments of an image: connected pixels above a threshold in the smoothed image, split by their peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.kernels.smoothing.reference import gaussian

if TYPE_CHECKING:
    from webbcal.combine.sources.finder_settings import FinderSettings

segment_kernels = kernels.get("segments")
smoothing = kernels.get("smoothing")

F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

FWHM_TO_SIGMA = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))


def smoothed(signal: F32, mask: Bool, fwhm: float) -> F32:
    """Smooth with a Gaussian; pixels without data count for nothing, and the image is 0 beyond its edges."""

    if fwhm <= 0:
        return signal
    return smoothing.smooth(signal, mask | np.isnan(signal), gaussian(fwhm * FWHM_TO_SIGMA))


def find_segments(smooth: F32, threshold: F32, mask: Bool, finder: FinderSettings) -> Any:
    """Return the segments of a smoothed image, as `photutils` has them; None if there are none.

    Most have one peak and cannot be split, so that they need not be looked at above many thresholds.
    """
    from photutils.segmentation import deblend_sources, detect_sources

    segments = detect_sources(smooth, threshold, finder.npixels, connectivity=finder.connectivity, mask=mask)
    if segments is None or not finder.deblend:
        return segments
    several = segment_kernels.count_peaks(smooth, segments.data, finder.connectivity) > 1
    return deblend_sources(
        smooth,
        segments,
        finder.npixels,
        labels=segments.labels[several[segments.labels - 1]],
        n_levels=finder.nlevels,
        contrast=finder.contrast,
        mode=finder.multithresh_mode,
        connectivity=finder.connectivity,
        progress_bar=False,
    )


def measure_segments(
    signal: F32, smooth: F32, segments: Any, mask: Bool, err: F32 | None, finder: FinderSettings, **more: Any
) -> Any:
    """Return the catalogue that `photutils` makes of segments; its columns are measured when asked for."""
    from photutils.segmentation import SourceCatalog

    return SourceCatalog(
        signal,
        segments,
        convolved_data=smooth,
        error=err,
        mask=mask,
        local_bkg_width=finder.localbkg_width,
        aperture_mask_method=finder.apermask_method,
        **more,
    )
