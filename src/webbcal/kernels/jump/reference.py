"""Jump detection in NumPy, one ramp at a time: slow, and meant to be read. The compiled kernel must agree."""

from __future__ import annotations

import numpy as np

from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.kernels.jump.settings import (
    FEWEST_INTS,
    MAD_TO_SIGMA,
    JumpSettings,
    JumpTally,
    Method,
    check_band,
    choose_method,
    flag_missing_gain,
)

DNU, JUMP = dqflags.group["DO_NOT_USE"], dqflags.group["JUMP_DET"]
BAD = DNU | dqflags.group["SATURATED"]


def detect_jumps(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    settings: JumpSettings,
    all_dnu_groups: np.ndarray,
    *,
    inner: Box | None = None,
    cleared_groups: np.ndarray | None = None,
) -> JumpTally:
    """Flag jumps in place; see `webbcal.kernels.jump.cpu.detect_jumps` for the arguments."""
    check_band(data, groupdq, pixeldq, gain, readnoise, all_dnu_groups)
    flag_missing_gain(pixeldq, gain)
    counted = (slice(None), slice(None), *(inner or Box.of_shape(data.shape)).slices)
    method = choose_method(settings, all_dnu_groups)
    full = np.zeros(data.shape[:2], bool)
    primary = 0
    if method != Method.NONE:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            diffs, median, sigma = _differences(data, groupdq, gain, readnoise, settings.nframes)
            variance = (readnoise * gain).astype(np.float32) ** 2 / np.float64(settings.nframes)
            for y, x in np.ndindex(gain.shape):
                noise = (float(median[y, x]), float(sigma[y, x]), float(variance[y, x]))
                jumps = _find(method, diffs[:, :, y, x], *noise, settings)
                groupdq[:, 1:, y, x][jumps] |= JUMP
            if cleared_groups is not None:
                groupdq[(groupdq == JUMP) & cleared_groups[:, :, None, None]] = 0
            if method == Method.SIGMA_CLIP:
                full = ((groupdq[counted] & (JUMP | DNU)) != 0).all(axis=(2, 3))
            primary = int(np.count_nonzero(groupdq[counted] & JUMP))
            _flag_neighbours(groupdq, diffs, median, sigma, settings)
            _flag_after(groupdq, diffs, median, settings)
    groupdq[((groupdq & JUMP) != 0) & ((groupdq & BAD) != 0)] ^= JUMP
    return JumpTally(method, primary, full)


