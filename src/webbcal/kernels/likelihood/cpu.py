"""The likelihood fit, compiled.

A row is worked on in blocks of `LANES` pixels. The covariance of the differences has three diagonals, so it
is factored into L D Lᵀ from the first to the last difference; going back solves for the two right-hand sides
that matter (the differences, and ones) and gives those elements of the inverse that jumps ask for: O(n), all
of it. That is the recursion of the paper for theta and phi as ratios, which need not be rescaled.

What is left out of the sum is a difference whose rows of the right-hand sides and couplings are zero. How far
chi-square falls without one difference, or two neighbours, follows from the fit with them (paper II, 3.1 and
3.2).
"""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.compiling import helper, kernel
from webbcal.kernels.likelihood.results import LikelihoodFit
from webbcal.kernels.likelihood.sampling import JumpThresholds, Sampling, read_times, sampling
from webbcal.kernels.sortnet import LANES, middle, network, sort_columns

DNU, SATURATED, JUMP = (np.uint8(dqflags.pixel[name]) for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))

# rows of the plan of the read-out
DELTA_T, ALPHA_PHOTON, ALPHA_READ, BETA_PHOTON, BETA_READ, PAIRS = range(6)
# planes of `w`, (planes, n, LANES): differences; 1 where used; of the factors 1/D and the element of L; the
# inverse covariance times the differences, and times ones; its diagonal, and what is beside that
D, USED, INVERSE, LOWER, ID, IC, DIAGONAL, BESIDE = range(8)
# rows of `v`, (rows, LANES): of the pixel; the rate that makes photon noise, over the gain; the sums of the
# papers, and 1/C; results; variances of the weights
GAIN, READ, DARK, PHOTONS, A, B, C, SHARE, RATE, BEST_ONE, AT_ONE, BEST_TWO, AT_TWO, OF_PHOTONS, OF_READ = (
    range(15)
)

#: Elements of an inverse that are smaller than this part of it are rounding.
ROUNDING = 1e-9


@helper
def _gather_pixels(gain, readnoise, dark, row, x0, lanes, v):  # type: ignore[no-untyped-def]
    """Copy what belongs to the pixels of a block: electrons per DN, (DN of a frame)², DN/s."""
    for x in range(LANES):
        at = x0 + min(x, lanes - 1)
        noise = np.float64(readnoise[row, at]) / np.sqrt(2.0)
        v[GAIN, x], v[READ, x], v[DARK, x] = gain[row, at], noise * noise, dark[row, at]


@helper
def _gather_ramps(data, groupdq, i, row, x0, lanes, plan, zero, nframes, w, flags):  # type: ignore[no-untyped-def]
    """Turn ramps into differences, and group flags into those of the integration.

    Where there is a ZEROFRAME it is the first group, and what is left of the first group the second.
    """
    ngroups = data.shape[1]
    shift = 1 if zero.shape[0] > 0 else 0
    for x in range(lanes):
        flags[0, x], flags[1, x] = 0, DNU | SATURATED
    for g in range(ngroups):
        for x in range(lanes):
            dq = groupdq[i, g, row, x0 + x]
            flags[0, x] |= dq
            flags[1, x] &= DNU | SATURATED if (dq & (DNU | SATURATED)) != 0 else np.uint8(0)
    for x in range(lanes):
        if shift == 1:
            first, rest = zero[i, row, x0 + x], data[i, 0, row, x0 + x]
            rest = (rest * np.float32(nframes) - first) / np.float32(nframes - 1)
            w[D, 0, x] = np.float64(np.float32(rest - first)) / plan[DELTA_T, 0]
            w[USED, 0, x] = 1.0 if groupdq[i, 0, row, x0 + x] == 0 else 0.0
    for k in range(shift, plan.shape[1]):
        g = k - shift
        for x in range(lanes):
            before, after = data[i, g, row, x0 + x], data[i, g + 1, row, x0 + x]
            if g == 0 and shift == 1:
                before = (before * np.float32(nframes) - zero[i, row, x0 + x]) / np.float32(nframes - 1)
            dq = groupdq[i, g, row, x0 + x] | groupdq[i, g + 1, row, x0 + x]
            w[D, k, x] = np.float64(np.float32(after - before)) / plan[DELTA_T, k]
            w[USED, k, x] = 1.0 if dq == 0 else 0.0
    for k in range(plan.shape[1]):
        for x in range(lanes, LANES):
            w[D, k, x], w[USED, k, x] = 0.0, 1.0


