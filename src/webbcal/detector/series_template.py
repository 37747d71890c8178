"""The ramp that all integrations of a series have in common, scaled to each of them.

In a time series each integration is the same image times the star's light curve. With that image subtracted,
group by group, nothing but noise is left, and 1/f noise can be measured on every pixel of the background
without any difference of groups. Two ways:

- ``median_image``, as jwst has it: the median of all integrations, scaled by their light (`series_light`).
- ``scaled_mean``: the mean of the integrations out of the event (transit, eclipse), outliers left out, scaled
  by the light of all lit pixels, each weighted by its own brightness. A median over a deep transit belongs to
  no moment of it; and the mean is less noisy.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.box import Box
from webbcal.core.errors import FailedStep, SkipStep
from webbcal.detector.draft_rate import Draft, HasRates, rates_of
from webbcal.detector.flicker_frame import filled
from webbcal.detector.series_light import fitted_light, light_curve
from webbcal.kernels.images.soss_background import fit_template
from webbcal.run.engine.operation import Survey
from webbcal.run.exposure import Exposure

log = logging.getLogger(__name__)

F32 = NDArray[np.float32]

#: Bytes of samples of all integrations that are looked at together.
_BYTES = 16 << 20
#: How often they are in memory while they are combined (measured: up to 5.8 times, and the block itself).
_COPIES = 8
#: Deviations beyond which a sample does not take part in a mean, in robust standard deviations.
_OUTLIER = 5.0
#: The sky of SOSS: integrations that it is measured in at most; percentile of sources, percentiles of scales.
_SKY_INTEGRATIONS, _SOURCE, _BACKGROUND = 32, 35.0, (25.0, 50.0)
#: Returns which pixels of a rate image are background.
Background = Callable[[Draft], NDArray[np.bool_]]


def bytes_per_pixel(exposure: Exposure) -> int:
    """Return what a template takes, with the work on it, in bytes per pixel of the frame."""
    ny, nx = exposure.frame.shape
    ngroups = exposure.ngroups if exposure.readout else 1
    together = min(_BYTES // (ny * nx), 4 * exposure.nints * ngroups)
    return 4 * ngroups + _COPIES * together


@dataclass(frozen=True)
class SeriesTemplate:
    """A ramp (groups, rows, columns), float32, its factor for each integration, and what has no factor."""

    ramp: F32
    scale: NDArray[np.floating]
    constant: F32 | None = None

    def of(self, integration: int, group: int) -> NDArray[np.floating]:
        """Return what is to be subtracted from a group."""
        scaled: NDArray[np.floating] = self.scale[integration] * self.ramp[group]
        return scaled if self.constant is None else scaled + self.constant[group]


def check_series(exposure: Exposure, method: str | None) -> None:
    """Make sure that a series has such a template, if that is the method.

    Raises
    ------
    FailedStep
        If the exposure is no series.
    """
    if method not in ("median_image", "scaled_mean"):
        return
    nints = exposure.nints if len(exposure.shape) > 2 else 1
    if nints < 2:
        raise FailedStep(f"background_method = {method} needs several integrations, not {nints}")


def median_template(
    exposure: Exposure,
    references: Mapping[str, Any],
    survey: Survey,
    background: Background,
    flat: F32 | None = None,
) -> SeriesTemplate:
    """Return the median of all integrations, scaled by their light (`series_light`).

    Parameters
    ----------
    exposure : Exposure
    references : mapping
    survey : Survey
    background : callable
        Returns which pixels of a rate image are background.
    flat : ndarray, optional
        By which rates are divided before their light is measured, float32 (rows, columns).
    """
    rates = rates_of(exposure, references, survey)
    if flat is not None:
        rates = _Changed(rates, lambda data: data / flat)
    sky = _soss_background(references["bkg"], rates, survey) if references.get("bkg") is not None else None
    if sky is not None:
        rates = _Changed(rates, lambda data: data - sky)
    flux = _known(light_curve(exposure, references, rates, survey, background))
    ramp, scale = _combined(exposure, survey, survey.ints, _median), flux / np.median(flux)
    if sky is None:
        return SeriesTemplate(ramp, scale)
    constant = _group_times(exposure)[:, None, None] * sky
    return SeriesTemplate(ramp - constant, scale, constant)


@dataclass(frozen=True)
class _Changed:
    """Rates of which something has been done to the images."""

    rates: HasRates
    change: Callable[[F32], F32]

    def rate(self, integration: int) -> Draft:
        """Return the rate of an integration."""
        draft = self.rates.rate(integration)
        return replace(draft, data=self.change(draft.data))


def _soss_background(reference: Any, rates: HasRates, survey: Survey) -> F32 | None:
    """Return the sky behind a star in SOSS, DN/s (rows, columns); None if no template fits it.

    It is the same in all integrations; where they are many, it is measured in some of them.
    """
    some = survey.ints[:: -(-len(survey.ints) // _SKY_INTEGRATIONS)]
    drafts = survey.map(rates.rate, some)
    try:
        _, sky = fit_template(
            np.array([d.data for d in drafts]), np.array([d.dq for d in drafts]),
            np.asarray(reference.model.data), _SOURCE, _BACKGROUND,
        )  # fmt: skip
    except SkipStep as reason:
        log.warning("clean_flicker_noise: the background stays in the image of the series: %s", reason)
        return None
    return filled(sky.astype(np.float32))


def _group_times(exposure: Exposure) -> F32:
    """Return for how long groups have gathered light, as jwst counts: to the end of their frames, seconds."""
    if exposure.readout is None:
        return np.ones(1, np.float32)
    readout = exposure.readout
    each = readout.nframes + readout.groupgap
    frames = readout.nframes + each * np.arange(exposure.ngroups)
    return (frames * readout.tframe).astype(np.float32)


def mean_template(
    exposure: Exposure,
    references: Mapping[str, Any],
    survey: Survey,
    background: Background,
    baseline: Sequence[int] | None,
) -> SeriesTemplate:
    """Return the mean of the integrations out of the event, scaled by all lit pixels.

    Parameters
    ----------
    exposure : Exposure
    references : mapping
    survey : Survey
    background : callable
        Returns which pixels of a rate image are background.
    baseline : sequence of int, optional
        How many integrations at the start and at the end are out of the event; by default, all are.
    """
    outside = _baseline(survey.ints, baseline)
    rates = rates_of(exposure, references, survey)
    flux = _known(fitted_light(rates, survey, outside[len(outside) // 2], background))
    ramp = _combined(exposure, survey, outside, _clipped_mean)
    return SeriesTemplate(ramp, flux / np.mean(flux[list(outside)]))


def _baseline(ints: range, baseline: Sequence[int] | None) -> Sequence[int]:
    """Return the integrations out of the event."""
    if baseline is None:
        return ints
    before, after = (abs(int(n)) for n in baseline)
    if before + after == 0 or before + after > len(ints):
        raise FailedStep(f"baseline_ints = {list(baseline)} does not fit {len(ints)} integrations")
    return [*ints[:before], *ints[len(ints) - after :]]


def _known(flux: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the light of integrations, with the median for those of which nothing is known."""
    good = np.isfinite(flux)
    if not good.any():
        raise FailedStep("no integration has light to scale the series by")
    flux[~good] = np.median(flux[good])
    return flux


