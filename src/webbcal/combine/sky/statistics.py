"""The sky level of many pixels: clipped mean, median, mid-point or mode.

As IRAF's ``gstatistics`` and the field's ``imagestats``: clipping about the mean, then a histogram with bins
of a fraction of the standard deviation; its peak (interpolated by a parabola) or half-way point is the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.kernels.distribution.reference import Moments

if TYPE_CHECKING:
    from webbcal.kernels.distribution.cpu import Part

distribution = kernels.get("distribution")

F32 = NDArray[np.float32]

#: Bins narrower than this make no histogram.
_TINY = 10.0 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class SkyStatistic:
    """Which statistic, of which values; names as in the parameters of `skymatch`.

    Attributes
    ----------
    skystat : str
        ``mean``, ``median``, ``midpt`` or ``mode``.
    lower, upper : float, optional
        Limits of the values used.
    nclip : int
        Rounds of clipping.
    lsigma, usigma : float
        Limits of clipping, in standard deviations below and above the mean.
    binwidth : float
        Width of a bin, in standard deviations.
    """

    skystat: Literal["mean", "median", "midpt", "mode"] = "mode"
    lower: float | None = None
    upper: float | None = None
    nclip: int = 5
    lsigma: float = 4.0
    usigma: float = 4.0
    binwidth: float = 0.1

    def __call__(self, values: Part | F32) -> tuple[float, int] | None:
        """Return the level and how many values it is of; None if no value is within the limits.

        Parameters
        ----------
        values : Part, or (n,) float32
            A part of an image, or finite values.
        """
        part = values if isinstance(values, distribution.Part) else distribution.Part.of(values)
        if not part.size:
            return None
        clipped = self._clip(part)
        if clipped is None:
            return None
        moments, low, high = clipped
        level = self._level(part, moments, low, high)
        return (level, moments.number) if np.isfinite(level) else None

    def _clip(self, part: Part) -> tuple[Moments, float, float] | None:
        """Return the moments of what is left, and the limits."""
        everything = distribution.moments(part, -np.inf, np.inf)
        lowest = float(everything.smallest) if self.lower is None else self.lower
        highest = float(everything.largest) if self.upper is None else self.upper
        low, high = lowest, highest
        for remaining in range(self.nclip, -1, -1):
            moments = distribution.moments(part, low, high)
            if not moments.number:
                return None
            if remaining:
                low = max(lowest, float(moments.mean) - self.lsigma * float(moments.stddev))
                high = min(highest, float(moments.mean) + self.usigma * float(moments.stddev))
        return moments, low, high

    def _level(self, part: Part, m: Moments, low: float, high: float) -> float:
        if self.skystat == "mean":
            return float(m.mean)
        if self.skystat == "median":
            # The limits of the first round do not count, as in the field.
            kept = distribution.between(part, *((low, high) if self.nclip else (-np.inf, np.inf)))
            return float(np.median(kept)) if kept.size else np.nan
        width, span = self.binwidth * float(m.stddev), float(m.largest) - float(m.smallest)
        smallest = float(m.smallest)
        if not (width >= _TINY and span >= _TINY and width <= span):
            # All values are equal, or nearly: there is nothing to interpolate.
            return smallest + 0.5 * width
        nbins = int(span / width) + 1
        counts = distribution.histogram(part, nbins, span / (nbins - 1), smallest)
        position = _peak(counts) if self.skystat == "mode" else _half_way(counts)
        return smallest + position * width


def _peak(counts: NDArray[np.int64]) -> float:
    """Return the position of the highest bin, in bins from the lower edge of the first."""
    if counts.size == 2:
        return 1.0 + 0.5 * float(np.sign(counts[1] - counts[0]))
    peak = int(np.argmax(counts))
    if peak in (0, counts.size - 1):
        return peak + 0.5
    left, right = counts[peak] - counts[peak - 1], counts[peak] - counts[peak + 1]
    return peak + 0.5 if left + right == 0 else peak + 0.5 + 0.5 * float(left - right) / float(left + right)


def _half_way(counts: NDArray[np.int64]) -> float:
    """Return the position below which half of the values are, in bins from the lower edge of the first."""
    share = np.cumsum(counts).astype(np.float32)
    share /= share[-1]
    bin_ = int(np.argmax(share >= 0.5))
    before = float(share[bin_ - 1]) if bin_ else 0.0
    inside = float(share[bin_]) - before
    return bin_ + (0.5 - before) / inside if inside else float(bin_)
