"""What the segmented fit and the two-point difference do to ideal ramps: their definitions, and nothing else.

Ramps are drawn from the exact covariance of averaged frames: photons that arrive in an early frame are in
all later ones, and white read noise. The fit and the test for jumps are written out from their published
definitions (Fixsen et al. 2000, PASP 112, 1350; Anderson & Gordon 2011, PASP 123, 1237; the formulas of the
errors from the documentation of the `jwst` package). What a calibration shows beyond this comes from
something else than statistics: reference pixels, linearity, saturation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from webbcal.core.readout import Readout

_SNR = (5.0, 10.0, 20.0, 50.0, 100.0)
_POWERS = np.array([0.0, 0.4, 1.0, 3.0, 6.0, 10.0])


@dataclass(frozen=True)
class Ideal:
    """Statistics of ideal ramps of one rate.

    Attributes
    ----------
    mean, width : float
        Mean and standard deviation of the pulls with the stated errors, of ramps without a jump flag.
    typical_mean, typical_width : float
        The same of (slope - truth) / root mean square of the stated errors.
    false_jumps : float
        Share of ramps in which the two-point difference finds a jump.
    """

    mean: float
    width: float
    typical_mean: float
    typical_width: float
    false_jumps: float


def covariance(readout: Readout, rate: float, cds_noise: float) -> np.ndarray:
    """Return the covariance (e-²) of the groups of a ramp of `rate` (e-/s) and a two-frame noise (e-)."""
    times = np.array([[f + 1.0 for f in readout.frames_of_group(g)] for g in range(readout.ngroups)])
    times *= readout.tframe
    shared = np.minimum(times[:, None, :, None], times[None, :, None, :]).mean(axis=(2, 3))
    return rate * shared + np.eye(readout.ngroups) * cds_noise**2 / (2.0 * readout.nframes)


def ideal_ramps(
    readout: Readout, rate: float, cds_noise: float, n: int = 40_000, dark: float = 0.0, seed: int = 5
) -> Ideal:
    """Draw ramps of a rate and a dark current (e-/s; subtracted exactly), fit them, and look for jumps."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(covariance(readout, rate + dark, cds_noise))
    ramps = rate * readout.mean_times + rng.standard_normal((n, readout.ngroups)) @ root.T
    jumps = false_jumps(ramps, cds_noise / np.sqrt(readout.nframes))
    slope, variance = fit(ramps[~jumps], readout, cds_noise / np.sqrt(2.0 * readout.nframes))
    pull, typical = (slope - rate) / np.sqrt(variance), (slope - rate) / np.sqrt(variance.mean())
    return Ideal(
        float(pull.mean()),
        float(pull.std()),
        float(typical.mean()),
        float(typical.std()),
        float(jumps.mean()),
    )


def fit(ramps: np.ndarray, readout: Readout, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Fit whole ramps (n, ngroups) with a noise (e-) of one group; return slopes and stated variances."""
    ngroups, tgroup = readout.ngroups, readout.tgroup
    total = ramps[:, -1] - ramps[:, 0]
    variance = np.maximum(noise**2 + total, 1e-9)
    power = _POWERS[
        np.searchsorted(_SNR, np.where(noise**2 + total > 0, total / np.sqrt(variance), 0.0), "right")
    ]
    x = np.arange(ngroups) - (ngroups - 1) / 2.0
    weights = np.abs(x / x[-1]) ** power[:, None]
    slope = (weights * x * ramps).sum(1) / (weights * x**2).sum(1) / tgroup
    median = np.maximum(np.median(np.diff(ramps, axis=1), axis=1), 0.0) / tgroup
    var_poisson = median / (tgroup * (ngroups - 1))
    var_rnoise = 12.0 * (noise / tgroup) ** 2 / (ngroups**3 - ngroups)
    return slope, var_poisson + var_rnoise


def false_jumps(ramps: np.ndarray, noise: float, threshold: float = 4.0) -> np.ndarray:
    """Return which ramps of 5 to 10 groups have a jump; `noise` (e-) is that of a difference.

    The size of the largest difference is compared with the median of the others' sizes, and sigma follows
    from that median. Sizes have no sign, and the largest is left out: both make few and faint differences
    look smaller, and the threshold is passed more often than by normal deviates.
    """
    sizes = np.sort(np.abs(np.diff(ramps, axis=1)), axis=1)
    median = np.median(sizes[:, :-1], axis=1)
    sigma = np.sqrt(median + noise**2)
    return np.abs(sizes - median[:, None]).max(axis=1) > threshold * sigma
