"""Ramp fitting, compiled.

A row is worked on in blocks of `LANES` pixels, in stages, a file each: gather the ramps of a block
(`gathering`), sort their differences for the median rate (`first_rates`; all lanes at once, see `sortnet`),
fit the lanes without gaps together (`clean`) and the others from a small buffer, one by one (`lanes`, from
`segments`), store the block (`storing`).

Functions that run once a pixel take plain arrays and indices: slices and named tuples of arrays cost
reference counting, many atomic operations a pixel.
"""

from __future__ import annotations

import numpy as np

from webbcal.kernels.compiling import kernel
from webbcal.kernels.ramp_fit.clean import fit_clean
from webbcal.kernels.ramp_fit.first_rates import median_steps, prepare
from webbcal.kernels.ramp_fit.formulas import SATURATED
from webbcal.kernels.ramp_fit.gathering import find_windows, gather, gather_pixels
from webbcal.kernels.ramp_fit.lanes import fit_lanes
from webbcal.kernels.ramp_fit.results import Fit, RampFit, SegmentFits, Shares, empty_shares
from webbcal.kernels.ramp_fit.scratch import scratch_arrays
from webbcal.kernels.ramp_fit.settings import RampFitSettings, check_band, weights
from webbcal.kernels.ramp_fit.storing import load_sums, store, store_jumps, store_sums
from webbcal.kernels.sortnet import LANES


@kernel
def _fit(  # type: ignore[no-untyped-def]
    data, groupdq, pixeldq, gain, readnoise, dark, zeroframe, times, pedestal_groups, noise_factor, suppress,
    coefficients, moments, out_row, rate, rateints, fits, rates, sums_of, bits_of, block, single,
):  # fmt: skip
    """Fit a band; return the number of planes that segments, and jumps, need.

    With `rates`, the band is a part of the integrations: their shares are added to `sums_of` and `bits_of`,
    and `rate` is not touched.
    """
    folding = rates.shape[0] > 0
    nints, ngroups, rows, nx = data.shape
    ramp, flags, union, steps, constants, value, out_dq = block[:7]
    count, ordered, comparisons, photons, power, totals, given, start, common, any_dq, window, odd = block[7:]
    y, dq, info, sums, total, spans, line = single
    planes = jumps = 0
    for row in range(rows):
        for x0 in range(0, nx, LANES):
            lanes = min(LANES, nx - x0)
            gather(data, groupdq, row, x0, lanes, ramp, flags, union)
            find_windows(flags, union, lanes, window, odd)
            gather_pixels(pixeldq, gain, readnoise, dark, noise_factor, row, x0, lanes, constants, out_dq)
            if not folding:
                for i in range(nints):
                    median_steps(ramp, flags, ngroups, i, ordered, comparisons, count, steps)
            if folding:
                load_sums(rates, sums_of, row, x0, lanes, given, start, common, any_dq)
            if ngroups > 2:
                fit_clean(
                    ramp, steps, constants, times[0], coefficients, folding, given, start, photons, power,
                    totals, value, window, odd,
                )  # fmt: skip
            n = fit_lanes(
                ramp, flags, odd, steps, constants, value, out_dq, lanes, zeroframe, row, x0, times,
                pedestal_groups, suppress, coefficients, moments, fits, y, dq, info, sums, total, spans, line,
                folding, given, start, totals, common, any_dq,
            )  # fmt: skip
            planes = max(planes, n)
            jumps = max(jumps, store_jumps(ramp, flags, union, ngroups, lanes, fits[8], row, x0))
            for i in range(nints):
                store(value, out_dq, i, lanes, rateints, i, out_row + row, x0)
            if folding:
                store_sums(totals, common, any_dq, row, x0, lanes, sums_of, bits_of)
            else:
                store(value, out_dq, nints, lanes, rate, 0, out_row + row, x0)
    return planes, jumps


@kernel
def _add_median_rates(data, groupdq, zeroframe, times, suppress, rates, block, single):  # type: ignore[no-untyped-def]
    """Add the median rate of each integration to `rates`, in order."""
    nints, ngroups, rows, nx = data.shape
    k = nints * ngroups
    (ramp, flags, union, steps), (count, ordered, comparisons), (window, odd) = (
        block[:4],
        block[7:10],
        block[-2:],
    )
    y, dq, info = single[:3]
    for row in range(rows):
        for x0 in range(0, nx, LANES):
            lanes = min(LANES, nx - x0)
            gather(data, groupdq, row, x0, lanes, ramp, flags, union)
            for i in range(nints):
                median_steps(ramp, flags, ngroups, i, ordered, comparisons, count, steps)
            find_windows(flags, union, lanes, window, odd)
            for lane in range(lanes):
                regular = odd[lane] == 0
                for i in range(nints):
                    regular = regular and steps[i, lane] == steps[i, lane]
                if regular:
                    for i in range(nints):
                        rates[row, x0 + lane] += steps[i, lane] / times[0]
                    continue
                for j in range(k):
                    y[j], dq[j] = ramp[j, lane], flags[j, lane]
                for i in range(nints):
                    zero = np.float64(zeroframe[i, row, x0 + lane]) if zeroframe.shape[0] > 0 else 0.0
                    _, rate = prepare(
                        y, dq, i * ngroups, ngroups, suppress, times, zero, steps[i, lane], info, i
                    )
                    rates[row, x0 + lane] += rate


