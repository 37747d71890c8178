"""Arrays of an image, or of a spectrum, converted to physical units."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.exposure.images import by_bands
from webbcal.kernels.images.arithmetic import DO_NOT_USE, convert_units

F64 = NDArray[np.float64]

#: MJy/sr in µJy/arcsec².
MJSR_TO_UJA2 = 1e12 * (math.pi / 180.0 / 3600.0) ** 2


def convert(
    item: Any, factor: np.floating, response: F64 | None, inverse: bool, threads: int, unit: str = "MJy/sr"
) -> None:
    """Convert the arrays of a model or slit from DN/s, in place, and say so in its metadata.

    Parameters
    ----------
    item : DataModel or slit
    factor : float32 or float64
        From DN/s to the unit; its type is the precision of the arithmetic.
    response : (rows, columns) float64, optional
        What it is multiplied by, pixel by pixel. NaN: there is no calibration, and the pixel is not used.
    inverse : bool
        Whether to convert back.
    threads : int
    unit : str
    """
    image = arrays_of(item, threads)
    factors = factor if response is None else factor * response

    def work(box: Box) -> None:
        part, here = image.rows(box.y0, box.y1), np.asarray(factors)
        if response is not None:
            here = here[box.y0 : box.y1]
            part.dq[..., np.isnan(here)] |= DO_NOT_USE
        convert_units(part, here[()], inverse)

    by_bands(image.data.shape, work, threads)
    item.meta.bunit_data = item.meta.bunit_err = "DN/s" if inverse else unit


def note_factor(item: Any, factor: np.floating) -> None:
    """Set the keywords of the conversion factor (without the response)."""
    photometry = item.meta.photometry
    photometry.conversion_megajanskys = float(factor)
    photometry.conversion_microjanskys = float(factor * factor.dtype.type(MJSR_TO_UJA2))
