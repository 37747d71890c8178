"""The WCS of grism exposures: grism_detector → detector → v2v3 → v2v3vacorr → world.

Of the wide-field grisms it takes a pixel, the place of the source in the direct image, and the order; from
there on it is the WCS of the direct image, with wavelength and order beside. Of a time series the source is
at a known place, so that pixel and order are enough; its direct image is the full frame.

How a grism disperses is `kinds.dispersion`.
"""

from __future__ import annotations

from typing import Any

from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.io.asdf_text import Tagged
from webbcal.wcs import transforms, trees
from webbcal.wcs.imaging import corner_of, full_frame_to_telescope
from webbcal.wcs.keywords import REFERENCE, required
from webbcal.wcs.kinds.kind import JWST
from webbcal.wcs.specwcs import GrismTraces, checked, member
from webbcal.wcs.velocity import barycentric

_FORWARD = (["x", "y", "x0", "y0", "order"], ["x", "y", "wavelength", "order"])
_BACKWARD = (["x", "y", "wavelength", "order"], ["x", "y", "x0", "y0", "order"])
_SPECTRUM = trees.spectrum("spectral", "wavelength")


def wide_field_wcs(model: Any, image: Tagged, specwcs: Any) -> Tagged:
    """Build the WCS of a wide-field grism exposure.

    Parameters
    ----------
    model : DataModel
        The exposure: grism, filter wheel, VELOSYS.
    image : Tagged
        The WCS of its direct image.
    specwcs : Reference
        The traces by spectral order.

    Returns
    -------
    Tagged
        The tree of a `gwcs.WCS` from (x, y, x0, y0, order) to RA, Dec (degrees), wavelength (µm) and order.

    Raises
    ------
    InputError
        If keywords are missing, or the grism is none of the instrument.
    ReferenceFileError
        If a reference cannot be used.
    """
    axes = ("x_dispersed", "y_dispersed") if _instrument(model) == "MIRI" else ("x_grism", "y_grism")
    steps = [(trees.frame("grism_detector", axes, "pixel"), _corrected(model, dispersion(model, specwcs)))]
    assert isinstance(image.value, dict)
    for step in image.value["steps"]:
        frame, transform = step.value["frame"], step.value["transform"]
        name = frame.value["name"]
        if transform is None:
            return trees.wcs([*steps, (trees.composite("world", trees.sky("sky"), _SPECTRUM), None)])
        spatial = Tagged(frame.tag, frame.value | {"name": f"{name}spatial"})
        steps.append((trees.composite(name, spatial, _SPECTRUM), trees.both(transform, trees.identity(2))))
    raise AssertionError("a WCS that does not end")


def time_series_wcs(model: Any, distortion: Any, filteroffset: Any | None, specwcs: Any) -> Tagged:
    """Build the WCS of a grism time series (NIRCam).

    The source is at the reference position (XREF_SCI, YREF_SCI) of the full frame; its direct image is not
    cut to a subarray.

    Parameters
    ----------
    model : DataModel
        The exposure: grism, subarray, reference position, pointing keywords, VELOSYS.
    distortion, filteroffset : Reference
        As for an image.
    specwcs : Reference
        The traces by spectral order.

    Returns
    -------
    Tagged
        The tree of a `gwcs.WCS` from (x, y, order) to RA, Dec (degrees), wavelength (µm) and order.

    Raises
    ------
    InputError
        If keywords are missing, or the optical elements have no WCS yet.
    ReferenceFileError
        If a reference cannot be used.
    """
    _check_time_series(model)
    pointing = required(model, REFERENCE)
    factor = getattr(model.meta.velocity_aberration, "scale_factor", None)
    aberration = transforms.aberration_correction(factor, pointing["v2_ref"], pointing["v3_ref"])
    telescope, two = ("v2", "v3"), trees.identity(2)
    direct = full_frame_to_telescope(model, distortion, filteroffset)
    spatial = {
        "direct_image": (trees.frame("full_detector", ("dx", "dy"), "pixel"), direct),
        "v2v3": (trees.frame("v2v3_spatial", telescope, "arcsec"), aberration),
        "v2v3vacorr": (
            trees.frame("v2v3vacorr_spatial", telescope, "arcsec"),
            transforms.telescope_to_sky(**pointing),
        ),
    }
    return trees.wcs(
        [
            (trees.frame("grism_detector", ("x", "y"), "pixel"), _known_source_to_direct(model, specwcs)),
            *((trees.composite(k, f, _SPECTRUM), trees.both(t, two)) for k, (f, t) in spatial.items()),
            (trees.composite("world", trees.sky("icrs"), _SPECTRUM), None),
        ]
    )


def _check_time_series(model: Any) -> None:
    instrument, subarray = model.meta.instrument, str(model.meta.subarray.name or "")
    if "DHS" in subarray or "GRISMR" not in str(instrument.pupil):
        raise InputError(
            f"{model.meta.filename}: the WCS of a time series is available for GRISMR (PUPIL), not for "
            f"{instrument.pupil} in {subarray} (DHS spectra come later)"
        )
    if instrument.module != "A":
        raise InputError(
            f"{model.meta.filename}: grism time series are of module A (MODULE), not {instrument.module}"
        )


def _known_source_to_direct(model: Any, specwcs: Any) -> Tagged:
    """Return the transform from a pixel and an order to the direct image, for a source at a known place."""
    place = required(model, {"siaf_xref_sci": "XREF_SCI", "siaf_yref_sci": "YREF_SCI"})
    # As in `jwst`, the (1-based) keywords themselves are the 0-based place.
    source = [_constant(value) for value in place.values()]
    one = trees.identity(1)
    to_direct = trees.chain(
        trees.remap([0, 1, 0, 1, 2], 3),
        trees.beside(trees.identity(2), *source, one),
        _corrected(model, dispersion(model, specwcs)),
    )
    full = transforms.to_full_frame(*corner_of(model))
    return to_direct if full is None else trees.chain(trees.both(full, one), to_direct)


