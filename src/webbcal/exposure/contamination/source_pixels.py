"""The pixels of the sources of a direct image: where they are in the grism exposure, and how bright."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import InputError
from webbcal.exposure.geometry.field_agreement import check_together
from webbcal.wcs.of_model import wcs_of
from webbcal.wcs.tree_wcs import TreeWCS

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: How far a source may be from its pixels, pixels: centroids of crowded sources may lie outside.
_NEAR = 5.0
#: Difference of areas up to which pixels are taken to be of one scale: distortion is no larger.
_SAME_SCALE = 0.05


@dataclass(frozen=True)
class SourcePixels:
    """Pixels of sources, those of a source together, sources in the order of their labels.

    Attributes
    ----------
    label : (n,) int64
    x, y : (n,) float64
        Where the pixels are on the grism's detector, were there no grism (0-based).
    flux : (n,) float64
        Surface brightness above the background, MJy/sr, times the pixel's area in pixels of the detector.
    """

    label: I64
    x: F64
    y: F64
    flux: F64

    def of(self, labels: I64) -> SourcePixels:
        """Return the pixels of some sources."""
        kept = np.isin(self.label, labels)
        return SourcePixels(self.label[kept], self.x[kept], self.y[kept], self.flux[kept])

    def by_source(self, first: int, last: int) -> Iterator[tuple[int, slice]]:
        """Yield each source among the pixels from `first` to before `last`, with its pixels."""
        edges = np.flatnonzero(np.diff(self.label[first:last])) + 1
        bounds = [first, *(first + edges), last]
        for start, end in pairwise(bounds):
            if end > start:
                yield int(self.label[start]), slice(int(start), int(end))


def source_pixels(direct: Any, segmentation: Any, grism: TreeWCS) -> SourcePixels:
    """Return the pixels of all sources of a direct image.

    Parameters
    ----------
    direct : ImageModel
        The mosaic, MJy/sr, with its WCS.
    segmentation : SegmentationMapModel
        The label of the source of each pixel of it, 0: none.
    grism : TreeWCS
        The WCS of the grism exposure.

    Raises
    ------
    InputError
        If the two do not belong together, or there is no source.
    """
    labels, wcs = segmentation.data, wcs_of(direct)
    if wcs is None:
        raise InputError(f"{direct.meta.filename}: the direct image has no WCS; give the mosaic (_i2d)")
    check_together(direct, segmentation)
    image = _without_background(direct.data, str(direct.meta.filename))
    rows, columns = np.nonzero((labels != 0) & np.isfinite(image))
    if not len(rows):
        raise InputError(
            f"{segmentation.meta.filename}: no pixel of the segmentation map belongs to a source"
        )
    order = np.argsort(labels[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    ra, dec = wcs(columns.astype(float), rows.astype(float), with_bounding_box=False)[:2]
    x, y = grism.between("world", "detector", ra, dec, np.ones_like(ra), np.ones_like(ra))[:2]
    seen = np.isfinite(x) & np.isfinite(y)
    rows, columns = rows[seen], columns[seen]
    flux = image[rows, columns].astype(float) * _pixel_area(wcs, grism, labels.shape)
    return SourcePixels(labels[rows, columns].astype(np.int64), x[seen], y[seen], flux)


def check_catalog(model: Any, pixels: SourcePixels) -> None:
    """Make sure that spectra were cut for the sources of the segmentation map, not for their namesakes.

    Parameters
    ----------
    model : MultiSlitModel
        Its slits say where their sources are.
    pixels : SourcePixels

    Raises
    ------
    InputError
        If no source, of several, lies within its pixels (and not far from them).
    """
    places = {
        int(slit.source_id): (slit.source_xpos, slit.source_ypos)
        for slit in model.slits
        if slit.source_xpos is not None and slit.source_ypos is not None
    }
    near = []
    for label, own in pixels.by_source(0, len(pixels.label)):
        if label in places:
            axes = zip(places[label], (pixels.x[own], pixels.y[own]), strict=True)
            near.append(all(v.min() - _NEAR <= at <= v.max() + _NEAR for at, v in axes))
    if len(near) > 1 and not any(near):
        raise InputError(
            f"{model.meta.filename}: none of the {len(near)} sources of its catalogue (SCATFILE) is where "
            "the segmentation map (SEGMFILE) has its number; give catalogue and map that were made together"
        )


def _pixel_area(wcs: Any, grism: TreeWCS, shape: tuple[int, ...]) -> float:
    """Return the area of the mosaic's pixels in pixels of the detector; 1 if they are about as large."""
    middle = [(n - 1) / 2 for n in reversed(shape)]
    corners = middle[0] + np.array([0.0, 1, 0]), middle[1] + np.array([0.0, 0, 1])
    ra, dec = wcs(*corners, with_bounding_box=False)[:2]
    x, y = grism.between("world", "detector", ra, dec, np.ones(3), np.ones(3))[:2]
    area = abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))
    return 1.0 if abs(area - 1) < _SAME_SCALE or not np.isfinite(area) else float(area)


def _without_background(image: F32, name: str) -> F64:
    """Subtract a smooth background: medians of 5 × 5 boxes, clipped at 3 σ, smoothed 3 × 3.

    What is left of a background would become light of every source.

    Raises
    ------
    InputError
        If no box has enough pixels with data.
    """
    from astropy.stats import SigmaClip
    from astropy.utils.exceptions import AstropyUserWarning
    from photutils.background import Background2D, MedianBackground

    box = int(image.shape[0] / 5), int(image.shape[1] / 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            found = Background2D(
                image,
                box,
                filter_size=(3, 3),
                sigma_clip=SigmaClip(sigma=3.0),
                bkg_estimator=MedianBackground(),
                exclude_percentile=30.0,
            )
        except ValueError as error:
            raise InputError(
                f"{name}: the background of the direct image cannot be measured, as too few of its pixels "
                f"have data ({error}); give a mosaic (_i2d) that shows the field"
            ) from error
    result: F64 = image - found.background
    return result
