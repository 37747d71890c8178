"""From fluxes to magnitudes."""

from __future__ import annotations

import numpy as np

#: AB magnitude of 1 Jy, rounded as the field has it (Oke & Gunn 1983, ApJ 266, 713: 8.900).
AB_ZERO = 8.9


def abmag_of(flux: np.ndarray, err: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return AB magnitudes and their errors of fluxes in Jy; NaN for negative fluxes.

    The error is the change of the magnitude when the flux grows by its error. It is NaN if no flux has one.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        magnitude = -2.5 * np.log10(flux) + AB_ZERO
        error = 2.5 * np.log10(1.0 + err / flux)
    if np.all(np.isnan(err)):
        error = np.full_like(magnitude, np.nan)
    magnitude[flux < 0] = np.nan
    error[flux < 0] = np.nan
    return magnitude, error
