"""What ramp fitting returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


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


def merge_segments(bands: Sequence[SegmentFits]) -> SegmentFits:
    """Join the segment fits of consecutive bands of rows, padded to the longest second axes."""
    nints, _, _, nx = bands[0].slope.shape
    ny = sum(band.slope.shape[2] for band in bands)
    longest = max(band.slope.shape[1] for band in bands)
    jumps = max(band.crmag.shape[1] for band in bands)
    merged = SegmentFits.zeros(nints, longest, jumps, (ny, nx))
    y = 0
    for band in bands:
        rows = band.slope.shape[2]
        for whole, part in zip(merged, band, strict=True):
            target = whole[..., y : y + rows, :]
            target[:, : part.shape[1]] = part  # for the pedestal, the second axis is all its rows
        y += rows
    return merged
