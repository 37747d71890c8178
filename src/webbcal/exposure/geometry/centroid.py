"""Where a target is: in an image that confirms its acquisition, and from there in a spectrum.

Positions are 0-based pixels. Dithers are known from the header; the WCS turns them to pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import InputError, SkipStep
from webbcal.wcs.keywords import REFERENCE, ApertureKeywords, required
from webbcal.wcs.of_model import bounds_of, tree_of
from webbcal.wcs.tree_wcs import TreeWCS

#: Half the side of the box in which the target is looked for, and pixels that it needs.
_HALF, _FEWEST = 10, 10


@dataclass(frozen=True, slots=True)
class Dithered:
    """Where the target is by the header.

    Attributes
    ----------
    place : tuple of float
        Column and row in the science array.
    offset : tuple of float
        How far that is from the reference position of the aperture, along columns and rows.
    """

    place: tuple[float, float]
    offset: tuple[float, float]


def dithered_position(model: Any) -> Dithered:
    """Return where the target of an exposure is by its header.

    Raises
    ------
    InputError
        If it has no WCS, or pointing keywords or dithers are not known.
    """
    stored = tree_of(model)
    if stored is None:
        raise InputError(f"{model.meta.filename} has no WCS (meta.wcs); run assign_wcs on it first")
    tree = TreeWCS(stored)
    more = () if tree.outputs == 2 else (_middle_wavelength(tree),)
    reference = required(model, REFERENCE)
    sky = _dithered_sky(model, tree), (reference["ra_ref"], reference["dec_ref"])
    (x, y), (x0, y0) = (
        (float(v) for v in tree.invert(*place, *more, with_bounding_box=False)[:2]) for place in sky
    )
    return Dithered((x, y), (x - x0, y - y0))


def _middle_wavelength(tree: TreeWCS) -> float:
    bounds = bounds_of(tree)
    assert bounds is not None
    return float(tree(*(np.mean(interval) for interval in bounds))[2])


def _dithered_sky(model: Any, tree: TreeWCS) -> tuple[float, float]:
    """Return RA and Dec of the dithered pointing: those that assign_wcs has stored, or from the offsets."""
    dither = model.meta.dither
    if dither.dithered_ra is not None and dither.dithered_dec is not None:
        return dither.dithered_ra, dither.dithered_dec
    if dither.x_offset is None or dither.y_offset is None:
        raise InputError(f"{model.meta.filename}: dither offsets (XOFFSET, YOFFSET) are not known")
    offsets = np.array(float(dither.x_offset)), np.array(float(dither.y_offset))
    v2, v3 = ApertureKeywords.of_model(model).telescope(*offsets)
    ra, dec = tree.between("v2v3", tree.frames[-1], v2, v3, *[0.0] * (tree.outputs - 2))[:2]
    return float(ra), float(dec)


def centroid(image: NDArray[np.floating], near: tuple[float, float]) -> tuple[float, float]:
    """Return the centre of a Gaussian in two dimensions, fitted in a box around a place.

    Parameters
    ----------
    image : (rows, columns)
        NaN where there are no data.
    near : tuple of float
        Column and row.

    Raises
    ------
    SkipStep
        If there are not enough data, or the fit fails.
    """
    rows, columns = image.shape
    x, y = (round(v) if np.isfinite(v) else -_HALF for v in near)
    y0, x0 = max(0, y - _HALF), max(0, x - _HALF)
    box = image[y0 : min(rows, max(0, y + _HALF)), x0 : min(columns, max(0, x + _HALF))]
    if np.count_nonzero(~np.isnan(box)) < _FEWEST:
        raise SkipStep(f"there are not enough data around the expected place of the target, ({x}, {y})")
    from photutils.centroids import centroid_2dg

    try:
        found = centroid_2dg(box, mask=~np.isfinite(box))
    except ValueError as error:
        raise SkipStep(f"the fit of the target failed: {error}") from None
    return float(found[0]) + x0, float(found[1]) + y0
