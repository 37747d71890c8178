"""Which pixels of an exposure see nothing but background: masks for steps that measure the detector itself.

Masks are True for pixels of the background. Light is found in a draft rate image by sigma clipping; regions
where light is to be expected are masked beforehand: the traces of NIRISS SOSS spectra, and what is no part of
MIRI's imaging field.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.core import dqflags
from webbcal.core.modes import mode_of
from webbcal.detector.draft_rate import Draft, RateIntegrations, draft_rate
from webbcal.detector.soss_traces import trace_positions
from webbcal.kernels.images.arithmetic import Flat, prepare_flat
from webbcal.run.engine.operation import Survey
from webbcal.run.exposure import Exposure

flicker = kernels.get("flicker")

log = logging.getLogger(__name__)

Mask = NDArray[np.bool_]

#: Half the width of a masked SOSS trace, in pixels.
TRACE_HALFWIDTH = 16
#: What is masked below the background, in standard deviations.
BELOW = 3.0


def science_regions_reason(exposure: Exposure) -> str | None:
    """Return why regions with light cannot be known for this kind of exposure, or None."""
    if exposure.exp_type.startswith("NRS") and mode_of(exposure.exp_type).optics in ("slit", "mos", "ifu"):
        return (
            f"the regions with light of {exposure.exp_type} follow from the WCS of its slits, which this "
            "version of webbcal does not have; set mask_science_regions to False, or give a mask of your own "
            "with user_mask"
        )
    return None


def common_mask(
    exposure: Exposure, references: Mapping[str, Any], survey: Survey, make: Callable[[Draft], Mask]
) -> Mask:
    """Return one mask for all integrations.

    Of ramps it is that of the draft rate of all integrations; of rates, what is background in each of them.

    Parameters
    ----------
    exposure : Exposure
    references : mapping
        With those of a draft rate.
    survey : Survey
    make : callable
        Returns which pixels of a rate image are background.
    """
    if exposure.readout is not None:
        return make(draft_rate(exposure, references, survey))
    rates = RateIntegrations(survey)
    mask: Mask = np.logical_and.reduce([make(rates.rate(i)) for i in survey.ints])
    return mask


def background_mask(
    draft: Draft,
    exposure: Exposure,
    references: Mapping[str, Any],
    *,
    science_regions: bool,
    n_sigma: float,
    fit_histogram: bool,
) -> Mask:
    """Return which pixels of a rate image are background.

    Parameters
    ----------
    draft : Draft
    exposure : Exposure
    references : mapping
        With ``pastasoss`` for NIRISS SOSS and ``flat`` for MIRI images, if `science_regions`.
    science_regions : bool
        Mask regions where light is to be expected, too.
    n_sigma : float
        Pixels that are brighter than the background by this many standard deviations are light; 0: none are
        looked for.
    fit_histogram : bool
        Take the background's level and width from a Gaussian fitted to the histogram.
    """
    mask = np.ones(draft.data.shape, np.bool_)
    if science_regions and exposure.exp_type == "NIS_SOSS":
        mask &= ~_traces(exposure, references["pastasoss"])
    if science_regions and exposure.exp_type == "MIR_IMAGE":
        mask &= _miri_field(draft, references.get("flat"))
    mask &= ~(np.isnan(draft.data) | (draft.data == 0))
    if n_sigma > 0 and mask.any():
        level, sigma = _level(draft.data[mask], fit_histogram)
        mask &= ~(draft.data < level - BELOW * sigma) & ~(draft.data > level + n_sigma * sigma)
    return mask


def _level(values: NDArray[np.float32], fit_histogram: bool) -> tuple[float, float]:
    """Return the level of the background and its width."""
    found = flicker.clipped_statistics(values)
    if not fit_histogram:
        return found.median, found.std
    return _gaussian_fit(values.astype(np.float64), found.mean, found.std)


def _gaussian_fit(values: NDArray[np.float64], mean: float, std: float) -> tuple[float, float]:
    """Fit a Gaussian to the histogram within 4 standard deviations; if none fits, return what is given."""
    from scipy.optimize import curve_fit

    try:
        counts, edges = np.histogram(values, bins=2000, range=(mean - 4 * std, mean + 4 * std))
        middles = (edges[1:] + edges[:-1]) / 2
        peak = np.argmax(counts)

        def gaussian(x: Any, amplitude: float, centre: float, sigma: float) -> Any:
            return amplitude * np.exp(-0.5 * ((x - centre) / sigma) ** 2)

        bounds = [(0, middles[0], 0), (np.inf, middles[-1], middles[-1] - middles[0])]
        start = (counts[peak], middles[peak], std)
        (_, centre, sigma), _ = curve_fit(gaussian, middles, counts, p0=start, bounds=bounds)
    except (ValueError, RuntimeError) as error:
        log.warning("no Gaussian fits the histogram of the background (%s): clipping is used", error)
        return mean, std
    return float(centre), float(sigma)


def _traces(exposure: Exposure, reference: Any) -> Mask:
    """Return the pixels around the SOSS traces of all orders."""
    ny, nx = exposure.frame.shape
    traces = np.zeros((ny, nx), np.bool_)
    rows = np.arange(ny)[:, None]
    for x, y in trace_positions(reference, exposure):
        order = np.argsort(x)
        middle = np.interp(np.arange(nx), x[order], y[order])
        traces |= (rows >= np.floor(middle - TRACE_HALFWIDTH)) & (rows <= np.ceil(middle + TRACE_HALFWIDTH))
    return traces


def _miri_field(draft: Draft, flat: Any) -> Mask:
    """Return the pixels of MIRI's imaging field: those that the flat does not call useless."""
    dq = draft.dq
    if flat is not None:
        response = Flat(flat.read("data"), flat.read("dq"))
        prepare_flat(response)
        dq = dq | response.dq
    unused = dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["NON_SCIENCE"]
    return (dq & np.uint32(unused)) == 0
