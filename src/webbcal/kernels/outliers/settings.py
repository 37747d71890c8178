"""Thresholds of outlier detection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How far a pixel may be from its model.

    A model that was resampled is also off where it is steep, so a part of the slope there is allowed for.

    Attributes
    ----------
    snr : tuple of float
        Deviation in units of the error: that of a first outlier, and of its neighbours.
    scale : tuple of float
        Share of the slope of the model that is added to it, for the same two; not negative.
    background : float
        Level of the image above the model.
    """

    snr: tuple[float, float] = (5.0, 4.0)
    scale: tuple[float, float] = (1.2, 0.7)
    background: float = 0.0
