"""Bad pixels of a spectrum, estimated from the profiles beside theirs: the readable definition.

A *profile* is what pixels have along the slit at one place of the dispersion. For a profile with bad pixels,
the profiles beside it are divided by their greatest absolute value; their median is scaled to the profile,
and says what the bad pixels should be. Errors go the same way.

The scale makes the mean square of the differences of absolute values least. It is found by the method of
J. A. Nelder and R. Mead, "A Simplex Method for Function Minimization", The Computer Journal 7 (1965), 308, as
scipy has it, to 1e-4, in single precision: its steps are part of the result.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U32 = NDArray[np.uint32]

DO_NOT_USE, NON_SCIENCE = np.uint32(1), np.uint32(512)
#: Profiles that are nowhere more than so many errors are not normalised.
FAINT = np.float32(5)
#: Values that are too large to be fitted.
HUGE = np.float32(1e20)


def fit_profiles(data: F32, errors: F32, dq: U32, neighbours: int) -> NDArray[np.bool_]:
    """Estimate the bad pixels of a spectrum, in place.

    Parameters
    ----------
    data : (profiles, pixels) float32
        Bad pixels whose estimate is NaN become NaN.
    errors : (k, profiles, pixels) float32
        Standard deviations; the first are those of the data.
    dq : (profiles, pixels) uint32
        Pixels with DO_NOT_USE are bad. Those with NON_SCIENCE also are left alone. It is not changed.
    neighbours : int
        How many profiles on each side are looked at.

    Returns
    -------
    (profiles, pixels) bool
        Which pixels got an estimate that is a number.
    """
    replaced = np.zeros(data.shape, bool)
    bad = (dq & DO_NOT_USE) != 0
    outside = (dq & NON_SCIENCE) != 0
    if bad.all():
        return replaced
    (first, last), (low, high) = (_extent(~bad.all(axis=axis)) for axis in (1, 0))
    cut = slice(low, high)
    usable = ~(bad | outside)[:, cut].all(axis=1)
    for n in range(first, last):
        wanted = bad[n, cut] & ~outside[n, cut]
        beside = [m for m in range(max(first, n - neighbours), min(last, n + neighbours + 1))
                  if m != n and usable[m]]  # fmt: skip
        if not (usable[n] and wanted.any() and beside):
            continue
        profile, spread, normalised = _median_profile(data, errors, bad, beside, cut)
        own = np.where(bad[n, cut], np.float32(np.nan), data[n, cut])
        good = ~np.isnan(own)
        if not good.any():
            continue
        scale, factor = _scale(profile[good], own[good], normalised)
        estimate = profile * scale * factor
        data[n, cut] = np.where(wanted, estimate, own)
        replaced[n, cut] = wanted & ~np.isnan(estimate)
        for k, deviation in enumerate(spread):
            errors[k, n, cut] = np.where(wanted, deviation * scale * factor, errors[k, n, cut])
    return replaced


def _extent(known: NDArray[np.bool_]) -> tuple[int, int]:
    where = np.flatnonzero(known)
    return int(where[0]), int(where[-1]) + 1


def _median_profile(
    data: F32, errors: F32, bad: NDArray[np.bool_], beside: list[int], cut: slice
) -> tuple[F32, F32, bool]:
    """Return the median profile, those of the errors, and whether profiles were normalised."""
    hidden = bad[beside, cut]
    values = np.where(hidden, np.float32(np.nan), data[beside, cut])
    deviations = np.where(hidden, np.float32(np.nan), errors[:, beside, cut])
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        scales = np.nanmax(np.abs(values), axis=1, keepdims=True)
        if np.nanmax(np.abs(values / deviations[0])) < FAINT:
            scales[:] = 1
        normalised = bool(np.nanmedian(scales) != 1)
        return (
            np.nanmedian(values / scales, axis=0),
            np.nanmedian(deviations / scales, axis=1),
            normalised,
        )


def _scale(profile: F32, own: F32, normalised: bool) -> tuple[np.float32, np.float32]:
    """Return the two numbers whose product brings the median profile to a profile."""
    one = np.float32(1)
    greatest = np.max(own)
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        relative = own / greatest
        tame = np.nanmax(np.abs(profile)) < HUGE and np.nanmax(np.abs(relative)) < HUGE
        start = np.abs(np.nanmax(relative))
    if not (normalised and tame):
        return one, one
    from scipy.optimize import minimize

    goal, model = np.abs(relative), np.abs(profile)
    known = np.float64(len(model) - np.count_nonzero(np.isnan(goal)))
    found = minimize(
        lambda scale: np.nansum((goal - model * scale) ** 2.0) / known, x0=start, method="Nelder-Mead"
    )  # fmt: skip
    return np.float32(found.x[0]), np.float32(greatest)
