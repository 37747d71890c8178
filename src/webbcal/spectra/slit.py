"""From the image of a slit to its spectrum, or those of all its integrations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import SkipStep
from webbcal.core.modes import mode_of
from webbcal.core.threads import run_on_threads
from webbcal.spectra.aperture import Aperture, aperture_of, find_entry, whole_slit
from webbcal.spectra.aperture_correction import read_correction
from webbcal.spectra.box import extract_box, fit_background
from webbcal.spectra.box_profile import background_profile, centre_across, centre_of, source_profile
from webbcal.spectra.extract_parameters import Extract1dParameters
from webbcal.spectra.extracted import Extracted
from webbcal.spectra.layout import Layout, name_of
from webbcal.spectra.optimal import fit_columns
from webbcal.spectra.planes import Planes
from webbcal.spectra.psf_profile import Psf, psf_profiles
from webbcal.spectra.source_position import source_position
from webbcal.spectra.units import Columns, Units, columns_of, correct

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """Where the light of a source is taken from.

    Attributes
    ----------
    sources : (1 or 2, across, along) float64
        Weights of pixels for the source; and for a negative one.
    background : (across, along) float64 or None
        Not zero where there is background alone.
    lower, upper : float
        Mean ends across (0-based, included).
    """

    sources: F64
    background: F64 | None
    lower: float
    upper: float


@dataclass(frozen=True)
class Spectrum:
    """The spectra of the integrations of a slit (of an image, one).

    Attributes
    ----------
    model : DataModel or item of a list
        The slit.
    name : str
        Of the slit; `ANY` if it has none.
    order : int
        Spectral order.
    source_type : str or None
    columns : dict
        By name: (integrations, samples).
    units : Units
    ra, dec : float or None
        Centre of the aperture on the sky, degrees.
    ends : (x first, x last, y first, y last)
        Of the aperture, 1-based pixels.
    layout, weights
        Image and aperture.
    is_series : bool
        Whether the slit has an axis of integrations.
    """

    model: Any
    name: str
    order: int
    source_type: str | None
    columns: Columns
    units: Units
    ra: float | None
    dec: float | None
    ends: tuple[float, float, float, float]
    layout: Layout
    weights: Weights
    aperture: Aperture
    is_series: bool

    @property
    def wavelength(self) -> F64:
        """Wavelengths of the samples, µm."""
        return np.array(self.columns["WAVELENGTH"][0])


def extract_slit(
    model: Any, name: str, references: Mapping[str, Any], p: Extract1dParameters, threads: int = 1
) -> Spectrum:
    """Extract the spectra of a slit.

    Parameters
    ----------
    model : DataModel or item of a list
        An image (rows, columns), or integrations of it.
    name : str
        By which the slit is looked for in references.
    references : mapping
        ``extract1d``, ``apcorr``, ``psf`` -> `Reference`, or None.
    p : Extract1dParameters
    threads : int
        Integrations that are worked on at once.

    Raises
    ------
    SkipStep
        If there is nothing to extract: another order, no direction of dispersion, no wavelengths in the
        aperture.
    ReferenceFileError
        If a reference does not fit.
    """
    order = order_of(model)
    if model.meta.wcsinfo.dispersion_direction is None:
        raise SkipStep(f"{name_of(model)}: the direction of dispersion (DISPAXIS) is missing")
    exp_type, source_type = str(model.meta.exposure.type), source_type_of(model)
    layout = Layout.of(model, order)
    aperture = _aperture(layout, name, order, references, p, source_type)
    planes = Planes(layout)
    weights = _weights(layout, aperture, planes, references.get("psf"), p, exp_type)
    wavelength = _mean_wavelength(layout, weights.sources[0])
    valid = np.isfinite(wavelength)
    if not valid.any():
        raise SkipStep(f"{name_of(model)}: {_why_empty(layout)}")
    units = _units(model, source_type, aperture.extraction == "box")
    columns = _columns(layout, planes, weights, aperture, wavelength, valid, units, p, threads)
    across, along = centre_of(weights.sources[0])
    ra, dec = _on_sky(layout, across, along)
    if source_type == "POINT" and references.get("apcorr") is not None and aperture.extraction == "box":
        pivot = np.median if str(model.meta.instrument.name).upper() == "NIRSPEC" else np.min
        place = None if ra is None or dec is None else (ra, dec, float(pivot(wavelength[valid])))
        correction = read_correction(references["apcorr"], layout, exp_type, name, place)
        odd = correction.why_strange(columns["WAVELENGTH"])
        if odd and np.isfinite(columns["FLUX"]).any():
            log.warning("%s: %s: %s", name_of(model), references["apcorr"].name, odd)
        correct(columns, correction.at(columns["WAVELENGTH"], columns["NPIXELS"]))
    return Spectrum(
        model, name, order, source_type, columns, units, ra, dec, _ends(layout, weights), layout, weights,
        aperture, planes.count is not None,
    )  # fmt: skip


def order_of(model: Any) -> int:
    """Return the spectral order; 1 if it is not known.

    Raises
    ------
    SkipStep
        For order 0 of a grism, which is an image.
    """
    order = model.meta.wcsinfo.spectral_order
    if order is None:
        log.debug("%s: no spectral order (SPORDER); 1 is taken", name_of(model))
        return 1
    if order == 0 and not _is_prism(model.meta.instrument):
        raise SkipStep(f"{name_of(model)}: order 0 is an image of the source, no spectrum")
    return int(order)


def _is_prism(instrument: Any) -> bool:
    return "P750L" in str(instrument.filter).upper() or "PRISM" in str(instrument.grating).upper()


def source_type_of(model: Any) -> str | None:
    """Return POINT, EXTENDED or UNKNOWN: the slit's own, else that of the target."""
    own = getattr(model, "source_type", None) if model.has("source_type") else None
    found = own or model.meta.target.source_type
    return None if found is None else str(found).upper()


