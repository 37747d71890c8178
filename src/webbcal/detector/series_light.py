"""How bright each integration of a series is: what scales the image that they share (`median_image`).

As in jwst, the measure depends on how the light reaches the detector:

- SOSS: the sum in a box along the trace of the first order;
- images: the sum in an aperture at the source, which is looked for around its planned place, with the
  parameters that CRDS has for photometry of time series (circular apertures of `photutils`);
- anything that is no series: the median of each image.

For other spectra jwst extracts and adds up a spectrum, for which it needs their WCS. Here the image of the
series is fitted to each integration: all lit pixels count, each weighted by its own brightness.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.errors import FailedStep
from webbcal.core.modes import mode_of
from webbcal.detector.draft_rate import Draft, HasRates
from webbcal.detector.soss_traces import trace_box
from webbcal.run.engine.operation import Survey
from webbcal.run.exposure import Exposure

log = logging.getLogger(__name__)

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: The parameters of photometry in CRDS.
PARAMETERS = "pars-tsophotometrystep"
_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])
#: The exposure whose aperture is larger than its image: a lens spreads the light.
_SPREAD = ("WLP8", "SUB64P")


def references_of(exposure: Exposure) -> tuple[str, ...]:
    """Return the references that the measure needs."""
    if exposure.exp_type == "NIS_SOSS":
        return ("pastasoss",)
    return ("gain", PARAMETERS) if _is_imaged(exposure) else ()


def light_curve(
    exposure: Exposure,
    references: Mapping[str, Any],
    rates: HasRates,
    survey: Survey,
    background: Callable[[Draft], NDArray[np.bool_]],
) -> F64:
    """Return the light of each integration, on any scale; NaN where it is not known.

    Parameters
    ----------
    exposure : Exposure
    references : mapping
        With those of `references_of`.
    rates : HasRates
        The rates of the integrations.
    survey : Survey
        Which integrations there are, and on how many threads to work.
    background : callable
        Returns which pixels of a rate image are background.
    """
    if exposure.exp_type == "NIS_SOSS":
        weights = trace_box(references.get("pastasoss"), exposure)
        return _each(survey, lambda i: float(np.nansum(np.nansum(rates.rate(i).data * weights, axis=0))))
    if _is_imaged(exposure):
        return _photometry(exposure, references, rates, survey)
    if mode_of(exposure.exp_type).has("tso"):
        return fitted_light(rates, survey, len(survey.ints) // 2, background)
    return _each(survey, lambda i: float(np.nanmedian(rates.rate(i).data)))


def fitted_light(
    rates: HasRates,
    survey: Survey,
    reference: int,
    background: Callable[[Draft], NDArray[np.bool_]],
) -> F64:
    """Return how bright the integrations are in terms of one of them: its lit pixels, fitted to each.

    Raises
    ------
    FailedStep
        If no pixel of it has light.
    """
    draft = rates.rate(reference)
    known = np.isfinite(draft.data) & ~background(draft)
    if not known.any():
        raise FailedStep("no pixel has light to scale the series by")
    weights = np.where(known, draft.data, np.float32(0)).astype(np.float64)

    def light(integration: int) -> float:
        data = rates.rate(integration).data
        there = np.isfinite(data)
        return float(np.sum(weights[there] * data[there]) / np.sum(weights[there] * weights[there]))

    return _each(survey, light)


def _each(survey: Survey, light: Callable[[int], float]) -> F64:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # integrations without any value
        return np.array(survey.map(light, survey.ints), np.float64)


def _is_imaged(exposure: Exposure) -> bool:
    """Tell whether it is a time series of images."""
    if exposure.exp_type == "MIR_IMAGE":
        return bool(exposure.known("visit.tsovisit")) and exposure.nints > 1
    mode = mode_of(exposure.exp_type)
    return mode.is_image and mode.has("tso")


@dataclass(frozen=True)
class Aperture:
    """How the source is found and measured: the parameters of jwst's `tso_photometry`, pixels."""

    radius: float = 3.0
    radius_inner: float = 4.0
    centroid_source: bool = True
    search_box_width: int = 41
    fit_box_width: int = 11
    moving_centroid: bool = False

    @classmethod
    def of(cls, reference: Any) -> Aperture:
        """Return what CRDS has for the exposure, or the defaults."""
        found = {} if reference is None else dict(reference.model.parameters.items())
        names = cls.__dataclass_fields__
        return cls(**{name: value for name, value in found.items() if name in names})


def _photometry(exposure: Exposure, references: Mapping[str, Any], rates: HasRates, survey: Survey) -> F64:
    """Return the sum in an aperture at the source, electrons/s."""
    gain = references["gain"].read("data")

    def image(integration: int) -> Draft:
        draft = rates.rate(integration)
        return replace(draft, data=draft.data * gain)

    place = (exposure.known("instrument.pupil"), exposure.subarray.upper())
    if place == _SPREAD:
        return _each(survey, lambda i: float(np.nansum(image(i).data)))
    aperture = Aperture.of(references.get(PARAMETERS))
    centres = _centres(exposure, aperture, image, survey)
    return _each(survey, lambda i: _sum(image(i).data, centres[i], aperture.radius))


def _sum(image: F32, centre: F64, radius: float) -> float:
    from photutils.aperture import ApertureStats, CircularAperture

    if not np.isfinite(centre).all():
        return np.nan
    return float(ApertureStats(image, CircularAperture(tuple(centre), r=radius)).sum)


def _centres(exposure: Exposure, aperture: Aperture, image: Callable[[int], Draft], survey: Survey) -> F64:
    """Return where the source is in each integration, (integrations, 2): column and row."""
    names = ("wcsinfo.siaf_xref_sci", "wcsinfo.siaf_yref_sci")
    place = [exposure.known(name) for name in names]
    if None in place:
        raise FailedStep("the place of the source (XREF_SCI, YREF_SCI) is not known")
    planned = np.array(place, np.float64) - 1
    centre = planned
    found = np.broadcast_to(planned, (len(survey.ints), 2))
    widths = (aperture.search_box_width, aperture.fit_box_width) if aperture.centroid_source else ()
    for width in widths:
        box = width - 1 + width % 2  # odd
        looked = partial(_centroid, image, centre, box, aperture)
        found = np.array(survey.map(looked, survey.ints))
        if not np.isfinite(found).any():
            log.warning("clean_flicker_noise: the source is not found; its planned place is used")
            return np.broadcast_to(planned, found.shape)
        centre = np.nanmedian(found, axis=0)
    return found if aperture.moving_centroid else np.broadcast_to(centre, found.shape)


def _centroid(
    image_of: Callable[[int], Draft], near: F64, width: int, aperture: Aperture, integration: int
) -> F64:
    """Return the centre of light of a box around a place, above the median of what is not the source."""
    from photutils.centroids import centroid_sources

    draft = image_of(integration)
    image = draft.data
    rows, columns = np.indices(image.shape)
    outside = (columns - near[0]) ** 2 + (rows - near[1]) ** 2 >= aperture.radius_inner**2
    bad = ((draft.dq & _DO_NOT_USE) != 0) | np.isnan(image)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x, y = centroid_sources(image - np.nanmedian(image[outside]), *near, mask=bad, box_size=width)
    except ValueError:
        return np.full(2, np.nan)
    centre = np.array([x[0], y[0]])
    within = (centre >= 0) & (centre < image.shape[::-1])
    return centre if within.all() else np.full(2, np.nan)
