"""Parameters for `clean_flicker_noise` by the look of an exposure (images of NIRCam and NIRISS).

A quick cleaning of the draft rate shows how much of the image is masked, how the background slopes, and
whether the amplifiers differ. Limits and decisions are those that the field's pipeline has found by trial.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.detector.draft_rate import draft_rate
from webbcal.detector.flicker_frame import filled_flat, modelled_background
from webbcal.run.engine.operation import Survey
from webbcal.run.exposure import Exposure

flicker = kernels.get("flicker")

log = logging.getLogger(__name__)

F32 = NDArray[np.float32]

#: Parts of the axes over which profiles are taken.
_MIDDLE = (Fraction(3, 8), Fraction(5, 8))
_FIRST_CHANNEL = (Fraction(10, 12), Fraction(11, 12))
_CHANNELS, _CHANNEL_SIZE = 4, 512


@dataclass(frozen=True)
class Limits:
    """From where on something is high.

    Attributes
    ----------
    masked : float
        Masked part of the image.
    steep_between_channels : float
        Slope of the background (DN/s a pixel) where amplifiers differ.
    slope_ratio : float
        Larger over smaller of the slopes along both axes.
    channel_sigma : float
        Scatter of the profile around its slope, DN/s.
    offset, steep : float
        Difference of neighbouring amplifiers, DN/s; slope of the background where they do not differ.
    """

    masked: float
    steep_between_channels: float
    slope_ratio: float
    channel_sigma: float = 0.02
    offset: float = 0.07
    steep: float = 1e-5


@dataclass(frozen=True)
class Look:
    """What is seen in a quickly cleaned image; see `Limits`."""

    masked: float
    offset: float
    slope: float
    slope_ratio: float
    channel_sigma: float


_LIMITS = {
    "NIS_IMAGE": Limits(masked=0.07, steep_between_channels=1e-4, slope_ratio=5.0),
    "NRC_IMAGE": Limits(masked=0.1, steep_between_channels=1e-5, slope_ratio=3.0),
}


def knows(exposure: Exposure) -> bool:
    """Tell whether there are rules for this kind of exposure."""
    return exposure.exp_type in _LIMITS


def choose(exposure: Exposure, references: Mapping[str, Any], survey: Survey) -> dict[str, Any]:
    """Return the parameters that are chosen: names and values."""
    reference = references.get("flat")
    flat = None if reference is None else filled_flat(reference.read("data"))
    image, mask = _quickly_cleaned(exposure, references, survey, flat)
    look = _look(image, mask, exposure)
    log.debug("clean_flicker_noise: %s", look)
    method, by_channel = decide(look, _LIMITS[exposure.exp_type])
    return {"apply_flat_field": flat is not None, "background_method": method, "fit_by_channel": by_channel}


def decide(look: Look, limits: Limits) -> tuple[str, bool]:
    """Return the method for the background, and whether amplifiers are fitted by themselves."""
    crowded = look.masked >= limits.masked
    uneven = look.offset >= limits.offset
    steep, very_steep = look.slope >= limits.steep, look.slope >= limits.steep_between_channels
    if uneven and not crowded:
        return "median", True
    if crowded:
        return ("model" if (very_steep if uneven else steep) else "median"), False
    modelled = very_steep or (steep and look.slope_ratio < limits.slope_ratio)
    return ("model" if modelled else "median"), look.offset > 0 and look.channel_sigma >= limits.channel_sigma


def _quickly_cleaned(
    exposure: Exposure, references: Mapping[str, Any], survey: Survey, flat: F32 | None
) -> tuple[F32, NDArray[np.bool_]]:
    """Return the draft rate after a cleaning by medians, and its mask of the background."""
    image = draft_rate(exposure, references, survey).data
    if flat is not None:
        image /= flat
    mask = np.ones(image.shape, np.bool_)
    missing = np.isnan(image)
    known = ~missing
    level = flicker.clipped_statistics(image[known])
    mask &= ~(image < level.median - 3.0 * level.std) & ~(image > level.median + 2.0 * level.std)
    image[missing] = 0.0
    mask &= known
    background = flicker.subtract_level(image, mask, 0.0)
    flicker.clip_to_background(image, mask, 3.0, 2.0)
    flicker.subtract_stripes(image, mask, abs(exposure.slowaxis) - 1, 1)
    image += background
    image[missing] = np.nan
    return image, mask


def _look(image: F32, mask: NDArray[np.bool_], exposure: Exposure) -> Look:
    """Measure an image whose light is replaced by a smooth background."""
    background = modelled_background(image, mask, None)
    image = np.where(mask, image, background).astype(np.float32)
    columns, rows = _profile(image, 0, _MIDDLE), _profile(image, 1, _MIDDLE)
    column_slope, column_sigma = _line(columns)
    row_slope, _ = _line(rows)
    slopes = np.abs([row_slope, column_slope])
    with np.errstate(divide="ignore"):
        ratio = np.float64(slopes.max()) / np.float64(slopes.min())
    if (
        exposure.exp_type == "NIS_IMAGE"
    ):  # amplifiers lie above each other, and the first is unlike the others
        _, sigma = _line(_profile(image, 0, _FIRST_CHANNEL))
        offset = _largest_offset(rows)
    else:
        sigma, offset = column_sigma, _largest_offset(columns)
    masked = np.sum(~mask) / mask.size
    return Look(float(masked), offset, float(slopes.max()), float(ratio), sigma)


def _profile(image: F32, axis: int, part: tuple[Fraction, Fraction]) -> F32:
    """Return the mean along an axis, over a part of it."""
    start, stop = (round(fraction * image.shape[axis]) for fraction in part)
    some = image[start:stop] if axis == 0 else image[:, start:stop]
    mean: F32 = np.nanmean(some, axis=axis)
    return mean


def _line(profile: F32) -> tuple[float, float]:
    """Return the slope of a profile, and the scatter around it."""
    good = np.isfinite(profile)
    x = np.arange(profile.size)[good]
    fitted = np.polynomial.Polynomial.fit(x, profile[good], deg=1)
    coefficients = fitted.convert().coef
    return (float(coefficients[1]) if len(coefficients) > 1 else 0.0), _clipped_std(
        profile[good] - fitted(x), 10.0
    )


def _clipped_std(values: NDArray[np.floating], sigma: float) -> float:
    from astropy.stats import sigma_clipped_stats

    return float(sigma_clipped_stats(values, sigma=sigma)[2])


def _largest_offset(profile: F32) -> float:
    """Return the largest difference of neighbouring amplifiers; 0 for subarrays."""
    from astropy.stats import sigma_clipped_stats

    if profile.size != _CHANNELS * _CHANNEL_SIZE:
        return 0.0
    means = [sigma_clipped_stats(part, sigma=3.0)[0] for part in np.split(profile, _CHANNELS)]
    return float(np.max(np.abs(np.diff(means))))
