"""The background of SOSS exposures: one of a library of templates, scaled on either side of its step.

The zodiacal light that passes the pick-off mirror has a step in brightness along the columns; the two sides
vary independently. Pixels below a percentile of the exposure are taken for background; the scale of a side is
the median of their ratios to the template within a range of percentiles. The template that leaves the least
residuals is the one.

Source: the algorithm of the NIRISS team, https://jwst-pipeline.readthedocs.io (background step, SOSS).
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webbcal.core.dqflags import pixel
from webbcal.core.errors import SkipStep

log = logging.getLogger(__name__)

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Columns between which the step is looked for, the last one that is fitted, and the first row of SUBSTRIP96.
_STEP, _LAST_FITTED, _FIRST_ROW = (685, 725), 950, 10
_UNUSABLE = np.uint32(pixel["DO_NOT_USE"] | pixel["REFERENCE_PIXEL"])


class Fit(NamedTuple):
    """A template scaled to an exposure.

    Attributes
    ----------
    number : int
        Which template.
    left, right : float
        Scales before and behind the step.
    rms : float
        Sum of the root mean squares of the residuals of both sides.
    """

    number: int
    left: float
    right: float
    rms: float


def subtract_template(
    data: F32, dq: NDArray[np.uint32], templates: F32, source: float, background: tuple[float, float]
) -> Fit:
    """Subtract the template that fits best, in place.

    Parameters
    ----------
    data : (integrations, rows, columns) float32
    dq : (integrations, rows, columns) uint32
    templates : (n, rows, columns) float32
        Those of SUBSTRIP256 are cut for SUBSTRIP96.
    source : float
        Percentile of the exposure above which pixels are sources.
    background : tuple of float
        Percentiles of the ratios between which these count for the scale.

    Returns
    -------
    Fit

    Raises
    ------
    SkipStep
        If the templates are of another subarray, or none can be fitted.
    """
    fit, template = fit_template(data, dq, templates, source, background)
    data -= template
    return fit


def fit_template(
    data: F32, dq: NDArray[np.uint32], templates: F32, source: float, background: tuple[float, float]
) -> tuple[Fit, NDArray[np.floating]]:
    """Return the template that fits best, and the background that it is, (rows, columns): see above."""
    rows = data.shape[-2]
    if templates.shape[-2:] == (256, data.shape[-1]) and rows == 96:
        templates = templates[:, _FIRST_ROW : _FIRST_ROW + rows]
    if templates.shape[-2:] != data.shape[-2:]:
        raise SkipStep(
            f"the templates of the background have {templates.shape[-2]} × {templates.shape[-1]} pixels, the "
            f"exposure {rows} × {data.shape[-1]}"
        )
    usable = _background_pixels(data, dq, source)
    fits = [fit for n, t in enumerate(templates) if (fit := _fit(n, data, usable, t, background)) is not None]
    if not fits:
        raise SkipStep("no template of the background can be fitted: too few pixels without a source")
    best = min(fits, key=lambda fit: fit.rms)
    template = templates[best.number]
    log.info("template %d of the background, scaled by %.5g and %.5g", best.number, best.left, best.right)
    return best, template * np.where(_behind_step(template), best.right, best.left)


def _background_pixels(data: F32, dq: NDArray[np.uint32], source: float) -> Mask:
    """Tell which samples are taken for background."""
    usable: Mask = (dq & _UNUSABLE) == 0
    usable &= np.isfinite(data)
    if not usable.any():
        raise SkipStep("no pixel of the exposure can be used")
    usable &= data < np.nanpercentile(data[usable], source)
    return usable


def _fit(number: int, data: F32, usable: Mask, template: F32, background: tuple[float, float]) -> Fit | None:
    """Scale one template; None if a side has no pixels to fit."""
    behind = _behind_step(template)
    fitted = np.arange(data.shape[-1]) <= _LAST_FITTED
    sides = [_scale(data, usable, template, side, background) for side in (~behind, behind & fitted)]
    if None in sides:
        return None
    (left, left_rms), (right, right_rms) = (side for side in sides if side is not None)
    return Fit(number, left, right, left_rms + right_rms)


def _scale(
    data: F32, usable: Mask, template: F32, side: Mask, background: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the scale of a template on one side, and the root mean square of what is left there."""
    kept = usable[:, side]
    values = data[:, side][kept]
    model = np.broadcast_to(template[side], kept.shape)[kept]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = values / model
    finite = np.isfinite(ratio)
    values, model, ratio = values[finite], model[finite], ratio[finite]
    if not ratio.size:
        return None
    low, high = np.percentile(ratio, background)
    between = ratio[(ratio > low) & (ratio < high)]
    if not between.size:
        return None
    scale = np.float64(np.median(between))
    return float(scale), float(np.sqrt(np.square(values - model * scale).mean()))


def _behind_step(template: F32) -> Mask:
    """Tell which pixels of a template lie at the step or behind: that is where it rises most, row by row."""
    from scipy import ndimage

    first, last = _STEP
    slope = np.gradient(ndimage.gaussian_filter(template, 3), axis=1)[:, first:last]
    return np.arange(template.shape[1]) >= (first + np.argmax(slope, axis=1))[:, None]