def _constant(value: float) -> Tagged:
    """Return a constant, which is one on the way back too."""
    return trees.with_inverse(trees.constant(value), trees.constant(value))


def _corrected(model: Any, dispersed: Tagged) -> Tagged:
    """Return a dispersion with its wavelengths as seen from the barycentre."""
    velocity = barycentric(model)
    if velocity is None:
        return dispersed
    correction = trees.beside(trees.identity(2), velocity, trees.identity(1))
    return trees.chain(dispersed, trees.remap([0, 1, 2, 3], 4), correction)


# Instruments


def dispersion(model: Any, specwcs: Any) -> Tagged:
    """Return the transform from the dispersed to the direct image, with its inverse.

    Raises
    ------
    InputError
        If the exposure does not tell its grism, or how the filter wheel stands.
    ReferenceFileError
        If the reference lacks what it needs.
    """
    traces = GrismTraces.of(specwcs)
    make = {"NIRCAM": _nircam, "NIRISS": _niriss, "MIRI": _miri}[_instrument(model)]
    return checked(make(model, traces, specwcs), specwcs)


def _instrument(model: Any) -> str:
    return str(model.meta.instrument.name).upper()


def _pair(kind: str, forward: str, backward: str, there: dict[str, Any], back: dict[str, Any]) -> Tagged:
    """Return the two transforms of a grism; the second is the first one's inverse."""

    def one(model_type: str, ends: tuple[list[str], list[str]], value: dict[str, Any]) -> Tagged:
        named = {"inputs": ends[0], "outputs": ends[1], "name": _snake(model_type), "model_type": model_type}
        return Tagged(f"{JWST}{kind}", named | value)

    return trees.with_inverse(one(forward, _FORWARD, there), one(backward, _BACKWARD, back))


def _snake(name: str) -> str:
    """Return the name of a transform that a type has: `NIRCAMForwardRow…` → ``nircam_forward_row_…``."""
    head = next(word for word in ("NIRCAM", "NIRISS", "MIRIWFSS") if name.startswith(word))
    rest = "".join(f"_{c.lower()}" if c.isupper() else c for c in name[len(head) :])
    return {"MIRIWFSS": "miri_wfss"}.get(head, head.lower()) + rest


def _nircam(model: Any, traces: GrismTraces, specwcs: Any) -> Tagged:
    pupil = str(model.meta.instrument.pupil)
    along = "Column" if pupil == "GRISMC" else "Row"
    shared: dict[str, Any] = {
        "orders": traces.orders,
        "xmodels": traces.x,
        "ymodels": traces.y,
        "lmodels": traces.wavelength,
    }
    inverses = {
        "inv_xmodels": traces.inverse_x,
        "inv_ymodels": traces.inverse_y,
        "inv_lmodels": traces.inverse_wavelength,
    }
    # `jwst` has these in memory only: what it writes lacks them, and is then inverted by samples.
    shared |= {name: value for name, value in inverses.items() if value}
    names = f"NIRCAMForward{along}GrismDispersion", "NIRCAMBackwardGrismDispersion"
    return _pair("nircam_grism_dispersion-1.2.0", *names, shared, shared)


def _niriss(model: Any, traces: GrismTraces, specwcs: Any) -> Tagged:
    position = required_position(model)
    theta = position - float(member(specwcs, "fwcpos_ref"))
    grism = str(model.meta.instrument.filter)
    if grism not in ("GR150C", "GR150R"):
        raise InputError(f"{model.meta.filename}: FILTER is {grism}; the grisms are GR150C and GR150R")
    # Of GR150C the spectra lie along rows in the orientation of the products.
    along = "Row" if grism == "GR150C" else "Column"
    shared = {"orders": traces.orders, "xmodels": traces.x, "ymodels": traces.y}
    names = f"NIRISSForward{along}GrismDispersion", "NIRISSBackwardGrismDispersion"
    there = shared | {"lmodels": traces.wavelength, "theta": theta}
    back = shared | {"lmodels": _inverse_wavelength(traces, specwcs), "theta": -theta}
    return _pair("niriss_grism_dispersion-1.2.0", *names, there, back)


def required_position(model: Any) -> float:
    """Return the angle of the filter wheel in degrees.

    Raises
    ------
    InputError
        If the file does not tell it.
    """
    position = getattr(model.meta.instrument, "filter_position", None)
    if position is None:
        raise InputError(
            f"{model.meta.filename}: the position of the filter wheel (FWCPOS) is missing, which turns the "
            "spectra"
        )
    return float(position)


def _miri(model: Any, traces: GrismTraces, specwcs: Any) -> Tagged:
    shared = {"orders": traces.orders, "xmodels": traces.x, "ymodels": traces.y}
    there = shared | {"lmodels": traces.wavelength}
    back = shared | {"lmodels": _inverse_wavelength(traces, specwcs)}
    names = "MIRIWFSSForwardDispersion", "MIRIWFSSBackwardDispersion"
    return _pair("miri_wfss_dispersion-1.0.0", *names, there, back)


def _inverse_wavelength(traces: GrismTraces, specwcs: Any) -> list[Any]:
    if traces.inverse_wavelength is None:
        raise ReferenceFileError(f"{specwcs.name} has no 'invdispl', from wavelengths to the trace")
    return traces.inverse_wavelength