@helper
def _median_rates(w, n, ordered, comparisons, v):  # type: ignore[no-untyped-def]
    """Guess the rates: the median of all differences, flagged or not, as in the official pipeline."""
    for x in range(LANES):
        v[RATE, x] = 0.0
    for k in range(n):
        for x in range(LANES):
            d = w[D, k, x]
            v[RATE, x] += 0.0 if d == d else np.nan
            ordered[k, x] = d if d == d else np.inf
    sort_columns(ordered, comparisons)
    for x in range(LANES):
        median = middle(ordered, x, 0, n)
        v[PHOTONS, x] = ((median if median > 0.0 else 0.0) + v[RATE, x]) / v[GAIN, x]


@helper
def _factor(w, v, plan, lo, hi):  # type: ignore[no-untyped-def]
    """Factor the covariance and eliminate, from the first difference to the last."""
    for x in range(lo, hi):
        alpha = v[PHOTONS, x] * plan[ALPHA_PHOTON, 0] + v[READ, x] * plan[ALPHA_READ, 0]
        w[INVERSE, 0, x], w[LOWER, 0, x] = 1.0 / alpha if alpha > 0.0 else np.nan, 0.0
        w[ID, 0, x], w[IC, 0, x] = w[USED, 0, x] * w[D, 0, x], w[USED, 0, x]
    for k in range(1, plan.shape[1]):
        for x in range(lo, hi):
            photons, read = v[PHOTONS, x], v[READ, x]
            alpha = photons * plan[ALPHA_PHOTON, k] + read * plan[ALPHA_READ, k]
            beta = photons * plan[BETA_PHOTON, k - 1] + read * plan[BETA_READ, k - 1]
            beta *= w[USED, k, x] * w[USED, k - 1, x]
            lower = beta * w[INVERSE, k - 1, x]
            w[LOWER, k, x] = lower
            pivot = alpha - beta * lower
            w[INVERSE, k, x] = 1.0 / pivot if pivot > 0.0 else np.nan  # no covariance is like that
            w[ID, k, x] = w[USED, k, x] * w[D, k, x] - lower * w[ID, k - 1, x]
            w[IC, k, x] = w[USED, k, x] - lower * w[IC, k - 1, x]


@helper
def _solve(w, v, plan, lo, hi):  # type: ignore[no-untyped-def]
    """Fit the rates of lanes lo to hi: fills `w` but for differences, and A, B, C and RATE of `v`."""
    _factor(w, v, plan, lo, hi)
    n = plan.shape[1]
    for x in range(lo, hi):
        v[A, x], v[B, x], v[C, x] = 0.0, 0.0, 0.0
    for k in range(n - 1, -1, -1):
        if k == n - 1:
            for x in range(lo, hi):
                w[ID, k, x] *= w[INVERSE, k, x]
                w[IC, k, x] *= w[INVERSE, k, x]
                w[DIAGONAL, k, x], w[BESIDE, k, x] = w[INVERSE, k, x], 0.0
        else:
            for x in range(lo, hi):
                lower = w[LOWER, k + 1, x]
                w[ID, k, x] = w[ID, k, x] * w[INVERSE, k, x] - lower * w[ID, k + 1, x]
                w[IC, k, x] = w[IC, k, x] * w[INVERSE, k, x] - lower * w[IC, k + 1, x]
                beside = -lower * w[DIAGONAL, k + 1, x]
                w[DIAGONAL, k, x] = w[INVERSE, k, x] - lower * beside
                w[BESIDE, k, x] = beside
        for x in range(lo, hi):
            d = w[USED, k, x] * w[D, k, x]
            v[A, x] += d * w[ID, k, x]
            v[B, x] += d * w[IC, k, x]
            v[C, x] += w[USED, k, x] * w[IC, k, x]
    for x in range(lo, hi):
        v[SHARE, x] = 1.0 / v[C, x]
        v[RATE, x] = v[B, x] * v[SHARE, x]