def _combined(exposure: Exposure, survey: Survey, ints: Sequence[int], combine: Callable[[F32], F32]) -> F32:
    """Combine integrations pixel by pixel and group by group, a few pixels at a time."""
    ny, nx = survey.frame.shape
    ngroups = exposure.ngroups if exposure.readout else 1
    ramp = np.empty((ngroups, ny, nx), np.float32)
    pixels = max(64, _BYTES // (4 * len(survey.ints) * ngroups))
    rows, columns = max(1, pixels // nx), min(nx, pixels)
    chosen = slice(None) if len(ints) == len(survey.ints) else list(ints)
    boxes = [
        Box(band.y0, band.y1, x, min(x + columns, nx))
        for band in survey.frame.bands(rows)
        for x in range(0, nx, columns)
    ]

    def samples(box: Box) -> F32:
        if exposure.readout:
            return survey.block(box).data
        rates: F32 = survey.rates(box=box).values["data"]
        return rates[:, None]

    def work(box: Box) -> None:
        ramp[(slice(None), *box.slices)] = combine(samples(box)[chosen])

    survey.map(work, boxes)
    return ramp


def _median(data: F32) -> F32:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        median: F32 = np.nanmedian(data, axis=0)
    return median


def _clipped_mean(data: F32) -> F32:
    """Return the mean of what is near the median: particles make ramps jump for all groups to come."""
    off = np.abs(data - _median(data))
    mean: F32 = np.nanmean(np.where(off <= _OUTLIER * 1.4826 * _median(off), data, np.nan), axis=0)
    return mean
