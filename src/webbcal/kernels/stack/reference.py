"""The median of a stack of images: the readable definition."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def nanmedian(stack: F32) -> F32:
    """Return the median along the first axis of what is not NaN; NaN where all is.

    Of an even number of values it is the mean of the two in the middle, in single precision.

    Parameters
    ----------
    stack : (n, ny, nx) float32

    Returns
    -------
    (ny, nx) float32
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        median: F32 = np.nanmedian(stack, axis=0)
    return median