def _aperture(
    layout: Layout,
    name: str,
    order: int,
    references: Mapping[str, Any],
    p: Extract1dParameters,
    source_type: str | None,
) -> Aperture:
    """Return the aperture that reference and parameters make of a slit."""
    reference = references.get("extract1d")
    if reference is None:
        return whole_slit(layout.shape)
    entry = find_entry(reference.json, name, order, reference.name)
    if entry is None:
        raise SkipStep(f"{reference.name} has no aperture for order {order} of {name_of(layout.model)}")
    exp_type, seeks = str(layout.model.meta.exposure.type), p.use_source_posn
    if seeks is None and (source_type != "POINT" or mode_of(exp_type).optics == "grism"):
        seeks = False
    return aperture_of(
        entry, layout.shape, layout.dispaxis, p, exp_type, seeks, references.get("psf") is not None
    )


def _weights(
    layout: Layout, aperture: Aperture, planes: Planes, psf: Any, p: Extract1dParameters, exp_type: str
) -> Weights:
    """Return which pixels are of the source, and which of the background, moved to where the source is."""
    trace = None
    if aperture.seeks_source and (found := source_position(layout, exp_type)) is not None:
        nominal = centre_across(source_profile(aperture, layout, None).weights, found.column)
        log.info(
            "the source is at %.2f in column %d, %.2f from the nominal place",
            found.location, found.column, found.location - nominal,
        )  # fmt: skip
        aperture, trace = aperture.moved(found.location - nominal), found.trace
    if aperture.offset:
        aperture = aperture.moved(aperture.offset)
        trace = None if trace is None else trace + aperture.offset
    region = background_profile(aperture, layout)
    if aperture.extraction == "optimal":
        entry = Psf.of(psf, getattr(layout.model, "name", None), layout)
        profiles = psf_profiles(layout, planes, entry, trace, p.model_nod_pair, p.optimize_psf_location)
        sources, lower, upper = profiles.weights, profiles.lower, profiles.upper
    else:
        box = source_profile(aperture, layout, trace)
        sources, lower, upper = box.weights[None], box.lower, box.upper
    sources[:, ~np.isfinite(layout.wavelength)] = 0.0
    return Weights(sources, region, lower, upper)


def _why_empty(layout: Layout) -> str:
    """Return why there is no spectrum."""
    if not np.isfinite(layout.wavelength).any():
        return "none of its pixels has a wavelength"
    return (
        "no pixel with a wavelength lies in the aperture: that of the EXTRACT1D reference (start and stop, "
        "src_coeff), moved by position_offset, is outside of the slit"
    )


