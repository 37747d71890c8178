"""Footprints on the sky: the S_REGION keyword."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from webbcal.wcs.of_model import bounded, bounds_of, wcs_of

log = logging.getLogger(__name__)


def s_region(corners: np.ndarray) -> str:
    """Return an STC-S polygon of corners (RA, Dec in degrees), shape (4, 2)."""
    return "POLYGON ICRS  " + " ".join(f"{value:.9f}" for value in np.asarray(corners).ravel())


def footprint(wcs: Any) -> np.ndarray:
    """Return RA (0 to 360) and Dec of the outer corners of a WCS's bounding box, shape (4, 2).

    The order is that of the field: from the origin of the pixel grid along y first.
    """
    bounds = bounds_of(wcs)
    assert bounds is not None
    (x0, x1), (y0, y1) = bounds
    x, y = np.array([x0, x0, x1, x1]), np.array([y0, y1, y1, y0])
    ra, dec = wcs(x, y, with_bounding_box=False)[:2]
    return np.array([np.mod(ra, 360.0), dec]).T


def update_s_region(model: Any) -> bool:
    """Set S_REGION from the model's WCS; False (and a warning) if the corners have no sky position."""
    corners = footprint(bounded(wcs_of(model), model.shape))
    if not np.isfinite(corners).all():
        log.warning("%s: S_REGION not updated: corners without sky position", model.meta.filename)
        return False
    model.meta.wcsinfo.s_region = s_region(corners)
    return True
