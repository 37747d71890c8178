"""Comparing an image with the median of all, interpolated back to its pixels; flags where it deviates."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.combine.mosaic.inputs import InputImage
from webbcal.combine.outliers.expected import Expected
from webbcal.core.dqflags import pixel
from webbcal.datamodels.image_arrays import arrays_of
from webbcal.kernels.images.arithmetic import match_invalid
from webbcal.kernels.outliers.settings import Thresholds

outliers = kernels.get("outliers")
log = logging.getLogger(__name__)

F32 = NDArray[np.float32]

OUTLIER = np.uint32(pixel["OUTLIER"] | pixel["DO_NOT_USE"])
#: Rows whose positions are held at a time.
_ROWS = 256


def blot(median: F32, image: InputImage) -> F32:
    """Return the median image, interpolated linearly at the pixels of an image; NaN where it does not reach.

    Parameters
    ----------
    median : (ny, nx) float32
        On the output grid.
    image : InputImage
        Knows where its pixels lie there.
    """
    from drizzle.resample import blot_image

    result = np.full(image.shape, np.nan, np.float32)
    for band in image.box.bands(_ROWS):
        places = np.nan_to_num(np.dstack(image.map(band)), copy=False, nan=-1.0)  # outside of the median
        result[band.slices] = blot_image(median, places, fillval=np.nan, iscale=1.0, interp="linear")
    return result


def flag(model: Any, expected: Expected, thresholds: Thresholds, aligned: bool) -> int:
    """Flag the outliers of a model, in place; return their number.

    Pixels without a value in any array are made the same in all: NaN and DO_NOT_USE.

    Parameters
    ----------
    model : ImageModel
    expected : Expected
        What its pixels should be; its error, if it has one, stands for that of the model.
    thresholds : Thresholds
    aligned : bool
        Whether `expected` was not resampled, so that nothing is allowed for slopes.

    Raises
    ------
    InputError
        If an array of the model has another shape than its data.
    """
    image = arrays_of(model, threads=1)
    error = image.err if expected.error is None else expected.error
    if aligned:
        found = outliers.find_aligned(image.data, error, expected.data, thresholds.snr[0])
    else:
        found = outliers.find(image.data, error, expected.data, thresholds)
    image.dq[found] |= OUTLIER
    match_invalid(image)
    return int(np.count_nonzero(found))


def background_of(model: Any, given: float) -> float:
    """Return the background that an image still has and the median has not, or the one given."""
    background = model.meta.background
    if background.subtracted is False and background.level is not None:
        return float(background.level)
    return given