def _mean_wavelength(layout: Layout, weights: F64) -> F64:
    """Return the wavelength of each column, a mean with the weights of the source; NaN without pixels.

    Sums go over the image as it lies in memory, as jwst adds them up: whether two spectra share the last
    sample of their combination may hang on the last bit.
    """
    inside = np.where(np.isfinite(layout.wavelength) & (weights > 0), weights, 0.0)
    wavelength = np.where(inside > 0, layout.wavelength, 0.0).astype(float)
    axis = 1 if layout.is_vertical else 0
    total = np.ascontiguousarray(layout.turned(inside)).sum(axis=axis)
    weighted = np.ascontiguousarray(layout.turned(wavelength * inside)).sum(axis=axis)
    return np.divide(weighted, total, out=np.full(len(total), np.nan), where=total > 0)


def _on_sky(layout: Layout, across: float, along: float) -> tuple[float | None, float | None]:
    ra, dec, wavelength = (float(v) for v in layout.world(across, along))
    return (None, None) if np.isnan([ra, dec, wavelength]).any() else (ra, dec)


def _ends(layout: Layout, weights: Weights) -> tuple[float, float, float, float]:
    """Return first and last pixel of the aperture in x, then in y; 1-based."""
    along = np.flatnonzero(weights.sources[0].sum(axis=0) > 0)
    ends = (float(along[0] + 1), float(along[-1] + 1)) if along.size else (np.nan, np.nan)
    across = (weights.lower + 1, weights.upper + 1)
    return (*across, *ends) if layout.is_vertical else (*ends, *across)


def _units(model: Any, source_type: str | None, has_brightness: bool) -> Units:
    """Return the units of the columns: counts, if photom was not applied."""
    if str(model.meta.cal_step.photom).upper() != "COMPLETE":
        return Units.counts(has_brightness)
    area = model.meta.photometry.pixelarea_steradians
    if area is None:
        log.warning("%s has no pixel area (PIXAR_SR); its fluxes will not be right", name_of(model))
        area = 1.0
    in_flux = source_type == "POINT" and str(model.meta.instrument.name).upper() == "NIRSPEC"
    return Units.janskys(float(area), in_flux, has_brightness)


def _columns(
    layout: Layout,
    planes: Planes,
    weights: Weights,
    aperture: Aperture,
    wavelength: F64,
    valid: NDArray[np.bool_],
    units: Units,
    p: Extract1dParameters,
    threads: int,
) -> Columns:
    """Extract all integrations, and return their columns at valid wavelengths."""
    extract = extraction_of(layout, planes, weights, aperture)
    count = planes.count or 1
    sums = {name: np.empty((count, valid.sum())) for name in ("flux", "background", "npixels")}
    noise = {name: np.empty((count, 3, valid.sum())) for name in ("variances", "background_variances")}

    def work(k: int) -> None:
        found = extract(k)
        for name, values in (sums | noise).items():
            values[k] = getattr(found, name)[..., valid]
        if p.log_increment > 0 and planes.count and (k + 1) % p.log_increment == 0:
            log.info("... %d integrations done", k + 1)

    run_on_threads(work, range(count), threads)
    return columns_of(
        wavelength[valid],
        sums["flux"],
        noise["variances"],
        sums["background"],
        noise["background_variances"],
        sums["npixels"],
        units,
    )


def extraction_of(
    layout: Layout, planes: Planes, weights: Weights, aperture: Aperture
) -> Callable[[int], Extracted]:
    """Return the function that extracts the integration of a number."""
    region = weights.background
    if aperture.extraction == "optimal":
        order = aperture.order if aperture.subtracts else None
        return lambda k: fit_columns(*planes.read(k), weights.sources, region, order).spectrum
    source = weights.sources[0]
    touched = np.flatnonzero(
        (source != 0).any(axis=1) | (False if region is None else (region != 0).any(axis=1))
    )
    rows = slice(touched[0], touched[-1] + 1)
    position = np.linspace(-1, 1, layout.shape[0])[rows]
    box, around = source[rows], None if region is None else region[rows]
    order = None if aperture.fit == "median" else aperture.order

    def extract(k: int) -> Extracted:
        image, variances = planes.read(k, rows)
        background = None
        if around is not None:
            background = fit_background(image, variances, box, around, position, order, aperture.smoothing)
        return extract_box(image, variances, box, position, background)

    return extract
