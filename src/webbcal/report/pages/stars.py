"""Where each exposure has the stars of a mosaic's catalogue: how well the exposures are aligned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core import dqflags
from webbcal.report.pages.members import MemberAccount

_UNUSABLE = np.uint32(dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["SATURATED"])
_MOST = 150  # stars
_HALF = 4  # pixels: half the side of what is cut out around a star
_WINDOW = 1.2  # pixels: sigma of the window that is put on a star
_ROUNDS = 8


@dataclass(frozen=True)
class Displacements:
    """How far an exposure has stars from where the catalogue has them.

    Attributes
    ----------
    exposure : int
        Its position in the list.
    east, north : (n,) float64
        mas.
    """

    exposure: int
    east: np.ndarray
    north: np.ndarray

    @property
    def medians(self) -> tuple[float, float]:
        """Medians, east and north."""
        return float(np.median(self.east)), float(np.median(self.north))

    @property
    def scatter(self) -> float:
        """Standard deviation on an axis about the medians, which outliers do not move."""
        rest = np.concatenate([self.east - self.medians[0], self.north - self.medians[1]])
        return 1.4826 * float(np.median(np.abs(rest)))


def displacements_of(members: Sequence[MemberAccount], catalog: Path) -> list[Displacements]:
    """Return how far exposures have the stars from where the catalogue of their mosaic has them.

    The brightest point sources are looked up in each exposure, and their centroids, under a window, are put
    on the sky by its WCS. Those with bad or saturated pixels near their centre are left out.

    Parameters
    ----------
    members : sequence of MemberAccount
    catalog : Path
        Catalogue of `source_catalog` (ECSV). None are returned if it is not there or has no positions.
    """
    stars = _stars(catalog)
    if not len(stars):
        return []
    found = [_displacements(k, member, stars) for k, member in enumerate(members)]
    return [one for one in found if one is not None and len(one.east) > 2]


def _stars(catalog: Path) -> np.ndarray:
    """Return RA and Dec (degrees) of the brightest point sources."""
    from astropy.table import QTable

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = QTable.read(catalog, format="ascii.ecsv")
        place, flux = table["sky_centroid"].icrs, np.asarray(table["aper_total_flux"], float)
        point = ~np.asarray(table["is_extended"], bool) & np.isfinite(flux)
    except Exception:  # not there, or another table: astropy raises whatever its parts raise
        return np.zeros((0, 2))
    order = np.flatnonzero(point)[np.argsort(-flux[point])][:_MOST]
    return np.stack([place.ra.deg[order], place.dec.deg[order]], axis=1)


def _displacements(number: int, member: MemberAccount, stars: np.ndarray) -> Displacements | None:
    if member.coarse is None:
        return None
    wcs = member.coarse.wcs
    x, y, *_ = wcs.invert(stars[:, 0], stars[:, 1], with_bounding_box=False)
    with datamodels.open(member.path) as model:
        centres = [_centre(model, x0, y0) for x0, y0 in zip(x, y, strict=True)]
    kept = np.array([centre is not None for centre in centres], bool)
    if not kept.any():
        return None
    places = np.array([centre for centre in centres if centre is not None])
    ra, dec, *_ = wcs(places[:, 0], places[:, 1], with_bounding_box=False)
    east = (ra - stars[kept, 0]) * np.cos(np.radians(stars[kept, 1])) * 3.6e6
    return Displacements(number, east, (dec - stars[kept, 1]) * 3.6e6)


def _centre(model: Any, x0: float, y0: float) -> tuple[float, float] | None:
    """Return the centroid (0-based) of the star near a pixel, or None if its pixels cannot be used."""
    ny, nx = model.shape
    if not (np.isfinite(x0) and np.isfinite(y0)):
        return None
    column, row = round(float(x0)), round(float(y0))
    if not (_HALF <= column < nx - _HALF and _HALF <= row < ny - _HALF):
        return None
    part = (slice(row - _HALF, row + _HALF + 1), slice(column - _HALF, column + _HALF + 1))
    image = model.source("data").read(*part).astype(np.float64)
    flags = model.source("dq")
    core = (slice(_HALF - 2, _HALF + 3),) * 2
    if flags is not None and (flags.read(*part)[core].astype(np.uint32) & _UNUSABLE).any():
        return None
    if not np.isfinite(image[core]).all():
        return None
    found = centroid(np.nan_to_num(image - np.nanmedian(image)))
    return None if found is None else (column + found[0], row + found[1])


def centroid(image: np.ndarray) -> tuple[float, float] | None:
    """Return the centroid of a star from the middle of a square image (x, y), under a Gaussian window.

    The window is moved until the weighted mean is its centre; for a symmetric star that is the star's. The
    step is twice the offset of the mean, which lies half-way for a star as wide as the window.

    Parameters
    ----------
    image : (n, n) float64
        Odd `n`; the background is subtracted.
    """
    half = image.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
    cx = cy = 0.0
    for _ in range(_ROUNDS):
        weight = image * np.exp(-0.5 * ((x - cx) ** 2 + (y - cy) ** 2) / _WINDOW**2)
        total = weight.sum()
        if not total > 0:
            return None
        cx += 2 * float((weight * (x - cx)).sum() / total)
        cy += 2 * float((weight * (y - cy)).sum() / total)
        if max(abs(cx), abs(cy)) > 2:
            return None
    return cx, cy
