"""Sigma clipping of a stack: the readable definition.

The rule is that of `astropy.stats.sigma_clip` with its defaults: limits are the median plus and minus a
multiple of the standard deviation (about the mean) of what is left; values beyond are dropped until none is,
or `maxiters` times. What counts in the end are the last limits, for all values: one dropped on the way comes
back if the last limits include it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def clip(stack: F64, sigma: float, maxiters: int | None) -> NDArray[np.bool_]:
    """Return which values of a stack remain.

    Parameters
    ----------
    stack : (n, …) float64
        Measurements along the first axis; NaN and infinity never remain.
    sigma : float
        Distance of the limits from the median, in standard deviations.
    maxiters : int or None
        Rounds of clipping at most; None: until nothing changes.

    Returns
    -------
    (n, …) bool
    """
    kept = np.zeros(stack.shape, bool)
    for pixel in np.ndindex(stack.shape[1:]):
        where = (slice(None), *pixel)
        values = stack[where]
        lower, upper = _limits(values[np.isfinite(values)], sigma, maxiters)
        kept[where] = np.isfinite(values) & (values >= lower) & (values <= upper)
    return kept


def _limits(values: F64, sigma: float, maxiters: int | None) -> tuple[float, float]:
    lower, upper = -np.inf, np.inf
    rounds = 0
    while len(values) and (maxiters is None or rounds <= maxiters - 1):
        centre, spread = np.median(values), np.std(values)
        lower, upper = centre - sigma * spread, centre + sigma * spread
        remaining = values[(values >= lower) & (values <= upper)]
        if len(remaining) == len(values):
            break
        values, rounds = remaining, rounds + 1
    return lower, upper
