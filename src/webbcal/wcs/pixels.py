"""What a WCS says of all pixels of an image or a slit: evaluated once, for whoever needs it."""

from __future__ import annotations

from math import ceil, floor
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from webbcal.core.box import Box
from webbcal.wcs.kinds.kind import F64

#: Pixels that are worked on at once.
_BLOCK = 1 << 20


class PixelsToWorld(Protocol):
    """A WCS: a `TreeWCS` or a `gwcs.WCS`."""

    def __call__(self, *pixels: ArrayLike) -> tuple[F64, ...]:
        """Return world coordinates of 0-based pixels."""


def world_map(wcs: PixelsToWorld, shape: tuple[int, ...], *fixed: float) -> tuple[F64, ...]:
    """Return the world coordinates of all pixel centres, each of the shape (rows, columns).

    Parameters
    ----------
    wcs : TreeWCS or gwcs.WCS
    shape : (rows, columns)
    *fixed
        Further inputs that are the same for all pixels: the spectral order of SOSS.

    Returns
    -------
    tuple of ndarray
        float64; RA and Dec (degrees), wavelength (µm) … NaN outside the WCS's bounding box.
    """
    box = _box(wcs, shape)
    rows = max(1, _BLOCK // max(box.x1 - box.x0, 1))
    whole: tuple[F64, ...] = ()
    for start in range(box.y0, box.y1, rows):
        end = min(start + rows, box.y1)
        y, x = np.mgrid[start:end, box.x0 : box.x1].astype(float)
        found = wcs(x, y, *fixed)
        whole = whole or tuple(np.full(shape, np.nan) for _ in found)
        for target, values in zip(whole, found, strict=True):
            target[start:end, box.x0 : box.x1] = values
    return whole or tuple(np.full(shape, np.nan) for _ in wcs(np.nan, np.nan, *fixed))


def _box(wcs: PixelsToWorld, shape: tuple[int, ...]) -> Box:
    """Return the pixels that are in the bounding box of a WCS, if that is the same whatever is fixed."""
    ny, nx = shape
    bounds = getattr(wcs, "bounding_box", None)
    if not isinstance(bounds, tuple) or len(bounds) != 2:
        return Box(0, ny, 0, nx)
    (x0, x1), (y0, y1) = ((max(a, 0), min(b, n - 1)) for (a, b), n in zip(bounds, (nx, ny), strict=True))
    return Box(ceil(y0), max(floor(y1) + 1, ceil(y0)), ceil(x0), max(floor(x1) + 1, ceil(x0)))


def wavelengths(wcs: PixelsToWorld, shape: tuple[int, ...], *fixed: float) -> F64:
    """Return the wavelengths (µm) of all pixel centres, float64; see `world_map`."""
    return world_map(wcs, shape, *fixed)[2]
