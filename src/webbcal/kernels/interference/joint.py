"""Phase and amplitude of a known wave, fitted together with a straight line to each ramp.

For a trial phase the wave in a pixel's groups is known; what of it a straight line cannot take up is
orthogonal to all lines, so that chi-square is a parabola in the amplitude, whose two coefficients add up over
pixels. Pixels sampled at the same phase share the wave: only their sum is needed. With z the wave without its
line, y the sum of n ramps: chi-square = a c² + b c + const, a = n Σ z², b = -2 Σ z y. (Brandt, JWST pipeline
documentation of emicorr, joint algorithm.)
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal.kernels.interference.waves import Spline

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

#: Trial phases, and how many are worked on at once.
PHASES = 500
_AT_ONCE = 20


@dataclass(frozen=True)
class Parabolas:
    """Coefficients of chi-square in the amplitude, for each integration and trial phase: (nints, PHASES)."""

    quadratic: F64
    linear: F64

    @classmethod
    def joined(cls, parts: list[Parabolas]) -> Parabolas:
        """Return those of consecutive integrations."""
        return cls(np.concatenate([p.quadratic for p in parts]), np.concatenate([p.linear for p in parts]))


@dataclass(frozen=True)
class Fit:
    """Phase at the first sample and amplitude of the wave, for each integration."""

    phases: F64
    amplitudes: F64


def parabolas(sums: F64, counts: F64, wave: Spline, group_step: float) -> Parabolas:
    """Compute chi-square as a function of phase and amplitude.

    Parameters
    ----------
    sums : (nints, ngroups, nphases) float64
        Sums of ramps, by the phase (middle of equal parts of a period) of their first group.
    counts : (nints, nphases) float64
        Ramps in each sum.
    wave : Spline
    group_step : float
        Phase from group to group.
    """
    nints, ngroups, nphases = sums.shape
    trials = np.arange(PHASES) / PHASES
    t = np.arange(ngroups) - (ngroups - 1) / 2.0
    base = ((np.arange(nphases) + 0.5) / nphases + np.arange(ngroups)[:, None] * group_step) % 1.0
    quadratic, linear = np.empty((nints, PHASES)), np.empty((nints, PHASES))
    flat = sums.reshape(nints, -1)
    for start in range(0, PHASES, _AT_ONCE):
        here = slice(start, start + _AT_ONCE)
        z = wave(base + trials[here, None, None])
        z -= z.mean(axis=1, keepdims=True)
        z -= t[:, None] * (np.einsum("g,kgp->kp", t, z) / (t**2).sum())[:, None]
        quadratic[:, here] = counts @ (z**2).sum(axis=1).T
        linear[:, here] = -2.0 * flat @ z.reshape(len(z), -1).T
    return Parabolas(quadratic, linear)


def fit(found: Parabolas, integration_step: float, separately: bool) -> Fit:
    """Find the best phase and amplitude.

    Parameters
    ----------
    found : Parabolas
    integration_step : float
        Phase from integration to integration.
    separately : bool
        For each integration by itself; else the wave runs on through the exposure with one amplitude.
    """
    nints = len(found.quadratic)
    numbers = np.arange(nints)
    if separately:
        fits = [_best(found, numbers[i : i + 1], integration_step) for i in range(nints)]
        phases, amplitudes = (np.array(values) for values in zip(*fits, strict=True))
        return Fit(phases + numbers * integration_step, amplitudes)
    phase, amplitude = _best(found, numbers, integration_step)
    phases = np.asarray((phase + numbers * integration_step) % 1.0, np.float64)
    return Fit(phases, np.full(nints, amplitude))


def _best(found: Parabolas, numbers: NDArray[np.intp], step: float) -> tuple[float, float]:
    """Return the best phase at the exposure's first sample, and the amplitude there."""
    trials = np.arange(PHASES) / PHASES
    chi_square, _ = _minimum(found, numbers, trials, step)
    phase = _vertex(chi_square)
    _, amplitude = _minimum(found, numbers, np.array([phase]), step)
    return phase, float(amplitude[0])


def _minimum(found: Parabolas, numbers: NDArray[np.intp], phases: F64, step: float) -> tuple[F64, F64]:
    """Return the least chi-square (without its constant) and the amplitude there, for each phase.

    Each integration has a phase of its own; the trial phase at or after it stands for it.
    """
    trials = np.arange(PHASES) / PHASES
    a, b = np.zeros(len(phases)), np.zeros(len(phases))
    for i in numbers:
        k = ((trials - phases[:, None] - step * i) % 1.0).argmin(axis=1)
        a += found.quadratic[i, k]
        b += found.linear[i, k]
    known = (np.abs(a) > 1e-8) & np.isfinite(a) & np.isfinite(b)
    amplitude = np.divide(-b, 2 * a, out=np.zeros_like(a), where=known)
    return np.where(known, a * amplitude**2 + b * amplitude, np.nan), amplitude


def _vertex(chi_square: F64) -> float:
    """Return the phase of the vertex of the parabola through the least value and its two neighbours."""
    if not np.isfinite(chi_square).any():
        log.warning("the interference cannot be fitted: it changes no ramp, or there are no good pixels")
        return 0.0
    k = int(np.nanargmin(chi_square))
    before, least, after = chi_square[k - 1], chi_square[k], chi_square[(k + 1) % PHASES]
    curvature = before - 2 * least + after
    if not np.isfinite(curvature) or curvature <= 0:
        return k / PHASES
    return float((k + 0.5 * (before - after) / curvature) / PHASES)
