"""Bad pixels replaced by a model of the trace (TRACEMODEL)."""

from __future__ import annotations

import numpy as np

from webbcal.core.image_arrays import F32
from webbcal.exposure.repair.spectrum import DO_NOT_USE, FLUX_ESTIMATED, Spectrum2D


def replace_by_trace(spectrum: Spectrum2D, trace: F32, dispersion: int) -> int:
    """Replace the pixels without a value that the model knows, in place; return how many.

    Errors are interpolated along the dispersion; variances as their roots.

    Parameters
    ----------
    spectrum : Spectrum2D
    trace : (rows, columns) float32
    dispersion : int
        1: dispersed along rows; 2: along columns.
    """
    known = ~np.isfinite(spectrum.data) & np.isfinite(trace)
    if not known.any():
        return 0
    spectrum.data[known] = trace[known]
    spectrum.dq[known] = (spectrum.dq[known] & ~DO_NOT_USE) | FLUX_ESTIMATED
    _interpolate(spectrum.err, known, dispersion)
    for variance in spectrum.variances:
        with np.errstate(invalid="ignore"):
            deviation = np.sqrt(variance)
        _interpolate(deviation, known, dispersion)
        variance[known] = deviation[known] ** 2
    return int(np.count_nonzero(known))


def _interpolate(array: F32, wanted: np.ndarray, dispersion: int) -> None:
    """Replace values by those on both sides along the dispersion, in place."""
    lines, places = (array, wanted) if dispersion == 1 else (array.T, wanted.T)
    for k in np.flatnonzero(places.any(axis=1)):
        lines[k, places[k]] = np.nan
        good = np.flatnonzero(np.isfinite(lines[k]))
        if len(good):
            lines[k, places[k]] = np.interp(np.flatnonzero(places[k]), good, lines[k, good])
