"""Footprints on the sky: reading S_REGION, and the outline of several together."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import InputError

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

#: Vertices that lie this close together (pixels), or on a line within this angle (radians), say nothing.
_SAME, _STRAIGHT = 0.05, 1e-6


def polygons_of(model: Any) -> list[F64]:
    """Return the polygons of a model's S_REGION, each (n, 2): RA, Dec in degrees.

    Raises
    ------
    InputError
        If there is none, or no polygon in it.
    """
    text = getattr(getattr(model.meta, "wcsinfo", None), "s_region", None)  # not all products have a place
    found = [
        np.array(numbers.split(), float).reshape(-1, 2)
        for numbers in re.findall(r"POLYGON\s+ICRS\s+([-+\d.eE\s]+)", text or "")
        if len(numbers.split()) % 2 == 0
    ]
    if not found:
        raise InputError(
            f"{model.meta.filename or type(model).__name__}: no footprint on the sky (S_REGION is {text!r}); "
            "give an exposure on which assign_wcs has run"
        )
    return found


def outline(polygons: Sequence[F64], wcs: Any, shape: tuple[int, int] | None) -> str | None:
    """Return, as S_REGION, the union of polygons within the pixels of an image; None if it is empty.

    Parameters
    ----------
    polygons : sequence of (n, 2) arrays
        RA, Dec in degrees.
    wcs : gwcs.WCS
        That of the image: without distortion, so that lines stay lines.
    shape : tuple of int or None
        Rows and columns of the image; None for all of the plane.
    """
    import shapely

    flat = [np.array(wcs.invert(*polygon.T, with_bounding_box=False)).T for polygon in polygons]
    union = shapely.union_all([shapely.make_valid(shapely.Polygon(p)) for p in flat])
    whole = union
    if shape is not None:
        whole = shapely.intersection(union, shapely.box(-0.5, -0.5, shape[1] - 0.5, shape[0] - 0.5))
    parts = [part for part in getattr(whole, "geoms", [whole]) if part.geom_type == "Polygon" and part.area]
    if not parts:
        log.warning("the input footprints do not overlap with the output image; S_REGION is left out")
        return None
    texts = []
    for part in parts:
        corners = _significant(np.array(part.exterior.coords)[:-1])
        sky = np.array(wcs(*corners.T, with_bounding_box=False)).T
        texts.append("POLYGON ICRS  " + " ".join(f"{a:.9f} {b:.9f}" for a, b in sky))
    return "  ".join(texts)


def _significant(corners: F64) -> F64:
    """Return the vertices of a polygon that are neither repeated nor on a straight side."""
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    same = (np.abs(before) < _SAME).all(axis=1)
    turn = np.arctan2(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0], np.sum(before * after, axis=1))
    kept: F64 = corners[~same & (np.abs(turn) > _STRAIGHT)]
    return kept
