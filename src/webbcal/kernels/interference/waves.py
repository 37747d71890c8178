"""Periodic waves, as tables of values at evenly spaced phases, and as cubic splines through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Spline:
    """A cubic spline of phase, from below 0 to above 1.

    Attributes
    ----------
    knots : (n + 1,) float64
        Evenly spaced.
    pieces : (4, n) float64
        Coefficients, the highest power first.
    """

    knots: F64
    pieces: F64

    @classmethod
    def through(cls, wave: NDArray[Any]) -> Spline:
        """Return the spline through a wave, whose values are those at the middle of equal parts of a period.

        One value is repeated at each end, and the spline is not asked to be periodic beyond that.
        """
        from scipy.interpolate import CubicSpline

        n = len(wave)
        phase = (np.arange(n + 2) - 0.5) / n
        fit = CubicSpline(phase, np.concatenate([wave[-1:], wave, wave[:1]]), bc_type="not-a-knot")
        return cls(phase, np.ascontiguousarray(fit.c))

    def __call__(self, phase: F64) -> F64:
        """Return the wave at phases; only their fractional part counts."""
        n = self.pieces.shape[1]
        t = phase % 1.0
        spacing = (self.knots[n] - self.knots[0]) / n
        k = np.minimum(((t - self.knots[0]) / spacing).astype(np.intp), n - 1)
        a, b, c, d = (p[k] for p in self.pieces)
        t -= self.knots[k]
        return np.asarray(((a * t + b) * t + c) * t + d)


def resampled(wave: F64, length: float) -> F64:
    """Return a wave with another number of values (the next whole one): the last at or before each place."""
    step = len(wave) / float(length)
    count = int(np.ceil(len(wave) / step))
    return wave[(np.arange(count) * step).astype(int)]


def matched(reference: F64, wave: F64, period: float, scaled: bool) -> F64:
    """Return a reference wave, shifted to where it correlates best with a measured one, by clock.

    Parameters
    ----------
    reference, wave : ndarray
        One period each, in any number of values.
    period : float
        In clocks.
    scaled : bool
        Also give it the amplitude of the measured wave.
    """
    again = resampled(wave, len(reference))
    shifts = np.stack([np.roll(reference, k) for k in range(len(reference))])
    with np.errstate(all="ignore"):
        correlation = np.array([np.corrcoef(s, again)[0, 1] for s in shifts])
    best = resampled(shifts[np.argmax(correlation)], period)
    measured = resampled(wave, period)
    if not scaled or not np.isfinite(measured).all():
        return best if not scaled else np.full_like(best, np.nan)
    return np.asarray(best * np.polyfit(best, measured, 1)[0])