@helper
def _search(w, v, plan, lo, hi):  # type: ignore[no-untyped-def]
    """Find the difference, and the two neighbours, without which chi-square falls most.

    Leaving out is adding jumps as free parameters: the fall is rᵀ S⁻¹ r, where r is the inverse covariance
    times the residuals, and S its block less what the rate takes up of it.
    """
    n = plan.shape[1]
    for x in range(lo, hi):
        v[BEST_ONE, x], v[AT_ONE, x], v[BEST_TWO, x], v[AT_TWO, x] = 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        for x in range(lo, hi):
            c = w[IC, k, x]
            r, s = w[ID, k, x] - v[RATE, x] * c, w[DIAGONAL, k, x] - c * c * v[SHARE, x]
            fall = w[USED, k, x] * r * r / s
            fall = fall if s > ROUNDING * w[DIAGONAL, k, x] else 0.0
            best, at = v[BEST_ONE, x], v[AT_ONE, x]
            v[BEST_ONE, x] = fall if fall > best else best
            v[AT_ONE, x] = np.float64(k) if fall > best else at
        if k == n - 1 or plan[PAIRS, k] == 0.0:
            continue
        for x in range(lo, hi):
            fall = _fall_of_pair(w, v, k, x)
            best, at = v[BEST_TWO, x], v[AT_TWO, x]
            v[BEST_TWO, x] = fall if fall > best else best
            v[AT_TWO, x] = np.float64(k) if fall > best else at


@helper
def _fall_of_pair(w, v, k, x):  # type: ignore[no-untyped-def]
    """Return how far chi-square falls without differences k and k + 1."""
    c, e, rate, share = w[IC, k, x], w[IC, k + 1, x], v[RATE, x], v[SHARE, x]
    r, q = w[ID, k, x] - rate * c, w[ID, k + 1, x] - rate * e
    s, t = w[DIAGONAL, k, x] - c * c * share, w[DIAGONAL, k + 1, x] - e * e * share
    u = w[BESIDE, k, x] - c * e * share
    determinant = s * t - u * u
    fall = w[USED, k, x] * w[USED, k + 1, x] * (r * r * t - 2.0 * r * q * u + q * q * s) / determinant
    return fall if determinant > ROUNDING * w[DIAGONAL, k, x] * w[DIAGONAL, k + 1, x] else 0.0


@helper
def _rate_without(w, v, k, pair, x):  # type: ignore[no-untyped-def]
    """Return the rate without difference k, or without k and k + 1."""
    c, share = w[IC, k, x], v[SHARE, x]
    r, s = w[ID, k, x] - v[RATE, x] * c, w[DIAGONAL, k, x] - c * c * share
    if not pair:
        return v[RATE, x] - r / s * c * share
    e = w[IC, k + 1, x]
    q, t = w[ID, k + 1, x] - v[RATE, x] * e, w[DIAGONAL, k + 1, x] - e * e * share
    u = w[BESIDE, k, x] - c * e * share
    determinant = s * t - u * u
    jump, next_jump = (r * t - q * u) / determinant, (q * s - r * u) / determinant
    return v[RATE, x] - (jump * c + next_jump * e) * share


@helper
def _smallest_left(w, v, plan, pair, x):  # type: ignore[no-untyped-def]
    """Return where to drop, so that the one difference that is left is the smallest: all fit equally well."""
    best, at = np.inf, int(v[AT_TWO, x]) if pair else int(v[AT_ONE, x])
    for k in range(plan.shape[1]):
        possible = w[USED, k, x] > 0.0
        if pair:
            possible &= (
                k + 1 < plan.shape[1] and plan[PAIRS, k] * w[USED, min(k + 1, plan.shape[1] - 1), x] > 0.0
            )
        if possible:
            rate = _rate_without(w, v, k, pair, x)
            if rate < best:
                best, at = rate, k
    return at


