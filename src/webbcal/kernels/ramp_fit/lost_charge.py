"""Read noise variances as if no group had been dropped for charge migration (compiled).

The loss of groups says something about the star, not about the noise: weights in later combinations of
exposures must not depend on it.
"""

from __future__ import annotations

from webbcal.kernels.compiling import helper
from webbcal.kernels.ramp_fit.first_rates import LOST_CHARGE, SINGLE_TIME
from webbcal.kernels.ramp_fit.formulas import CHARGELOSS, DNU, RNOISE, known, read_noise_variance
from webbcal.kernels.ramp_fit.segments import find_segments


@helper
def _lost_charge_weight(dq, first, ngroups, gain, noise, group_time, single_time, spans):  # type: ignore[no-untyped-def]
    """Inverse read noise variance as if no group had been dropped for charge migration (changes `dq`)."""
    for k in range(first, first + ngroups):
        if (dq[k] & CHARGELOSS) != 0:
            dq[k] ^= CHARGELOSS | DNU
    total = 0.0
    n, _ = find_segments(dq, first, ngroups, spans)
    for s in range(n):
        length = spans[s, 1] - spans[s, 0]
        time = single_time if length == 1 else group_time
        variance = read_noise_variance(noise, gain, time, length)
        total += 1.0 / variance if variance > 0.0 else 0.0
    return total


@helper
def restore_lost_charge(flags, lane, gain, noise, group_time, dq, info, spans, value, total):  # type: ignore[no-untyped-def]
    """Replace read noise variances where groups were dropped for charge migration.

    Returns the sum of the inverse variances, added to `total`.
    """
    nints = info.shape[0]
    ngroups = dq.size // nints
    for i in range(nints):
        variance = value[i, RNOISE, lane]
        weight = 1.0 / variance if variance > 0.0 else 0.0
        if info[i, LOST_CHARGE] > 0.0:
            first = i * ngroups
            for k in range(first, first + ngroups):
                dq[k] = flags[k, lane]
            weight = _lost_charge_weight(
                dq, first, ngroups, gain, noise, group_time, info[i, SINGLE_TIME], spans
            )
            value[i, RNOISE, lane] = known(1.0 / weight)
        total += weight
    variance = value[nints, RNOISE, lane]
    value[nints, RNOISE, lane] = known(1.0 / total if total > 0.0 else variance)
    return total
