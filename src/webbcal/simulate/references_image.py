"""The reference files that place images on the sky: distortion and filter offsets, from the SIAF.

The distortion is the SIAF's polynomial from pixels to the ideal frame of the full-frame aperture, then a
rotation and shift to V2, V3 in the plane, as the SIAF defines them. Its own inverse polynomials are off
by up to 0.2 pixel in corners; the inverse here is fitted to the forward one, and better than 1e-4 pixel.

The simulated instruments have no filter offsets; so the files say, unless others are given.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.simulate.crds_cache import USEAFTER, CrdsCache
from webbcal.simulate.geometry import DETECTORS, siaf
from webbcal.simulate.headers import IMAGING_TYPES, assign
from webbcal.simulate.optics import filters_of


@dataclass(frozen=True, slots=True)
class Imager:
    """What the files need to know of a detector and of its full-frame aperture in the SIAF."""

    instrument: str
    exp_type: str
    siaf_instrument: str
    aperture: str
    channel: str | None = None
    module: str | None = None


IMAGERS = {
    d.name: Imager(
        d.instrument,
        IMAGING_TYPES[d.instrument],
        d.instrument.replace("NIRCAM", "NIRCam"),
        d.full_aperture,
        d.channel,
        d.module,
    )
    for d in DETECTORS.values()
    if d.instrument in IMAGING_TYPES
}

_MIRI_FILTERS = "F560W F770W F1000W F1130W F1280W F1500W F1800W F2100W F2550W FND F1065C F1140C F1550C F2300C"
_INVERSE_DEGREE = 9

Offsets = Mapping[str, tuple[float, float]]


def write_image_references(
    cache: CrdsCache, detectors: Iterable[str], offsets: Offsets | None = None
) -> list[Path]:
    """Write the distortion and filter offset files of detectors into a CRDS cache, and register them.

    Parameters
    ----------
    cache : CrdsCache
    detectors : iterable of str
        Names as in the DETECTOR keyword.
    offsets : mapping, optional
        Filter -> shift in columns and rows (pixels). Zero for those not named.

    Returns
    -------
    list of Path
        The files.
    """
    paths = []
    for detector in sorted(set(detectors)):
        imager = IMAGERS[detector]
        paths.append(_write(cache, detector, "distortion", {"model": distortion_model(detector)}))
        if imager.instrument != "FGS":
            rows = filter_rows(imager.instrument, offsets or {})
            paths.append(_write(cache, detector, "filteroffset", {"filters": rows}))
    return paths


@lru_cache
def distortion_model(detector: str) -> Any:
    """Return the astropy model from full-frame pixels (0-based) to V2, V3 in arcsec, with its inverse."""
    from astropy.modeling.models import AffineTransformation2D, Mapping, Shift

    imager = IMAGERS[detector]
    a = siaf(imager.siaf_instrument)[imager.aperture]
    shift = Shift(1.0 - a.XSciRef) & Shift(1.0 - a.YSciRef)
    branch = Mapping((0, 1, 0, 1))
    to_ideal = branch | (_polynomial(a, "Sci2IdlX") & _polynomial(a, "Sci2IdlY"))
    to_ideal.inverse = branch | _fitted_inverse(a, to_ideal)
    angle, parity = np.radians(a.V3IdlYAngle), a.VIdlParity
    matrix = [[parity * np.cos(angle), np.sin(angle)], [-parity * np.sin(angle), np.cos(angle)]]
    to_telescope = AffineTransformation2D(matrix=matrix, translation=[a.V2Ref, a.V3Ref])
    return shift | to_ideal | to_telescope


def _polynomial(aperture: Any, name: str) -> Any:
    """Return one of the SIAF's polynomials; its term (i, j) has x to the i-j and y to the j."""
    from astropy.modeling.models import Polynomial2D

    degree = int(aperture.Sci2IdlDeg)
    terms = {
        f"c{i - j}_{j}": float(getattr(aperture, f"{name}{i}{j}"))
        for i in range(degree + 1)
        for j in range(i + 1)
    }
    return Polynomial2D(degree, **terms)


def _fitted_inverse(aperture: Any, forward: Any) -> Any:
    """Return polynomials from ideal coordinates to pixels, fitted beyond the edges of the detector."""
    from astropy.modeling.fitting import LinearLSQFitter
    from astropy.modeling.models import Polynomial2D

    u = np.cos(np.pi * (np.arange(40) + 0.5) / 40) * 0.53 + 0.5
    x, y = np.meshgrid(u * aperture.XSciSize - aperture.XSciRef, u * aperture.YSciSize - aperture.YSciRef)
    to_x, to_y = forward(x, y)
    # Scaled to -1…1, or terms of the ninth degree would drown in rounding.
    domain = {"x_domain": (to_x.min(), to_x.max()), "y_domain": (to_y.min(), to_y.max())}
    empty = Polynomial2D(_INVERSE_DEGREE, **{k: tuple(map(float, v)) for k, v in domain.items()})
    fitter = LinearLSQFitter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The fit may be poorly conditioned")
        return fitter(empty, to_x, to_y, x) & fitter(empty, to_x, to_y, y)


def filter_rows(instrument: str, offsets: Offsets) -> list[dict[str, Any]]:
    """Return the rows of a filter offset file: filter, pupil (but for MIRI), and shifts in pixels."""
    wheels: dict[str, dict[str, str]]
    if instrument == "MIRI":
        wheels = {name: {"filter": name} for name in _MIRI_FILTERS.split()}
    else:
        bands = filters_of(instrument).items()
        wheels = {name: dict(zip(("filter", "pupil"), f.wheels, strict=True)) for name, f in bands}
    rows: list[dict[str, Any]] = []
    for name, where in wheels.items():
        column, row = offsets.get(name, (0.0, 0.0))
        rows.append({**where, "column_offset": float(column), "row_offset": float(row)})
    return rows


def _write(cache: CrdsCache, detector: str, reftype: str, content: dict[str, Any]) -> Path:
    """Write one ASDF reference file and register it."""
    imager = IMAGERS[detector]
    match = {"META.INSTRUMENT.DETECTOR": detector}
    path = cache.path_for(imager.instrument, reftype, match, extension=".asdf")
    model = datamodels.DistortionModel() if reftype == "distortion" else datamodels.FilteroffsetModel()
    for name, value in content.items():
        setattr(model, name, value)
    metadata: dict[str, Any] = {
        "reftype": reftype,
        "pedigree": "DUMMY",
        "author": "webbcal simulator",
        "description": f"Simulated {reftype} of {detector}",
        "useafter": USEAFTER,
        "instrument.name": imager.instrument,
        "instrument.detector": detector,
        "exposure.type": imager.exp_type,
    }
    if imager.channel:
        metadata |= {"instrument.channel": imager.channel, "instrument.module": imager.module}
    if reftype == "distortion":
        metadata |= {"input_units": "pixel", "output_units": "arcsec"}
    assign(model, metadata)
    model.save(path)
    cache.add(path, imager.instrument, reftype, match)
    return path
