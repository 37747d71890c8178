"""What the slit of LRS stops of a star, by where the star is, at the wavelengths of pixels.

The reference has, for each wavelength, an image of factors against the offset of the star from the middle of
the slit (pixels). It is interpolated linearly in place and in wavelength.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.wcs.of_model import wcs_of
from webbcal.wcs.slit import reference_pixel, slit_scale

log = logging.getLogger(__name__)

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def slit_factors(model: Any, reference: Any, wavelengths: NDArray[np.floating], offset: float | None) -> F32:
    """Return the factors that make up for what the slit stops.

    Parameters
    ----------
    model : DataModel
        A spectrum of LRS, with its WCS and the position of its source.
    reference : Reference
    wavelengths : (rows, columns)
        µm.
    offset : float, optional
        Where the star is across the slit, arcsec from where it is taken to be.

    Returns
    -------
    (rows, columns) float32
        NaN beyond the wavelengths of the reference.

    Raises
    ------
    InputError
        If the position of the source is not known.
    ReferenceFileError
        If the reference has no table of factors.
    """
    table = getattr(reference.model, "pathloss_table", None)
    if table is None or "pathloss" not in table.dtype.names:
        raise ReferenceFileError(
            f"{reference.name} has no table of losses by place (PATHLOSS extension); check the file, or give "
            "another with override_pathloss"
        )
    x, y = source_offset(model)
    if offset is not None:
        y += offset / (3600.0 * slit_scale(wcs_of(model), 1, reference_pixel(model)))
    log.info("the source is %.3f, %.3f pixels from the middle of the slit", x, y)
    factors = at_place(table["pathloss"], reference.model.meta.wcsinfo, x, y)
    if factors is None:
        log.warning(
            "%s: the source is outside of the slit; it is taken to be in its middle", model.meta.filename
        )
        factors = at_place(table["pathloss"], reference.model.meta.wcsinfo, 0.0, 0.0)
    if factors is None:
        raise ReferenceFileError(
            f"{reference.name}: its images do not hold the middle of the slit; check CRPIX, CRVAL and CDELT"
        )
    return at_wavelengths(table["wavelength"], factors, wavelengths)


def source_offset(model: Any) -> tuple[float, float]:
    """Return how far the source is from the reference position of the slit: along and across, pixels.

    Raises
    ------
    InputError
        If neither its pixel nor its RA and Dec are known.
    """
    x0, y0 = reference_pixel(model)
    x, y = (model.source_xpos, model.source_ypos) if model.has("source_xpos") else (None, None)
    if x is None or y is None:
        target = model.meta.target
        if target.ra is None or target.dec is None:
            raise InputError(
                f"{model.meta.filename}: the place of its source is not known; set TARG_RA and TARG_DEC"
            )
        wcs = wcs_of(model)
        middle = wcs(x0, y0, with_bounding_box=False)[2]
        x, y = wcs.invert(target.ra, target.dec, middle, with_bounding_box=False)
    return float(x) - x0, float(y) - y0


def at_place(images: NDArray[np.floating], info: Any, x: float, y: float) -> F64 | None:
    """Return the values of all images at a place, interpolated linearly; None outside.

    Parameters
    ----------
    images : (n, rows, columns)
    info : node
        FITS keywords of the axes: crpix1, crval1, cdelt1 … 1-based.
    x, y : float
        In the coordinates of those keywords.
    """
    column = info.crpix1 + (x - info.crval1) / info.cdelt1 - 1
    row = info.crpix2 + (y - info.crval2) / info.cdelt2 - 1
    _, rows, columns = images.shape
    if not (0 <= column < columns - 1 and 0 <= row < rows - 1):
        return None
    i, j = int(row), int(column)
    v, u = row - i, column - j
    below = (1 - u) * images[:, i, j].astype(float) + u * images[:, i, j + 1]
    above = (1 - u) * images[:, i + 1, j].astype(float) + u * images[:, i + 1, j + 1]
    found: F64 = (1 - v) * below + v * above
    return found


def at_wavelengths(points: NDArray[np.floating], values: F64, wavelengths: NDArray[np.floating]) -> F32:
    """Return values interpolated linearly at some wavelengths; NaN outside, and at the least point."""
    order = np.argsort(points)
    points, values = points[order].astype(float), values[order]
    found = np.interp(wavelengths, points, values, left=np.nan, right=np.nan)
    return np.where(wavelengths > points[0], found, np.nan).astype(np.float32)