@helper
def _drop(w, v, plan, limit_one, limit_two, x):  # type: ignore[no-untyped-def]
    """Drop one or two differences of a lane if chi-square falls by enough.

    Returns whether it did, the rate without them, and how many are left.
    """
    pair = not (v[BEST_ONE, x] - limit_one > v[BEST_TWO, x] - limit_two)
    fall, enough = (v[BEST_TWO, x], limit_two) if pair else (v[BEST_ONE, x], limit_one)
    if not fall > enough:
        return False, 0.0, 0
    left = -2 if pair else -1
    for k in range(plan.shape[1]):
        left += 1 if w[USED, k, x] > 0.0 else 0
    k = int(v[AT_TWO, x]) if pair else int(v[AT_ONE, x])
    if left == 1:
        k = _smallest_left(w, v, plan, pair, x)
    rate = _rate_without(w, v, k, pair, x)
    w[USED, k, x] = 0.0
    if pair:
        w[USED, k + 1, x] = 0.0
    return True, rate, left


@helper
def _is_covariance(v, plan, photons, x):  # type: ignore[no-untyped-def]
    """Tell whether there is such a covariance: a dark below zero must leave some noise."""
    read, pivot = v[READ, x], np.inf
    for k in range(plan.shape[1]):
        beta = 0.0
        if k > 0:
            beta = photons * plan[BETA_PHOTON, k - 1] + read * plan[BETA_READ, k - 1]
        pivot = photons * plan[ALPHA_PHOTON, k] + read * plan[ALPHA_READ, k] - beta * beta / pivot
        if not pivot > 0.0:
            return False
    return True


@helper
def _find_jumps(w, v, plan, limit_one, limit_two, lanes, flags):  # type: ignore[no-untyped-def]
    """Drop jumps of all lanes, after the first fit; leave the photon noise of the rate without
    them in PHOTONS.

    A lane that loses something is fitted and searched again, unless no more than three differences are left.
    """
    _search(w, v, plan, 0, LANES)
    for x in range(lanes):
        rate = v[RATE, x]
        left = 4
        while left > 3:
            dropped, new, left = _drop(w, v, plan, limit_one, limit_two, x)
            if not dropped:
                break
            rate = new
            flags[0, x] |= JUMP
            if left > 3:
                _solve(w, v, plan, x, x + 1)
                _search(w, v, plan, x, x + 1)
        rate = (rate if rate > 0.0 or rate != rate else 0.0) + v[DARK, x]
        photons = rate / v[GAIN, x]
        v[PHOTONS, x] = photons if rate >= 0.0 or _is_covariance(v, plan, photons, x) else np.nan


@helper
def _variances(w, v, plan):  # type: ignore[no-untyped-def]
    """Propagate the two parts of the covariance through the weights of the fit, IC over C."""
    for x in range(LANES):
        v[OF_PHOTONS, x], v[OF_READ, x] = 0.0, 0.0
    for k in range(plan.shape[1]):
        for x in range(LANES):
            c = w[IC, k, x]
            v[OF_PHOTONS, x] += c * c * plan[ALPHA_PHOTON, k]
            v[OF_READ, x] += c * c * plan[ALPHA_READ, k]
        if k > 0:
            for x in range(LANES):
                c = 2.0 * w[IC, k, x] * w[IC, k - 1, x]
                v[OF_PHOTONS, x] += c * plan[BETA_PHOTON, k - 1]
                v[OF_READ, x] += c * plan[BETA_READ, k - 1]
    for x in range(LANES):
        v[OF_PHOTONS, x] *= v[SHARE, x] * v[SHARE, x]
        v[OF_READ, x] *= v[SHARE, x] * v[SHARE, x]


