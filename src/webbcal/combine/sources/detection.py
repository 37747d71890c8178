"""Finding sources in an image: by segmentation, or by the star finders DAOFIND and IRAF's starfind.

The finders are those of photutils (Bradley et al.); DAOFIND is Stetson 1987 (PASP 99, 191). Segmentation
finds connected pixels above a threshold in the smoothed image and splits them where they have several peaks.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from webbcal.combine.sources.finder_settings import FinderSettings
from webbcal.combine.sources.segmentation import find_segments, measure_segments, smoothed
from webbcal.combine.sources.star_finding import find_stars, smooth_background
from webbcal.core.errors import ParameterError

log = logging.getLogger(__name__)

_KRON = (2.5, 1.4, 0.0)

#: What segmentation measures, by photutils' names.
SEGMENT_COLUMNS = (
    "area",
    "semimajor_axis",
    "semiminor_axis",
    "ellipticity",
    "orientation",
    "segment_flux_err",
    "sky_bbox_ll",
    "sky_bbox_ul",
    "sky_bbox_lr",
    "sky_bbox_ur",
)


@dataclass(frozen=True)
class Sources:
    """What was found.

    Attributes
    ----------
    label : ndarray of int
    x, y : ndarray
        Centroids, 0-based pixels.
    flux : ndarray
        Flux as the finder defines it (of the segment; or of the filtered peak), in units of the image.
    measured : mapping
        More columns; those of `SEGMENT_COLUMNS` for segmentation, ``orientation`` for IRAF's finder.
    segments : ndarray of uint32, optional
        Label of the source that each pixel belongs to; 0 for none.
    """

    label: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    measured: Mapping[str, Any] = field(default_factory=dict)
    segments: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.label)


def find_sources(
    data: np.ndarray, mask: np.ndarray, finder: FinderSettings, err: np.ndarray | None = None, wcs: Any = None
) -> Sources:
    """Find the sources of an image above its sky.

    Parameters
    ----------
    data : ndarray
        Image, shape (ny, nx).
    mask : ndarray of bool
        True where the image has no data.
    finder : FinderSettings
    err : ndarray, optional
        Standard deviations, for errors of the fluxes of segments.
    wcs : WCS, optional
        For the corners of segments on the sky.

    Returns
    -------
    Sources
        None found: of length 0.
    """
    from photutils.utils import NoDetectionsWarning

    try:
        sky, noise = smooth_background(data, mask, finder.bkg_boxsize)
    except ValueError as error:
        log.warning("the sky background cannot be measured: %s", error)
        return _nothing()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)
        signal = np.subtract(data, sky, out=sky)
        threshold = np.multiply(noise, finder.snr_threshold, out=noise)
        if finder.starfinder == "segmentation":
            return _segmented(signal, threshold, mask, finder, err, wcs)
        return _stars(signal, float(np.median(threshold)), mask, finder)


def kron_of(finder: FinderSettings) -> tuple[float, ...]:
    """Return the parameters of Kron apertures.

    Raises
    ------
    ParameterError
        If they are not two or three numbers.
    """
    try:
        values = tuple(float(v) for v in finder.kron_params or _KRON)
    except ValueError:
        values = ()
    if len(values) not in (2, 3):
        raise ParameterError(f"kron_params = {finder.kron_params!r}: expected two or three numbers")
    return values


def _nothing() -> Sources:
    none = np.zeros(0)
    return Sources(none.astype(int), none, none, none)


def _segmented(
    signal: np.ndarray, threshold: np.ndarray, mask: np.ndarray, finder: FinderSettings, err: Any, wcs: Any
) -> Sources:
    """Find sources by segmentation of the smoothed image, and measure their segments."""
    smooth = smoothed(signal, mask, finder.kernel_fwhm)
    segments = find_segments(smooth, threshold, mask, finder)
    if segments is None:
        return _nothing()
    catalog = measure_segments(
        signal, smooth, segments, mask, err, finder, wcs=wcs, kron_params=kron_of(finder)
    )
    # A catalogue of one source hands out scalars.
    measured = {name: _column(getattr(catalog, name)) for name in SEGMENT_COLUMNS}
    label, x, y, flux = (
        _column(getattr(catalog, name)) for name in ("label", "x_centroid", "y_centroid", "segment_flux")
    )
    return Sources(label, x, y, flux, measured, segments.data.astype(np.uint32))


def _column(value: Any) -> Any:
    """Return values as a column without units; sky coordinates (None without a WCS) as they are."""
    if value is None or hasattr(value, "frame"):
        return value.reshape(1) if getattr(value, "isscalar", False) else value
    return np.atleast_1d(getattr(value, "value", value))


def _stars(signal: np.ndarray, threshold: float, mask: np.ndarray, finder: FinderSettings) -> Sources:
    table = find_stars(signal, mask, threshold, finder)
    if table is None:
        return _nothing()
    label, x, y, flux = (np.asarray(table[n]) for n in ("id", "x_centroid", "y_centroid", "flux"))
    angle = {"orientation": _column(table["orientation"])} if "orientation" in table.colnames else {}
    return Sources(label, x, y, flux, angle)
