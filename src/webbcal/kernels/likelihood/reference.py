"""The likelihood fit in NumPy, one ramp at a time with dense matrices: slow, and meant to be read.

The compiled kernel uses that the covariance has three diagonals, and formulas for what is left out; here,
what is left out is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.likelihood.results import LikelihoodFit
from webbcal.kernels.likelihood.sampling import JumpThresholds, Sampling

DNU, SATURATED, JUMP = (dqflags.pixel[name] for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))


class Line(NamedTuple):
    """Most likely rate, its variance (of photons, of read noise, of both), and chi-square."""

    rate: float
    var_poisson: float
    var_rnoise: float
    variance: float
    chisq: float


_NOTHING = Line(np.nan, np.nan, np.nan, np.inf, np.nan)
_UNKNOWN = Line(np.nan, np.nan, np.nan, np.nan, np.nan)


class Pixel(NamedTuple):
    """What is known of a pixel: electrons per DN, DN of noise of a frame, DN/s of dark, and the read-out."""

    gain: np.float64
    noise: np.float64
    dark: np.float64
    plan: Sampling

    def covariances(self, rate: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the covariance matrices of the differences: of photons at `rate`, and of read noise."""
        plan = self.plan
        photons = np.diag(plan.alpha_photon) + np.diag(plan.beta_photon, 1) + np.diag(plan.beta_photon, -1)
        read = np.diag(plan.alpha_read) + np.diag(plan.beta_read, 1) + np.diag(plan.beta_read, -1)
        return rate / self.gain * photons, self.noise**2 * read


def fit_integrations(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    average_dark_current: np.ndarray | None,
    zeroframe: np.ndarray | None,
    plan: Sampling,
    thresholds: JumpThresholds,
) -> LikelihoodFit:
    """Fit the ramps of each integration; see `webbcal.kernels.likelihood.cpu.fit_integrations`."""
    nints, _, ny, nx = data.shape
    fit = LikelihoodFit.empty((nints, ny, nx))
    noise = readnoise / np.sqrt(2)
    with np.errstate(all="ignore"):
        for i, y, x in np.ndindex(nints, ny, nx):
            dark = 0.0 if average_dark_current is None else average_dark_current[y, x]
            pixel = Pixel(np.float64(gain[y, x]), np.float64(noise[y, x]), np.float64(dark), plan)
            ramp, dq = data[i, :, y, x], groupdq[i, :, y, x]
            if plan.splits_first and zeroframe is not None:
                ramp, dq = _split_first(ramp, dq, zeroframe[i, y, x].item(), plan.nframes)
            line, jumps = _fit_ramp(pixel, np.diff(ramp) / plan.delta_t, dq, thresholds)
            flags = int(pixeldq[y, x]) | _flags_of(dq)
            values = (
                line.rate,
                flags | (JUMP if jumps else 0),
                line.var_poisson,
                line.var_rnoise,
                np.sqrt(line.variance),
                line.chisq,
            )
            for array, value in zip(fit, values, strict=True):
                array[i, y, x] = value
    return fit


def _split_first(
    ramp: np.ndarray, dq: np.ndarray, zeroframe: float, nframes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Make the first frame a group of its own (in float32, as in the official pipeline)."""
    first = np.float32(zeroframe)
    rest = (ramp[0] * np.float32(nframes) - first) / np.float32(nframes - 1)
    return np.concatenate(([first, rest], ramp[1:])), np.concatenate((dq[:1], dq))


def _flags_of(dq: np.ndarray) -> int:
    """Return the flags of an integration by those of its groups."""
    union = int(np.bitwise_or.reduce(dq)) & (SATURATED | JUMP)
    return union | (DNU if ((dq & (SATURATED | DNU)) != 0).all() else 0)


def _fit_ramp(pixel: Pixel, d: np.ndarray, dq: np.ndarray, thresholds: JumpThresholds) -> tuple[Line, bool]:
    """Look for jumps among the differences `d` (DN/s), then fit those that are left.

    The covariance is that of the median difference while jumps are looked for, and then that of the rate
    found without them.
    """
    used = (dq[1:] == 0) & (dq[:-1] == 0)
    if np.isnan(d).any():
        return _UNKNOWN, False
    before = used.copy()
    rate = _without_jumps(pixel, d, used, thresholds)
    return _most_likely(pixel, d, used, max(rate, 0.0) + pixel.dark), bool((used != before).any())


def _most_likely(pixel: Pixel, d: np.ndarray, used: np.ndarray, guess: float) -> Line:
    """Fit a rate to the used differences; their covariance is that of a rate `guess`."""
    photons, read = pixel.covariances(guess)
    if not np.isfinite(photons + read).all():
        return _UNKNOWN
    photons, read = (matrix[np.ix_(used, used)] for matrix in (photons, read))
    if not used.any():
        return _NOTHING
    try:
        inverse = np.linalg.inv(photons + read)
    except np.linalg.LinAlgError:
        return _UNKNOWN
    weights = inverse.sum(axis=0) / inverse.sum()
    rate = weights @ d[used]
    residual = d[used] - rate
    return Line(
        rate, weights @ photons @ weights, weights @ read @ weights, 1 / inverse.sum(),
        residual @ inverse @ residual,
    )  # fmt: skip


def _without_jumps(pixel: Pixel, d: np.ndarray, used: np.ndarray, thresholds: JumpThresholds) -> float:
    """Drop differences, one or two neighbours at a time, as long as chi-square falls by enough.

    Clears their places in `used`, and returns the rate of the others. A ramp that has lost some is not
    searched again when no more than three are left.
    """
    guess = max(float(np.median(d)), 0.0)
    line = _most_likely(pixel, d, used, guess)
    rate = line.rate
    while np.isfinite(line.rate):
        one, two = (_best_of(_candidates(pixel, d, used, guess, line.chisq, n)) for n in (1, 2))
        if one.fall - thresholds.one > two.fall - thresholds.two:
            best, enough = one, thresholds.one
        else:
            best, enough = two, thresholds.two
        if not best.fall > enough:
            break
        used[list(best.places)], rate = False, best.rate
        if np.count_nonzero(used) <= 3:
            break
        line = _most_likely(pixel, d, used, guess)
    return rate


class Candidate(NamedTuple):
    """What dropping some differences would do: how far chi-square falls, and the rate of the others."""

    fall: float
    rate: float
    places: tuple[int, ...]


def _candidates(
    pixel: Pixel, d: np.ndarray, used: np.ndarray, guess: float, chisq: float, n: int
) -> list[Candidate]:
    """Return what `n` (1 or 2) differences less would do, some being left."""
    places: list[tuple[int, ...]] = [(k,) for k in range(len(d)) if used[k]]
    if n == 2:
        pairs = [k for k in range(len(d) - 1) if used[k] and used[k + 1]]
        places = [(k, k + 1) for k in pairs if pixel.plan.pairs[k]]
    found = []
    for drop in places:
        left = used.copy()
        left[list(drop)] = False
        if left.any():
            line = _most_likely(pixel, d, left, guess)
            found.append(Candidate(chisq - line.chisq, line.rate, drop))
    return found


def _best_of(candidates: list[Candidate]) -> Candidate:
    """Return the largest fall; of equal ones, that with the smallest rate, since particles add charge.

    Equal they are where a single difference is left, which fits perfectly.
    """
    top = max((c.fall for c in candidates), default=0.0)
    even = [c for c in candidates if c.fall >= top * (1 - 1e-9)]
    return min(even, key=lambda c: c.rate, default=Candidate(0.0, 0.0, ()))