@helper
def _store(w, v, plan, lanes, flags, pixeldq, row, x0, i, fit):  # type: ignore[no-untyped-def]
    """Write the results of a block to ``fit[...][i]``, arrays of `LikelihoodFit` in its order."""
    _variances(w, v, plan)
    for x in range(lanes):
        fit[0][i, row, x0 + x] = v[RATE, x]
        dq = flags[0, x] & (SATURATED | JUMP) | (DNU if flags[1, x] != 0 else np.uint8(0))
        fit[1][i, row, x0 + x] = pixeldq[row, x0 + x] | np.uint32(dq)
        fit[2][i, row, x0 + x] = v[OF_PHOTONS, x] * v[PHOTONS, x]
        fit[3][i, row, x0 + x] = v[OF_READ, x] * v[READ, x]
        fit[4][i, row, x0 + x] = 1.0 / np.sqrt(v[C, x])
        fit[5][i, row, x0 + x] = v[A, x] - v[B, x] * v[RATE, x]


@kernel
def _fit_rows(  # type: ignore[no-untyped-def]
    data, groupdq, pixeldq, gain, readnoise, dark, zero, plan, nframes, limits, w, v, ordered, comparisons,
    flags, fit,
):  # fmt: skip
    nints, _, ny, nx = data.shape
    for row in range(ny):
        for x0 in range(0, nx, LANES):
            lanes = min(LANES, nx - x0)
            _gather_pixels(gain, readnoise, dark, row, x0, lanes, v)
            for i in range(nints):
                _gather_ramps(data, groupdq, i, row, x0, lanes, plan, zero, nframes, w, flags)
                _median_rates(w, plan.shape[1], ordered, comparisons, v)
                _solve(w, v, plan, 0, LANES)
                _find_jumps(w, v, plan, limits[0], limits[1], lanes, flags)
                _solve(w, v, plan, 0, LANES)
                _store(w, v, plan, lanes, flags, pixeldq, row, x0, i, fit)


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
    """Find jumps in ramps and fit the rest, each integration for itself.

    Parameters
    ----------
    data : array of float32, shape (nints, ngroups, ny, nx)
        DN.
    groupdq : array of uint8, same shape
        A group with any flag is not used.
    pixeldq : array of uint32, shape (ny, nx)
    gain, readnoise : array of float32, shape (ny, nx)
        e-/DN, and DN of noise of the difference of two frames.
    average_dark_current : array of float32, shape (ny, nx), or None
        Is added to the rate where that makes photon noise.
    zeroframe : array of float32, shape (nints, ny, nx), or None
        Used if the plan has it.
    plan : Sampling
    thresholds : JumpThresholds

    Returns
    -------
    LikelihoodFit
        Arrays (nints, ny, nx). Flags are JUMP_DET where a difference was dropped or a group has it, SATURATED
        where a group has it, and DO_NOT_USE where each group has one of that and SATURATED.
    """
    nints, _, ny, nx = data.shape
    n = len(plan.delta_t)
    table = np.zeros((6, n))
    table[DELTA_T], table[ALPHA_PHOTON], table[ALPHA_READ] = plan.delta_t, plan.alpha_photon, plan.alpha_read
    for k, row in ((BETA_PHOTON, plan.beta_photon), (BETA_READ, plan.beta_read), (PAIRS, plan.pairs)):
        table[k, :-1] = row
    zero = zeroframe if plan.splits_first and zeroframe is not None else np.zeros((0, 0, 0), np.float32)
    dark = np.zeros((ny, nx), np.float32) if average_dark_current is None else average_dark_current
    fit = LikelihoodFit.empty((nints, ny, nx))
    limits = np.array([thresholds.one, thresholds.two])
    scratch = (np.zeros((8, n, LANES)), np.zeros((15, LANES)), np.zeros((n, LANES)), network(n))
    flags = np.zeros((2, LANES), np.uint8)
    _fit_rows(
        data, groupdq, pixeldq, gain, readnoise, dark, zero, table, plan.nframes, limits, *scratch, flags, fit
    )
    return fit


def warm_up() -> None:
    """Compile the kernel."""
    image = (1, 2)
    arrays = (np.zeros((1, 4, *image), np.float32), np.zeros((1, 4, *image), np.uint8))
    pixels = (np.zeros(image, np.uint32), np.ones(image, np.float32), np.ones(image, np.float32))
    plan = sampling(read_times(4, 1, 0, 1.0))
    fit_integrations(*arrays, *pixels, None, None, plan, JumpThresholds())
