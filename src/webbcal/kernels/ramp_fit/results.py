"""What ramp fitting returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from webbcal.core import dqflags
from webbcal.kernels.ramp_fit.settings import LARGE_VARIANCE

_DO_NOT_USE, _SATURATED, _JUMP, _PERSISTENCE, _CHARGELOSS, _NO_GAIN = (
    np.uint32(dqflags.pixel[name])
    for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET", "PERSISTENCE", "CHARGELOSS", "NO_GAIN_VALUE")
)


class Fit(NamedTuple):
    """Count rates with their errors: of the exposure, (ny, nx), or of integrations, (nints, ny, nx).

    Attributes
    ----------
    slope, err : array of float32
        Rate and its standard error, DN/s.
    dq : array of uint32
    var_poisson, var_rnoise : array of float32
        Variances due to photon noise and read noise, (DN/s)².
    """

    slope: np.ndarray
    dq: np.ndarray
    var_poisson: np.ndarray
    var_rnoise: np.ndarray
    err: np.ndarray

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Fit:
        """Allocate arrays to be filled."""
        f, u = np.float32, np.uint32
        return cls(*(np.empty(shape, dtype) for dtype in (f, u, f, f, f)))


class SegmentFits(NamedTuple):
    """The fit of every segment of every ramp: arrays (nints, nsegments, ny, nx), 0 where there is none.

    `pedestal` is (nints, ny, nx), and `crmag` (nints, njumps, ny, nx).
    """

    slope: np.ndarray
    sigslope: np.ndarray
    var_poisson: np.ndarray
    var_rnoise: np.ndarray
    yint: np.ndarray
    sigyint: np.ndarray
    weights: np.ndarray
    pedestal: np.ndarray
    crmag: np.ndarray

    @classmethod
    def zeros(cls, nints: int, segments: int, jumps: int, image: tuple[int, int]) -> SegmentFits:
        """Allocate arrays of zeros for up to `segments` segments and `jumps` jumps an integration."""
        shapes = [(nints, segments, *image)] * 7 + [(nints, *image), (nints, jumps, *image)]
        return cls(*(np.zeros(shape, np.float32) for shape in shapes))


@dataclass(frozen=True, slots=True)
class RampFit:
    """Result of `fit_ramps`.

    Attributes
    ----------
    rate, rateints : Fit
        Of the exposure and of each integration.
    segments : SegmentFits or None
        With ``save_opt`` only; second axes as long as this band needs.
    all_saturated : bool
        Whether the first group of every ramp of this band is saturated. When that holds for all bands, the
        official pipeline makes no product.
    """

    rate: Fit
    rateints: Fit
    segments: SegmentFits | None = None
    all_saturated: bool = False


class Shares(NamedTuple):
    """What integrations contribute to the exposure, added up in order.

    Attributes
    ----------
    sums : array of float64, shape (4, ny, nx)
        Inverse variances (photon noise, read noise), slopes over read noise variances, and inverse read noise
        variances as if no group had been dropped for charge migration.
    bits : array of uint32, shape (2, ny, nx)
        Of DO_NOT_USE and SATURATED those that all integrations have, and the flags that any has.
    """

    sums: np.ndarray
    bits: np.ndarray


def empty_shares(image: tuple[int, int]) -> Shares:
    """Return the shares of no integration."""
    bits = np.zeros((2, *image), np.uint32)
    bits[0] = _DO_NOT_USE | _SATURATED
    return Shares(np.zeros((4, *image)), bits)


def combine(shares: Shares, pixeldq: np.ndarray, gain: np.ndarray) -> Fit:
    """Return the rate of an exposure from the shares of all its integrations.

    Parameters
    ----------
    shares : Shares
    pixeldq : array of uint32, shape (ny, nx)
    gain : array of float32, shape (ny, nx)
    """
    (poisson, rnoise, weighted, restored), (common, union) = shares.sums, shares.bits
    dq = pixeldq | np.where(gain > 0, np.uint32(0), _NO_GAIN | _DO_NOT_USE) | common
    dq |= union & (_JUMP | _PERSISTENCE)
    with np.errstate(all="ignore"):
        var_poisson = _known(np.where(poisson > 0, 1.0 / poisson, 0.0))
        var_rnoise = _known(np.where(rnoise > 0, 1.0 / rnoise, rnoise))
        slope, err = weighted * var_rnoise, np.sqrt(var_poisson + var_rnoise)
        bad = (dq & (_DO_NOT_USE | _SATURATED)) != 0
        slope[bad] = np.nan
        for values in (var_poisson, var_rnoise, err):
            values[bad] = 0.0
        lost = (union & _CHARGELOSS) != 0
        var_rnoise[lost] = _known(np.where(restored > 0, 1.0 / restored, var_rnoise))[lost]
        fit = Fit.empty(dq.shape)
        for target, values in zip(fit, (slope, dq, var_poisson, var_rnoise, err), strict=True):
            target[...] = values
    fit.dq[...] |= union & _SATURATED
    return fit


def _known(variance: np.ndarray) -> np.ndarray:
    return np.where(variance >= LARGE_VARIANCE, 0.0, variance)


def merge_segments(pieces: Sequence[tuple[int, int, SegmentFits]]) -> SegmentFits:
    """Join the segment fits of all pieces of an exposure, padded to the longest second axes.

    Parameters
    ----------
    pieces : sequence of (int, int, SegmentFits)
        First row and first integration of each piece, and its fits; all are as wide as the exposure.
    """
    nx = pieces[0][2].slope.shape[-1]
    ny = max(row + fits.slope.shape[2] for row, _, fits in pieces)
    nints = max(first + len(fits.slope) for _, first, fits in pieces)
    longest = max(fits.slope.shape[1] for *_, fits in pieces)
    jumps = max(fits.crmag.shape[1] for *_, fits in pieces)
    merged = SegmentFits.zeros(nints, longest, jumps, (ny, nx))
    for row, first, fits in pieces:
        for whole, part in zip(merged, fits, strict=True):
            rows = slice(row, row + part.shape[-2])
            target = whole[first : first + len(part), ..., rows, :]
            if part.ndim == 3:  # the pedestal
                target[...] = part
            else:
                target[:, : part.shape[1]] = part
    return merged
