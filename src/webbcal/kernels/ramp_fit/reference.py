"""Ramp fitting in NumPy, one pixel at a time: slow, and meant to be read. The compiled kernel must agree."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.ramp_fit.results import Fit, RampFit, SegmentFits
from webbcal.kernels.ramp_fit.settings import LARGE_VARIANCE, POWERS, SNR_LIMITS, RampFitSettings, check_band

DNU, SATURATED, JUMP = (dqflags.pixel[name] for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))
PERSISTENCE, CHARGELOSS = dqflags.pixel["PERSISTENCE"], dqflags.pixel["CHARGELOSS"]
NO_GAIN = dqflags.pixel["NO_GAIN_VALUE"]


@dataclass
class Pixel:
    """What is known of a pixel: electrons per DN, electrons of noise of a group, DN/s of dark."""

    dq: int
    gain: np.float64
    noise: np.float64
    dark: np.float64
    settings: RampFitSettings
    median_rate: float = 0.0


@dataclass
class Segment:
    """The fit of one segment, groups ``start <= group < end``."""

    slope: float
    var_poisson: float
    var_rnoise: float
    sigslope: float = 0.0
    yint: float = 0.0
    sigyint: float = 0.0


@dataclass
class Ramp:
    """One integration of a pixel."""

    data: np.ndarray
    groupdq: np.ndarray
    single_time: float  # exposure time of a ramp with one good group
    dq: int
    lost_charge: bool
    unusable: bool
    saturated_groups: int
    original_dq: np.ndarray
    crmag: list[float]
    special: bool = False
    slope: float = 0.0
    var_poisson: float = 0.0
    var_rnoise: float = 0.0
    err: float = 0.0
    pedestal: float = 0.0
    segments: list[Segment] = field(default_factory=list)
    planes: int = 0


def fit_ramps(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    average_dark_current: np.ndarray | None,
    zeroframe: np.ndarray | None,
    settings: RampFitSettings,
    *,
    out: RampFit | None = None,
    row: int = 0,
) -> RampFit:
    """Fit a band; see `webbcal.kernels.ramp_fit.cpu.fit_ramps` for the arguments."""
    check_band(data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe)
    nints, _, ny, nx = data.shape
    rate = Fit.empty((ny, nx)) if out is None else out.rate
    rateints = Fit.empty((nints, ny, nx)) if out is None else out.rateints
    pixels: dict[tuple[int, int], list[Ramp]] = {}
    with np.errstate(all="ignore"):
        # the products are rounded where the official pipeline rounds them
        noise = (readnoise * (gain / np.float64(settings.noise_factor))).astype(np.float32)
        for y, x in np.ndindex(ny, nx):
            dark = 0.0 if average_dark_current is None else average_dark_current[y, x]
            dq = int(pixeldq[y, x]) | (0 if gain[y, x] > 0 else NO_GAIN | DNU)
            constants = (np.float64(gain[y, x]), np.float64(noise[y, x]), np.float64(dark))
            pixel = Pixel(dq, *constants, settings)
            frame = None if zeroframe is None else zeroframe[:, y, x]
            ramps, result = _fit_pixel(pixel, data[:, :, y, x], groupdq[:, :, y, x], frame)
            pixels[y, x] = ramps
            for array, value in zip(rate, result, strict=True):
                array[row + y, x] = value
            for i, ramp in enumerate(ramps):
                values = (ramp.slope, ramp.dq, ramp.var_poisson, ramp.var_rnoise, ramp.err)
                for array, value in zip(rateints, values, strict=True):
                    array[i, row + y, x] = value
        segments = _collect(pixels, nints, (ny, nx)) if settings.save_opt else None
    return RampFit(rate, rateints, segments, bool(((groupdq[:, 0] & SATURATED) != 0).all()))


def _fit_pixel(
    pixel: Pixel, data: np.ndarray, groupdq: np.ndarray, frame: np.ndarray | None
) -> tuple[list[Ramp], tuple[float, int, float, float, float]]:
    """Return the integrations of a pixel, and slope, DQ, variances and error of the exposure."""
    ramps = [
        _prepare(pixel, data[i], groupdq[i], None if frame is None else frame[i]) for i in range(len(data))
    ]
    pixel.median_rate = float(np.mean([_median_rate(pixel, ramp) for ramp in ramps]))
    inverse_poisson = inverse_rnoise = weighted_slope = 0.0
    for ramp in ramps:
        ip, ir, ws = _fit_ramp(pixel, ramp)
        inverse_poisson, inverse_rnoise, weighted_slope = (
            inverse_poisson + ip,
            inverse_rnoise + ir,
            weighted_slope + ws,
        )
    dq = pixel.dq
    for ramp in ramps:
        dq |= ramp.dq & (JUMP | PERSISTENCE)
    for flag in (DNU, SATURATED):
        if all(ramp.dq & flag for ramp in ramps):
            dq |= flag
    var_poisson = _known(1 / inverse_poisson if inverse_poisson > 0 else 0.0)
    var_rnoise = _known(1 / inverse_rnoise if inverse_rnoise > 0 else inverse_rnoise)
    err = np.sqrt(var_poisson + var_rnoise)
    slope = weighted_slope * var_rnoise
    if dq & (DNU | SATURATED):
        slope, var_poisson, var_rnoise, err = np.nan, 0.0, 0.0, 0.0
    for ramp in ramps:
        if ramp.saturated_groups:
            ramp.dq |= SATURATED
            dq |= SATURATED
    if any(ramp.lost_charge for ramp in ramps):
        var_rnoise = _restore_lost_charge(pixel, ramps, var_rnoise)
    return ramps, (slope, dq, var_poisson, var_rnoise, err)


def _known(variance: float) -> float:
    return 0.0 if variance >= LARGE_VARIANCE else variance


def _prepare(pixel: Pixel, data: np.ndarray, groupdq: np.ndarray, zeroframe: float | None) -> Ramp:
    """Apply the rules for ramps with one or no good group, and collect what the flags say."""
    settings, ngroups = pixel.settings, len(data)
    suppress = settings.suppress_one_group and ngroups > 1
    group_time, frame_time, first_time = settings.times
    dq: np.ndarray = groupdq.astype(int) | np.where(np.isfinite(data), 0, DNU)  # others are no samples
    original_dq = dq.copy()
    values = np.where(dq & SATURATED, np.nan, data.astype(np.float64))
    jumps = [g for g in range(1, ngroups) if dq[g] & JUMP]
    crmag = [values[g] - values[g - 1] for g in jumps]
    if suppress and np.count_nonzero((dq & ~PERSISTENCE) == 0) == 1:
        dq |= DNU
    saturated = np.count_nonzero(dq & SATURATED)
    unusable = np.count_nonzero(dq & (DNU | SATURATED))
    lost_charge = bool((dq & CHARGELOSS).any())
    union = int(np.bitwise_or.reduce(dq))
    good = np.count_nonzero(dq == 0)
    single_time, special = group_time, False
    if not suppress and good == 1 and dq[0] == 0:
        single_time, special = first_time, True
    elif not suppress and good == 0 and zeroframe is not None and zeroframe != 0:
        values[0], dq[0] = zeroframe, 0
        single_time, special = frame_time, True
        unusable -= 1
        saturated -= saturated == ngroups
    return Ramp(
        values,
        dq,
        single_time,
        pixel.dq | (union & (JUMP | PERSISTENCE)),
        lost_charge,
        unusable == ngroups,
        int(saturated),
        original_dq,
        crmag,
        special,
    )


def _median_rate(pixel: Pixel, ramp: Ramp) -> float:
    """Median of the differences of usable groups, per second."""
    group_time, _, first_time = pixel.settings.times
    if len(ramp.data) == 1:
        return float(ramp.data[0] / first_time)
    if ramp.special:
        rate = ramp.data[0] / ramp.single_time
    else:
        values = np.where(ramp.groupdq & DNU, np.nan, ramp.data)
        diffs = np.where(ramp.groupdq[1:] & JUMP, np.nan, np.diff(values))
        diffs = diffs[~np.isnan(diffs)]
        rate = (np.median(diffs) if diffs.size else values[0]) / group_time
    return 0.0 if np.isnan(rate) else float(rate)


def _segments(groupdq: np.ndarray) -> tuple[list[tuple[int, int]], int]:
    """Cut a ramp into segments.

    A segment is a run of good groups, with the group before it if that one's only flag is JUMP_DET. Segments
    of one group count only if there are none longer, and then the first only.

    Returns
    -------
    list of (int, int)
        First group, and one past the last.
    int
        How many planes the official pipeline reserves for them: without longer ones, one for each segment of
        one group.
    """
    flags = groupdq & ~PERSISTENCE
    found, start = [], -1
    for g in range(len(flags) + 1):
        good = g < len(flags) and flags[g] == 0
        if good and start < 0:
            start = g - 1 if g > 0 and flags[g - 1] == JUMP else g
        if not good and start >= 0:
            found.append((start, g))
            start = -1
    longer = [(a, b) for a, b in found if b - a > 1]
    return (longer, len(longer)) if longer else (found[:1], len(found))


def _fit_ramp(pixel: Pixel, ramp: Ramp) -> tuple[float, float, float]:
    """Fit the segments of a ramp and average them.

    Returns the inverse variances (photon and read noise) and the slope over the read noise variance, which
    add up over the integrations.
    """
    sums = (0.0, 0.0, 0.0)
    if ramp.groupdq[0] & SATURATED:
        ramp.dq |= DNU | SATURATED
        ramp.slope = np.nan
    else:
        spans, ramp.planes = _segments(ramp.groupdq)
        if ramp.unusable:
            ramp.dq |= DNU
            ramp.dq |= SATURATED if ramp.saturated_groups == len(ramp.data) else 0
        elif spans:
            ramp.segments = [_fit_segment(pixel, ramp, a, b) for a, b in spans]
            sums = _average(ramp)
    if ramp.dq & DNU:
        ramp.slope = np.nan
    if not ramp.dq & SATURATED:
        pedestal = ramp.data[0] - ramp.slope * pixel.settings.pedestal_groups
        ramp.pedestal = 0.0 if np.isnan(pedestal) else pedestal
    else:
        ramp.slope = np.nan
    return sums


def _average(ramp: Ramp) -> tuple[float, float, float]:
    poisson = float(sum(1 / s.var_poisson for s in ramp.segments if s.var_poisson > 0))
    rnoise = sum(1 / np.float64(s.var_rnoise) for s in ramp.segments)
    both = sum(1 / np.float64(s.var_poisson + s.var_rnoise) for s in ramp.segments)
    weighted = sum(s.slope / np.float64(s.var_rnoise) for s in ramp.segments)
    if not ramp.dq & (DNU | SATURATED):
        ramp.var_poisson = _known(1 / poisson) if poisson > 0 else 0.0
        ramp.var_rnoise = _known(1 / rnoise)
        ramp.slope = weighted * ramp.var_rnoise
        ramp.err = 0.0 if 1 / both > LARGE_VARIANCE else np.sqrt(1 / both)
    else:
        ramp.slope = np.nan
    return poisson, rnoise, weighted


def _read_noise_variance(pixel: Pixel, ramp: Ramp, length: int) -> float:
    """Read noise variance of the slope of a segment."""
    time = ramp.single_time if length == 1 else pixel.settings.times[0]
    if length > 2 and not pixel.gain > 0:
        return 0.0
    n = max(length, 2)
    return 12 * (pixel.noise / time) ** 2 / ((n**3 - n) * pixel.gain**2)


def _fit_segment(pixel: Pixel, ramp: Ramp, start: int, end: int) -> Segment:
    """Fit a line to groups ``start <= group < end``."""
    group_time = pixel.settings.times[0]
    y, length = ramp.data[start:end], end - start
    time = ramp.single_time if length == 1 else group_time * (length - 1)
    rate = pixel.median_rate if pixel.median_rate > 0 else 0.0
    var_poisson = (rate + pixel.dark) / (time * pixel.gain)
    var_rnoise = _read_noise_variance(pixel, ramp, length)
    if length == 1:
        return Segment(y[0] / time, var_poisson, var_rnoise)
    if length == 2:
        error = np.sqrt(2) * pixel.noise
        intercept = y[1] * -start + y[0] * (start + 1)
        return Segment((y[1] - y[0]) / time, var_poisson, var_rnoise, error, intercept, error)
    x = np.arange(length) - (length - 1) / 2
    power = _power(pixel, y[-1] - y[0])
    w = np.abs(x / x[-1]).astype(np.float32) ** np.float32(power) / pixel.noise**2
    x += start + (length - 1) / 2
    y = np.where(np.isnan(y), 0.0, y)
    sw, sx, sxx, sy, sxy = w.sum(), (w * x).sum(), (w * x * x).sum(), (w * y).sum(), (w * x * y).sum()
    determinant = sw * sxx - sx * sx
    return Segment(
        (sw * sxy - sx * sy) / determinant / group_time,
        var_poisson,
        var_rnoise,
        np.sqrt(sw / determinant),
        (sxx * sy - sx * sxy) / determinant,
        np.sqrt(sxx / determinant),
    )


def _power(pixel: Pixel, signal: float) -> float:
    """Choose the weighting power by the signal-to-noise ratio of a segment (the last if that is NaN)."""
    variance = pixel.noise**2 + signal * pixel.gain
    ratio = 0.0 if variance <= 0 or pixel.gain == 0 else signal * pixel.gain / np.sqrt(variance)
    for limit, power in zip(SNR_LIMITS, POWERS, strict=False):
        if ratio < limit:
            return power
    return POWERS[-1]


def _restore_lost_charge(pixel: Pixel, ramps: list[Ramp], var_rnoise: float) -> float:
    """Compute read noise variances as if no group had been dropped for charge migration.

    The loss of groups says something about the star, not about the noise: weights of neighbouring pixels in
    later combinations must not depend on it.
    """
    total = 0.0
    for ramp in ramps:
        if not ramp.lost_charge:
            total += 1 / ramp.var_rnoise if ramp.var_rnoise > 0 else 0.0
            continue
        dq = np.where(ramp.original_dq & CHARGELOSS, ramp.original_dq ^ (CHARGELOSS | DNU), ramp.original_dq)
        variances = [_read_noise_variance(pixel, ramp, b - a) for a, b in _segments(dq)[0]]
        inverse = np.float64(sum(1 / v for v in variances if v > 0))
        ramp.var_rnoise = _known(1 / inverse)
        total += inverse
    return _known(1 / total if total > 0 else var_rnoise)


def _collect(pixels: dict[tuple[int, int], list[Ramp]], nints: int, image: tuple[int, int]) -> SegmentFits:
    ramps = [ramp for pixel in pixels.values() for ramp in pixel]
    planes = max((ramp.planes for ramp in ramps), default=0)
    fits = SegmentFits.zeros(nints, planes, max((len(ramp.crmag) for ramp in ramps), default=0), image)
    for (y, x), ints in pixels.items():
        for i, ramp in enumerate(ints):
            fits.pedestal[i, y, x] = ramp.pedestal
            fits.crmag[i, : len(ramp.crmag), y, x] = ramp.crmag
            for s, segment in enumerate(ramp.segments):
                for name in ("slope", "sigslope", "var_poisson", "var_rnoise", "yint", "sigyint"):
                    getattr(fits, name)[i, s, y, x] = getattr(segment, name)
                fits.weights[i, s, y, x] = 1 / np.float64(segment.var_rnoise)
    return fits
