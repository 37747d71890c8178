"""Where the spectra of sources fall on a grism exposure: a box for each source and spectral order.

The corners of a source's box on the sky are taken to the dispersed image at the shortest and the longest
wavelength of an order; what holds all of these is its box. That of a point source has a fixed width across
the dispersion, around the middle of the trace.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.core.errors import InputError
from webbcal.core.wording import a_or_an
from webbcal.exposure.geometry.sky_sources import F64, SkySources
from webbcal.exposure.geometry.spectral_orders import Ranges
from webbcal.wcs.grism_slits import grism_wcs

log = logging.getLogger(__name__)

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class GrismSource:
    """A source that has a spectrum on the detector.

    Attributes
    ----------
    label : int
        Its number in the catalogue.
    sky : tuple of float
        RA and Dec, degrees.
    centre : tuple of float
        Column and row (0-based) where it would be without the grism.
    extended : bool
    abmag : float
    boxes : mapping
        Spectral order -> pixels, which may reach beyond the detector.
    """

    label: int
    sky: tuple[float, float]
    centre: tuple[float, float]
    extended: bool
    abmag: float
    boxes: Mapping[int, Box]

    @classmethod
    def given(cls, thing: Any) -> GrismSource:
        """Return what a user has defined as a ``GrismObject`` of jwst.

        Raises
        ------
        InputError
            If it does not have what that has.
        """
        try:
            boxes = {
                int(order): Box(_index(y[0]), _index(y[1]) + 1, _index(x[0]), _index(x[1]) + 1)
                for order, (y, x) in thing.order_bounding.items()
            }
            sky = thing.sky_centroid.icrs
            centre = float(thing.xcentroid), float(thing.ycentroid)
            abmag = float(np.nan if thing.isophotal_abmag is None else thing.isophotal_abmag)
            place = float(sky.ra.deg), float(sky.dec.deg)
            return cls(int(thing.sid), place, centre, bool(thing.is_extended), abmag, boxes)
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(
                f"grism_objects: {a_or_an(type(thing).__name__)} is no GrismObject ({error}); it needs sid, "
                "order_bounding, sky_centroid, xcentroid, ycentroid and is_extended"
            ) from None


def grism_sources(
    model: Any, sources: SkySources, ranges: Ranges, half_height: int | None, asked: bool = False
) -> list[GrismSource]:
    """Return the sources with a spectrum on the detector, the brightest first.

    Parameters
    ----------
    model : DataModel
        A grism exposure with its WCS.
    sources : SkySources
    ranges : mapping
        Wavelengths of the orders (µm).
    half_height : int or None
        Half width of the boxes of point sources across the dispersion, pixels; None: by their size.
    asked : bool
        Whether the user has asked for these sources: then what is off the detector is worth a warning.

    Raises
    ------
    InputError
        If the exposure has no WCS of a grism, or does not say along which axis it disperses.
    """
    wcs, axis, frame = grism_wcs(model), _dispersion_axis(model), _frame(model)
    ra, dec = sources.sky.T
    centre = wcs.between("world", "detector", ra, dec, np.ones_like(ra), np.ones_like(ra))[:2]
    found: list[dict[int, Box]] = [{} for _ in range(len(sources))]
    for order, wavelengths in ranges.items():
        extent = _extents(wcs, sources, order, wavelengths, axis, half_height)
        kept = _on_detector(extent, axis, frame)
        for n, (y0, y1, x0, x1) in enumerate(extent):
            if kept[n]:
                found[n][order] = Box(int(y0), int(y1) + 1, int(x0), int(x1) + 1)
            elif asked:
                log.warning("source %d, order %d, is off the detector", sources.label[n], order)
    seen = np.flatnonzero([bool(boxes) for boxes in found])
    return [_source(sources, n, centre, found) for n in seen[np.argsort(sources.abmag[seen])]]


def clipped(box: Box, shape: Sequence[int]) -> Box | None:
    """Return the part of a box on an array of this shape; None if that is but one line thick, or nothing."""
    rows, columns = shape[-2:]
    (y0, y1), (x0, x1) = (np.clip((box.y0, box.y1 - 1), 0, rows), np.clip((box.x0, box.x1 - 1), 0, columns))
    if y1 <= y0 or x1 <= x0:
        return None
    return Box(int(y0), min(int(y1) + 1, rows), int(x0), min(int(x1) + 1, columns))


def _source(
    sources: SkySources, n: int, centre: Sequence[F64], boxes: Sequence[dict[int, Box]]
) -> GrismSource:
    ra, dec = sources.sky[n]
    return GrismSource(
        int(sources.label[n]),
        (float(ra), float(dec)),
        (float(centre[0][n]), float(centre[1][n])),
        bool(sources.extended[n]),
        float(sources.abmag[n]),
        boxes[n],
    )


def _extents(
    wcs: Any, sources: SkySources, order: int, wavelengths: tuple[float, float], axis: int, half: int | None
) -> F64:
    """Return first and last row, first and last column of the spectra of sources, (n, 4); NaN: nowhere."""
    ra, dec = sources.corners[..., None, 0], sources.corners[..., None, 1]
    ends = np.broadcast_to(np.array(wavelengths), (len(sources), 4, 2))
    places = np.broadcast_arrays(ra, dec, ends, np.float64(order))
    x, y = (v.reshape(-1, 4 * len(wavelengths)) for v in wcs.between("world", "grism_detector", *places)[:2])
    least, most = np.fmin.reduce, np.fmax.reduce  # corners that the optics do not see are NaN
    extent = np.stack([least(y, axis=1), most(y, axis=1), least(x, axis=1), most(x, axis=1)], axis=1)
    if half is not None:
        across = 2 if axis == 2 else 0
        ra, dec = sources.sky.T
        places = np.broadcast_arrays(ra, dec, sum(wavelengths) / 2, np.float64(order))
        centre = wcs.between("world", "grism_detector", *places)[axis % 2]
        points = ~sources.extended
        extent[points, across], extent[points, across + 1] = centre[points] - half, centre[points] + half
    return np.floor(extent + 0.5)


def _on_detector(extent: F64, axis: int, frame: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which extents have at least two pixels along the dispersion on the detector, and one across."""
    (y0, y1, x0, x1), (rows, columns) = extent.T, frame
    along, across = ((x0, x1, columns), (y0, y1, rows)) if axis == 1 else ((y0, y1, rows), (x0, x1, columns))
    first, last, length = along
    kept = (last > 0) & (first < length - 1)
    first, last, length = across
    return kept & (last >= 0) & (first <= length - 1)


def _dispersion_axis(model: Any) -> int:
    axis = model.meta.wcsinfo.dispersion_direction
    if axis not in (1, 2):
        raise InputError(f"{model.meta.filename}: it does not say along which axis it disperses (DISPAXIS)")
    return int(axis)


def _frame(model: Any) -> tuple[int, int]:
    subarray, shape = model.meta.subarray, model.shape[-2:]
    return subarray.ysize or shape[0], subarray.xsize or shape[1]


def _index(value: float) -> int:
    return int(np.floor(value + 0.5))