#: Arrays of a band, as `fit_ramps` takes them.
Band = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]


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
    """Fit slopes to the ramps of a band.

    Parameters
    ----------
    data : array of float32, shape (nints, ngroups, ny, nx)
        Ramps in DN.
    groupdq : array of uint8, like `data`
    pixeldq : array of uint32, shape (ny, nx)
    gain, readnoise : array of float32, shape (ny, nx)
        Electrons per DN, and noise of the difference of two frames in DN.
    average_dark_current : array of float32, shape (ny, nx), or None
        DN/s, for the photon noise.
    zeroframe : array of float32, shape (nints, ny, nx), or None
        First frames, corrected like `data`; 0 where unusable.
    settings : RampFitSettings
    out : RampFit, optional
        Results of the whole frame, whose `rate` and `rateints` receive this band at `row`.
    row : int
        The first row of the band in `out`.

    Returns
    -------
    RampFit
        `out`'s arrays, or new ones of this band; segments are always those of this band.

    Raises
    ------
    ValueError
        If an array has another type, shape or memory layout than stated.
    """
    band = data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe
    check_band(*band)
    nints, _, ny, nx = data.shape
    rate = Fit.empty((ny, nx)) if out is None else out.rate
    rateints = Fit.empty((nints, ny, nx)) if out is None else out.rateints
    whole = np.zeros((0, 0)), empty_shares((0, 0))
    segments = _run(band, settings, int(row), rate, rateints, *whole)
    saturated = bool((groupdq[:, 0] & np.uint8(SATURATED)).all())
    return RampFit(rate, rateints, segments, saturated)


def _run(
    band: Band,
    settings: RampFitSettings,
    row: int,
    rate: Fit,
    rateints: Fit,
    rates: np.ndarray,
    shares: Shares,
) -> SegmentFits | None:
    """Fit a band; return its segments if they are wanted, whose sizes are known after a first fit."""
    data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe = band
    nints, ngroups, ny, nx = data.shape
    dark = np.zeros((ny, nx), np.float32) if average_dark_current is None else average_dark_current
    zero = np.zeros((0, 0, 0), np.float32) if zeroframe is None else zeroframe
    table = weights(ngroups)
    arguments = (
        data, groupdq, pixeldq, gain, readnoise, dark, zero, settings.times, settings.pedestal_groups,
        settings.noise_factor, settings.suppress_one_group and ngroups > 1, table.coefficients, table.moments,
        row, tuple(array[np.newaxis] for array in rate), tuple(rateints),
    )  # fmt: skip
    fits = SegmentFits.zeros(nints, 0, 0, (0, 0))
    if not settings.save_opt:
        _fit(*arguments, tuple(fits), rates, *shares, *scratch_arrays(nints, ngroups))
        return None
    unused = (share.copy() for share in shares)
    planes, jumps = _fit(*arguments, tuple(fits), rates, *unused, *scratch_arrays(nints, ngroups))
    fits = SegmentFits.zeros(nints, planes, jumps, (ny, nx))
    _fit(*arguments, tuple(fits), rates, *shares, *scratch_arrays(nints, ngroups, save=True))
    return fits


def add_median_rates(
    data: np.ndarray,
    groupdq: np.ndarray,
    zeroframe: np.ndarray | None,
    settings: RampFitSettings,
    rates: np.ndarray,
) -> None:
    """Add the median rates of some integrations, DN/s, to `rates` (float64, (ny, nx))."""
    zero = np.zeros((0, 0, 0), np.float32) if zeroframe is None else zeroframe
    suppress = settings.suppress_one_group and data.shape[1] > 1
    scratch = scratch_arrays(*data.shape[:2])
    _add_median_rates(data, groupdq, zero, settings.times, suppress, rates, *scratch)


def fit_integrations(
    data: np.ndarray,
    groupdq: np.ndarray,
    pixeldq: np.ndarray,
    gain: np.ndarray,
    readnoise: np.ndarray,
    average_dark_current: np.ndarray | None,
    zeroframe: np.ndarray | None,
    settings: RampFitSettings,
    rates: np.ndarray,
    shares: Shares,
) -> tuple[Fit, SegmentFits | None]:
    """Fit some integrations of an exposure whose others are fitted apart, to the same bits.

    Parameters
    ----------
    data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe, settings
        As for `fit_ramps`.
    rates : array of float64, shape (ny, nx)
        The mean of the median rates of all integrations of the exposure (`add_median_rates`), DN/s: the
        photon noise of each depends on it.
    shares : Shares
        Receives what the integrations contribute to the exposure; they must come in order.

    Returns
    -------
    Fit
        Of the integrations.
    SegmentFits or None
        With ``save_opt`` only.
    """
    band = data, groupdq, pixeldq, gain, readnoise, average_dark_current, zeroframe
    check_band(*band)
    nints, _, ny, nx = data.shape
    rateints = Fit.empty((nints, ny, nx))
    return rateints, _run(band, settings, 0, Fit.empty((0, 0)), rateints, rates, shares)


def warm_up() -> None:
    """Compile what is not compiled yet."""
    data, groupdq = np.zeros((1, 3, 1, 1), np.float32), np.zeros((1, 3, 1, 1), np.uint8)
    pixel = np.ones((1, 1), np.float32)
    settings = RampFitSettings(group_time=1.0, frame_time=1.0)
    fit_ramps(data, groupdq, np.zeros((1, 1), np.uint32), pixel, pixel, None, None, settings)
    add_median_rates(data, groupdq, None, settings, np.zeros((1, 1)))