def _differences(
    data: np.ndarray, groupdq: np.ndarray, gain: np.ndarray, readnoise: np.ndarray, nframes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return differences of groups in electrons, their median, and the sigma of one (NaN if 0)."""
    electrons = data * gain
    electrons[(groupdq & BAD) != 0] = np.nan
    diffs = np.diff(electrons, axis=1).astype(np.float64)
    median = np.array([[_median(diffs[:, :, y, x]) for x in range(gain.shape[1])] for y in range(len(gain))])
    median = median.reshape(gain.shape)
    sigma = np.sqrt(np.abs(median) + ((readnoise * gain) ** 2).astype(np.float64) / nframes)
    sigma[sigma == 0] = np.nan
    return diffs, median, sigma


def _median(values: np.ndarray) -> float:
    good = values[~np.isnan(values)]
    return float(np.median(good)) if good.size else np.nan


def _find(
    method: Method, diffs: np.ndarray, median: float, sigma: float, variance: float, settings: JumpSettings
) -> np.ndarray:
    """Return where one pixel's differences, shape (nints, ngroups - 1), are jumps."""
    if method == Method.SIGMA_CLIP:
        outside = np.zeros(diffs.shape, bool)
        sets = [np.s_[:, j] for j in range(diffs.shape[1])] if settings.only_use_ints else [np.s_[:, :]]
        for values in sets:
            outside[values] = _outside_clip(diffs[values], settings.rejection_threshold)
        return outside
    if method == Method.RUNNING:
        return _find_in_time(diffs, variance, settings)
    if method == Method.SINGLE_PASS:
        return np.isfinite(diffs) & (np.abs(diffs - median) / sigma > settings.rejection_threshold)
    return _find_iteratively(np.abs(diffs), variance, settings)


def _find_in_time(diffs: np.ndarray, variance: float, settings: JumpSettings) -> np.ndarray:
    """Compare each difference with the median of those around it in time.

    The noise is that of the photons of this median and the read noise, or, if that is more, what the
    differences of the pixel scatter about their medians.
    """
    half = settings.running_ints // 2
    nints = len(diffs)
    running = np.full(diffs.shape, np.nan)
    for i in range(nints):
        start = max(0, min(i - half, nints - 2 * half - 1))
        near = diffs[start : start + 2 * half + 1]
        for j in range(diffs.shape[1]):
            if np.count_nonzero(np.isfinite(near[:, j])) >= FEWEST_INTS:
                running[i, j] = _median(np.where(np.isfinite(near[:, j]), near[:, j], np.nan))
    off = np.where(np.isfinite(diffs), np.abs((diffs - running).astype(np.float32)), np.float32(np.nan))
    scatter = MAD_TO_SIGMA * _median(off)
    sigma = np.maximum(np.sqrt(np.abs(running) + variance), scatter)
    jumps: np.ndarray = off.astype(np.float64) > settings.rejection_threshold * sigma
    return jumps


def _outside_clip(values: np.ndarray, nsigma: float) -> np.ndarray:
    kept = values[np.isfinite(values)]
    low = high = np.nan
    for _ in range(5):
        if kept.size == 0:
            break
        low, high = np.median(kept) - nsigma * kept.std(), np.median(kept) + nsigma * kept.std()
        inside = (kept >= low) & (kept <= high)
        kept = kept[inside]
        if inside.all():
            break
    return np.isfinite(values) & ((values < low) | (values > high))


def _find_iteratively(sizes: np.ndarray, variance: float, settings: JumpSettings) -> np.ndarray:
    """Reject the worst difference until none is beyond the threshold."""
    sizes = sizes.copy()
    jumps = np.zeros(sizes.shape, bool)
    limits = {2: settings.three_group_rejection_threshold, 3: settings.four_group_rejection_threshold}
    for iteration in range(sizes.size):
        usable = int(np.count_nonzero(~np.isnan(sizes)))
        if usable < 2:
            break
        if usable >= 4:
            median = _median(sizes[sizes < np.nanmax(sizes)])
        else:
            median = _median(sizes) if usable == 3 else float(np.nanmin(sizes))
        if iteration > 0:
            median = float(np.float32(median))
        sigma = np.sqrt(np.abs(median) + variance)
        deviations = np.abs((sizes - median).astype(np.float32)).astype(np.float64)
        worst = np.nanmax(deviations) if np.isfinite(deviations).any() else np.nan
        if not (sigma > 0 and worst / sigma > limits.get(usable, settings.rejection_threshold)):
            break
        jumps |= deviations == worst
        sizes[deviations == worst] = np.nan
    return jumps


def _flag_neighbours(
    groupdq: np.ndarray, diffs: np.ndarray, median: np.ndarray, sigma: np.ndarray, settings: JumpSettings
) -> None:
    """Flag the pixels left, right, above and below of jumps of middling size."""
    if not settings.flag_4_neighbors:
        return
    low, high = settings.min_jump_to_flag_neighbors, settings.max_jump_to_flag_neighbors
    ratio = np.abs(diffs - median) / sigma
    jumps = ((groupdq[:, 1:] & JUMP) != 0) & (ratio > low) & (ratio < high)
    near = np.pad(jumps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    near = near[..., :-2, 1:-1] | near[..., 2:, 1:-1] | near[..., 1:-1, :-2] | near[..., 1:-1, 2:]
    groupdq[:, 1:][near & ((groupdq[:, 1:] & BAD) == 0)] |= JUMP


def _flag_after(groupdq: np.ndarray, diffs: np.ndarray, median: np.ndarray, settings: JumpSettings) -> None:
    """Flag groups that follow a large jump."""
    is_jump = (groupdq[:, 1:] & JUMP) != 0
    after = np.zeros(groupdq.shape, bool)
    for electrons, groups in (
        (settings.after_jump_electrons1, settings.after_jump_groups1),
        (settings.after_jump_electrons2, settings.after_jump_groups2),
    ):
        large = is_jump & (diffs - median >= electrons)
        for later in range(1, min(groups, diffs.shape[1] - 1) + 1):
            after[:, 1 + later :] |= large[:, :-later]
    groupdq[after & ((groupdq & BAD) == 0)] |= JUMP
