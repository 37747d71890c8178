"""What comes out of an extraction, whatever its method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


class Extracted(NamedTuple):
    """Sums over the pixels of a source, for each column, in units of the image.

    Attributes
    ----------
    flux : (columns,) float64
        NaN where there are no pixels.
    variances : (3, columns) float64
        Of Poisson noise, read noise and flat field.
    background : (columns,) float64
        What was subtracted.
    background_variances : (3, columns) float64
    npixels : (columns,) float64
        Weights of the pixels.
    """

    flux: F64
    variances: F64
    background: F64
    background_variances: F64
    npixels: F64
