"""Charge traps: how they fill while a pixel is exposed, and what they give back later.

Traps near the junction of a pixel become accessible as it fills with charge. They catch carriers while it is
exposed, some at once and some with a time constant, and give them back long after the reset: that is
persistence (Smith et al. 2008, Proc. SPIE 7021, 70210J; Leisenring et al. 2016, Proc. SPIE 9915, 99152N). The
model is that of M. Regan, which `jwst` had before its version 2 and described in its documentation
("persistence: description"). Traps come in families, each with a table of parameters (TRAPPARS):

- release: of N filled traps, N (1 - exp(-t |decay|)) give their charge back within a time t;
- a ramp that grows evenly by s (in parts of the signal at which persistence saturates, a second) for a time t
  fills 2 D s² [t² (p0 + p2) / 2 + p0 (t τ + τ²) exp(-t / τ) - p0 τ²] traps, where D is the density of traps,
  p0 (capture0) those that fill with the time constant τ = 1 / |capture1|, and p2 (capture2) those that fill
  at once;
- above that signal the empty ones fill with τ;
- a particle fills 2 D j [p0 (1 - exp(-t / τ)) + p2] in the time t that is left of the integration.

Signals j of particles are measured in DN; here they count, as slopes do, in parts of the signal at which
persistence saturates. (The documentation leaves them in DN, so that a particle of 1 DN would fill as many
traps as two pixels at the full well. `jwst` ran this step before it knew of particles, and never met any.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal.core.dqflags import group as DQ

Plane = NDArray[np.float64]


@dataclass(frozen=True)
class TrapFamilies:
    """Parameters of families of traps; arrays of one value for each.

    Attributes
    ----------
    slow, instant : ndarray
        Traps, in DN, that fill with a time constant (capture0) and at once (capture2) in a pixel of normal
        density.
    capture_rate, release_rate : ndarray
        1/s, positive.
    """

    slow: NDArray[np.float64]
    instant: NDArray[np.float64]
    capture_rate: NDArray[np.float64]
    release_rate: NDArray[np.float64]

    @classmethod
    def of_columns(
        cls,
        capture0: NDArray[np.float64],
        capture1: NDArray[np.float64],
        capture2: NDArray[np.float64],
        decay_param: NDArray[np.float64],
    ) -> TrapFamilies:
        """Return the families of the columns of a TRAPPARS table (rates are stored as negative numbers)."""
        return cls(
            *(np.asarray(a, float) for a in (capture0, capture2, np.abs(capture1), np.abs(decay_param)))
        )

    def __len__(self) -> int:
        return len(self.slow)

    def released(self, filled: NDArray[np.floating], seconds: float) -> NDArray[np.floating]:
        """Return how many of the filled traps (families, rows, columns) give their charge back in a time."""
        share = -np.expm1(-self.release_rate * seconds)
        return filled * share.astype(filled.dtype)[:, None, None]


@dataclass(frozen=True)
class TrapPixels:
    """Maps of a box of pixels, (rows, columns).

    Attributes
    ----------
    density : ndarray
        Relative density of traps (TRAPDENSITY); 0 where it is not known.
    limit : ndarray
        Signal (DN) at which persistence saturates (PERSAT).
    no_limit : ndarray of bool
        Where that is not known: such a pixel captures by particles only.
    """

    density: Plane
    limit: Plane
    no_limit: NDArray[np.bool_]

    @classmethod
    def of_references(
        cls,
        density: NDArray[np.float32],
        density_dq: NDArray[np.uint32],
        limit: NDArray[np.float32],
        limit_dq: NDArray[np.uint32],
    ) -> TrapPixels:
        """Return the maps without what the references call bad."""
        bad = (density_dq & np.uint32(DQ["DO_NOT_USE"]) != 0) | ~np.isfinite(density)
        unknown = (limit_dq & np.uint32(DQ["DO_NOT_USE"]) != 0) | ~(limit > 0)  # NaN, too
        return cls(
            np.where(bad, 0.0, density).astype(float), np.where(unknown, 1.0, limit).astype(float), unknown
        )


@dataclass(frozen=True)
class IntegrationTimes:
    """Seconds: between groups, and of the resets before an integration."""

    group: float
    reset: float


def release(
    data: NDArray[np.float32], filled: Plane, families: TrapFamilies, seconds: float
) -> NDArray[np.float32]:
    """Subtract from an integration what traps give back during its groups.

    Parameters
    ----------
    data : ndarray
        One integration, (groups, rows, columns), DN; changed in place.
    filled : ndarray
        Filled traps at its start, (families, rows, columns), DN; at its end afterwards.
    families : TrapFamilies
    seconds : float
        Between groups.

    Returns
    -------
    ndarray
        What was subtracted, float32, (groups, rows, columns).
    """
    share = -np.expm1(-families.release_rate * seconds)
    subtracted = np.empty_like(data)
    total = np.zeros(data.shape[1:])
    for group in range(len(data)):
        for traps, part in zip(filled, share, strict=True):
            given = traps * part
            traps -= given
            total += given
        subtracted[group] = total
    data -= subtracted
    return subtracted


def capture(
    data: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    pixels: TrapPixels,
    families: TrapFamilies,
    times: IntegrationTimes,
) -> Plane:
    """Return how many traps an integration fills, (families, rows, columns), DN.

    Parameters
    ----------
    data, groupdq : ndarray
        One integration, (groups, rows, columns): DN and flags, with what traps have given back.
    pixels : TrapPixels
    families : TrapFamilies
    times : IntegrationTimes
    """
    growth = np.where(pixels.no_limit, 0.0, mean_growth(data, groupdq))
    slope = growth / (pixels.limit * times.group)
    above = ((data > pixels.limit) & ~pixels.no_limit).sum(axis=0) * times.group
    exposed = len(data) * times.group + times.reset - above
    filled = np.empty((len(families), *pixels.density.shape))
    hits = _particles(data, groupdq, growth)
    for k in range(len(families)):
        slow, instant = pixels.density * families.slow[k], pixels.density * families.instant[k]
        filled[k] = _by_ramp(slow, instant, families.capture_rate[k], slope, exposed)
        full = above > 0
        filled[k][full] = _by_saturation(
            slow[full],
            instant[full],
            families.capture_rate[k],
            filled[k][full],
            above[full],
            above[full] >= len(data) * times.group,
        )
        for y, x, jump, groups_left in hits:
            left = (groups_left - 0.5) * times.group
            part = -np.expm1(-families.capture_rate[k] * left)
            filled[k][y, x] += 2.0 * jump / pixels.limit[y, x] * (slow[y, x] * part + instant[y, x])
    return filled


def mean_growth(data: NDArray[np.float32], groupdq: NDArray[np.uint8]) -> Plane:
    """Return the mean difference of groups (DN) without those to jumps and saturated groups, (rows, columns).

    Of a single group it is its signal. Where no difference is good it is 0.
    """
    if len(data) == 1:
        return data[0].astype(float)
    ignored = np.uint8(DQ["JUMP_DET"] | DQ["SATURATED"])
    good = (groupdq[1:] & ignored) == 0
    total = np.zeros(data.shape[1:])
    for before, after, use in zip(data, data[1:], good, strict=False):
        np.add(total, after - before, out=total, where=use)
    return total / np.maximum(good.sum(axis=0), 1)


def _by_ramp(slow: Plane, instant: Plane, rate: float, slope: Plane, seconds: Plane) -> Plane:
    """Traps that an evenly growing ramp fills."""
    if rate == 0:  # those with a time constant never fill
        return np.asarray(slope**2 * seconds**2 * instant)
    tau = 1.0 / rate
    grown = seconds**2 / 2.0
    late = (seconds * tau + tau**2) * np.exp(-seconds * rate) - tau**2
    return np.asarray(2.0 * slope**2 * (grown * (slow + instant) + slow * late))


def _by_saturation(
    slow: Plane, instant: Plane, rate: float, filled: Plane, seconds: Plane, always: NDArray[np.bool_]
) -> Plane:
    """Traps that are filled after a time in saturation; `always`: in all groups, without a ramp before."""
    filled = np.where(always, instant, filled)
    empty = slow - (filled - instant)
    return np.asarray(filled + empty * -np.expm1(-rate * seconds))


def _particles(
    data: NDArray[np.float32], groupdq: NDArray[np.uint8], growth: Plane
) -> list[tuple[NDArray[np.intp], NDArray[np.intp], Plane, int]]:
    """Return for each group with jumps: rows, columns, signals (DN, not negative), and groups to the end."""
    hits = []
    for group in range(1, len(data)):
        y, x = np.nonzero(groupdq[group] & np.uint8(DQ["JUMP_DET"]))
        if len(y):
            jump = data[group, y, x].astype(float) - data[group - 1, y, x] - growth[y, x]
            hits.append((y, x, np.maximum(jump, 0.0), len(data) - group))
    return hits
