"""How much there is to combine: exposures, their pixels, and those of the mosaic, from the headers alone.

For the projection of memory. The run itself takes the pixel scale from the WCS, which is dear to load; here
it is that of the footprint, which differs by the distortion (below a percent on a side).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.combine.members.footprints import polygons_of
from webbcal.combine.members.output_wcs import GridSettings, middle_of
from webbcal.combine.members.sky_area import polygon_area
from webbcal.core.errors import InputError
from webbcal.core.modes import mode_of
from webbcal.datamodels.lists import ListModel, items_of
from webbcal.run.exposure import meta_value
from webbcal.run.planning import Sizes
from webbcal.wcs.keywords import ApertureKeywords
from webbcal.wcs.of_model import bounds_of, wcs_of

F64 = NDArray[np.float64]

#: The part of the detector that a slit has, where no WCS tells: that of MIRI LRS is a sixtieth.
_SLIT_SHARE = 0.05


def sizes_of(models: Sequence[Any], settings: GridSettings | None = None) -> Sizes:
    """Return how many exposures there are, the pixels of the largest, and about those of their mosaic.

    That of a spectrum in a slit (MIRI LRS) is the part of the detector that it has; many slits have none.
    """
    if isinstance(models[0], ListModel):
        return Sizes(len(models), max(map(_slit_pixels, models)), 0)
    pixels = max(int(np.prod(model.shape[-2:])) for model in models)
    mode = mode_of(models[0].meta.exposure.type)
    if mode.optics == "slit" and mode.has("prism"):
        return Sizes(len(models), pixels, _rectified(models[0], pixels))
    ny, nx = mosaic_shape(models, settings or GridSettings())
    return Sizes(len(models), pixels, ny * nx)


def _rectified(model: Any, pixels: int) -> int:
    """Return about how many pixels the rectified spectrum of a slit has: those where there is a WCS."""
    wcs = wcs_of(model)
    bounds = None if wcs is None else bounds_of(wcs)
    if bounds is None:
        return int(pixels * _SLIT_SHARE)
    return int(np.prod([high - low for low, high in bounds[:2]]))


def _slit_pixels(model: Any) -> int:
    return sum(int(np.prod(slit.shape)) for slit in items_of(model))


def describe(models: Sequence[Any]) -> str:
    """Return the exposures in one line."""
    more = f" and {len(models) - 1} more" if len(models) > 1 else ""
    words = [
        ", ".join(dict.fromkeys(str(meta_value(m, path)) for m in models))
        for path in ("meta.instrument.name", "meta.instrument.filter", "meta.exposure.type")
    ]
    return f"{models[0].meta.filename}{more}: {' '.join(words)}"


def mosaic_shape(models: Sequence[Any], settings: GridSettings) -> tuple[int, int]:
    """Return about how many rows and columns hold all footprints."""
    first = tuple(models[0].shape[-2:])
    if settings.output_shape is not None:
        return settings.output_shape[1], settings.output_shape[0]
    try:
        polygons = [polygon for model in models for polygon in polygons_of(model)]
        own = polygons_of(models[0])
        aperture = ApertureKeywords.of_model(models[0])
    except InputError:  # the run will say so, if no step before makes up for it
        return first
    scale = np.sqrt(sum(polygon_area(*polygon.T) for polygon in own) / (first[0] * first[1]))
    scale *= settings.pixel_scale_ratio
    if settings.pixel_scale is not None:
        scale = np.radians(settings.pixel_scale / 3600.0)
    roll = models[0].meta.wcsinfo.roll_ref or 0.0
    if settings.rotation is not None:
        roll = settings.rotation + aperture.vparity * aperture.v3yangle
    plane = _on_plane(np.vstack(polygons), settings.crval or middle_of(polygons)) / scale
    nx, ny = np.ptp(np.linalg.solve(aperture.pc_matrix(roll), plane), axis=1) + 1.0
    return int(ny), int(nx)


def _on_plane(positions: F64, centre: tuple[float, float]) -> F64:
    """Return positions (n, 2: RA, Dec in degrees) in the tangent plane at `centre`, (2, n) radians."""
    ra, dec = np.radians(positions).T
    ra0, dec0 = np.radians(centre)
    cosine = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    east = np.cos(dec) * np.sin(ra - ra0)
    north = np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)
    return np.array([east, north]) / np.maximum(cosine, 1e-3)  # what lies behind the plane is far away
