"""Finding point sources in an image: a smooth background, a threshold, one of three finders of `photutils`.

The measurements are those of `photutils` (Stetson 1987, PASP 99, 191, for ``dao``; IRAF's starfind for
``iraf``; segmentation). What takes the time is done here instead: the spline of the background mesh is a
product of matrices, because it is separable; and candidates are looked for above the threshold only.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.combine.sources.background_mesh import measure_mesh
from webbcal.combine.sources.finder_settings import FinderSettings
from webbcal.combine.sources.segmentation import find_segments, measure_segments, smoothed

if TYPE_CHECKING:
    from astropy.table import Table

peaks = kernels.get("peaks")
log = logging.getLogger(__name__)

F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: Columns of a catalogue of sources; positions are 0-based pixels.
COLUMNS = ("id", "xcentroid", "ycentroid", "flux")
#: What `photutils` calls them.
_STAR = ("id", "x_centroid", "y_centroid", "flux")
_SEGMENT = ("label", "x_centroid", "y_centroid", "segment_flux")


def find_sources(data: F32, masked: Bool, error: F32 | None, s: FinderSettings) -> Table:
    """Return the sources of an image as a table with `COLUMNS`; empty if there are none.

    Parameters
    ----------
    data : (ny, nx) float32
        The image; NaN is ignored.
    masked : (ny, nx) bool
        Pixels without use; no source has its peak there.
    error : (ny, nx) float32, optional
        Errors, for the catalogue of segments.
    s : FinderSettings
    """
    try:
        background, rms = smooth_background(data, masked, s.bkg_boxsize)
    except ValueError as reason:
        log.warning("no background can be determined: %s", reason)
        return _empty()
    image = np.subtract(data, background, out=background)
    threshold = np.multiply(rms, np.float32(s.snr_threshold), out=rms)
    if s.starfinder == "segmentation":
        found, names = _segments(image, masked, error, threshold, s), _SEGMENT
    else:
        found, names = find_stars(image, masked, float(np.median(threshold)), s), _STAR
    if found is None or not len(found):
        return _empty()
    from astropy.table import Table

    return Table({new: np.asarray(found[old]) for new, old in zip(COLUMNS, names, strict=True)})


def smooth_background(data: F32, masked: Bool, boxsize: int) -> tuple[F32, F32]:
    """Return the background and its root mean square, smooth over boxes, zero where the image is masked.

    Each box gives a sigma-clipped median and standard deviation; a 3 × 3 median filter and a spline follow.

    Raises
    ------
    ValueError
        If no pixel is left.
    """
    mesh = measure_mesh(data, masked, boxsize)
    images = []
    for values in (mesh.level, mesh.noise):
        image = enlarged(values, mesh.box, data.shape)
        image[masked] = 0
        images.append(image)
    return images[0], images[1]


def enlarged(mesh: NDArray[np.floating[Any]], box: Any, shape: tuple[int, int]) -> F32:
    """Return a mesh as an image: a cubic spline through the centres of boxes, within the mesh's range."""
    from scipy.ndimage import zoom

    if np.ptp(mesh) == 0:
        return np.full(shape, mesh.flat[0], np.float32)
    # A spline is linear in its values, and separable: its weights are those of unit values along each axis.
    # In one dimension: `zoom` is not exact at the nodes of few boxes, so that zooming one axis by 1 would
    # change the values by 1e-4. In double precision, the image is that of `photutils` to the last bit.
    rows, columns = (
        np.stack([zoom(u, int(size), order=3, mode="reflect", grid_mode=True)[:length] for u in np.eye(n)])
        for n, size, length in zip(mesh.shape, box, shape, strict=True)
    )
    image = (rows.T @ mesh.astype(np.float64) @ columns).astype(np.float32)
    return np.clip(image, np.float32(mesh.min()), np.float32(mesh.max()), out=image)


def find_stars(image: F32, masked: Bool, threshold: float, s: FinderSettings) -> Table | None:
    """Find stars with ``dao`` or ``iraf``: candidates here, measurements and cuts by `photutils`."""
    from photutils.detection import DAOStarFinder, IRAFStarFinder
    from scipy.ndimage import convolve

    cls = {"dao": DAOStarFinder, "iraf": IRAFStarFinder}[s.starfinder]
    cuts = {
        "sigma_radius": s.sigma_radius,
        "sharpness_range": (s.sharplo, s.sharphi),
        "roundness_range": (s.roundlo, s.roundhi),
        "n_brightest": s.brightest,
        "peak_max": s.peakmax,
    }
    finder = cls(threshold, s.kernel_fwhm, **cuts)
    smoothed = convolve(image, finder.kernel.data, mode="constant", cval=0.0)
    separation = max(2, int(s.minsep_fwhm * s.kernel_fwhm + 0.5))
    limit = getattr(finder, "threshold_eff", threshold)
    y, x = np.nonzero(peaks.maxima(smoothed, masked, limit, separation))
    if not len(x):
        return None
    return cls(threshold, s.kernel_fwhm, xycoords=np.transpose((x, y)), **cuts)(image, mask=masked)


def _segments(image: F32, masked: Bool, error: F32 | None, threshold: F32, s: FinderSettings) -> Table | None:
    """Find sources as segments."""
    smooth = smoothed(image, masked, s.kernel_fwhm)
    segments = find_segments(smooth, threshold, masked, s)
    if segments is None:
        return None
    return measure_segments(image, smooth, segments, masked, error, s).to_table(columns=list(_SEGMENT))


def _empty() -> Table:
    from astropy.table import Table

    return Table(names=COLUMNS, dtype=(int, float, float, float))
