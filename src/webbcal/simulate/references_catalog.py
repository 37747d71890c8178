"""The reference files of source catalogues: aperture corrections, and offsets from AB to Vega magnitudes.

Both follow from the simulated optics. The point-spread function is a sum of Gaussians, so the encircled
energy is known in closed form; what pixels and resampling add to its width is put in as a variance. A
correction turns what is measured, light in the aperture less the median of an annulus, into all light:
the profile falls outwards, so the median over the annulus is the profile at the radius that halves its area.

Vega is taken as a black body of 9600 K that has 3540 Jy at 0.5556 micrometres.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.simulate.crds_cache import USEAFTER, CrdsCache
from webbcal.simulate.geometry import DETECTORS, siaf
from webbcal.simulate.headers import assign
from webbcal.simulate.optics import PSF_GAUSSIANS, Filter, filters_of
from webbcal.simulate.references_image import IMAGERS

#: Percentages of encircled energy in the tables, as in JWST's own.
PERCENTAGES = (10, 20, 30, 40, 50, 60, 70, 80)
_SKY_PERCENTAGES = (92, 95)
_MIRI_SUBARRAYS = ("FULL", "BRIGHTSKY", "SUB256", "SUB128", "SUB64")
#: Least inner radius and width of the sky annulus, so that its median is of a hundred pixels.
_SKY_INNER, _SKY_WIDTH = 5.0, 3.0
_MODELS = {"NIRCAM": "NrcImg", "NIRISS": "NisImg", "FGS": "FgsImg", "MIRI": "MirImg"}


@dataclass(frozen=True)
class PointSpread:
    """The point-spread function as measured in an image: shares of the light and sigmas (pixels).

    Parameters
    ----------
    core_sigma : float
        Sigma of the optical core, pixels.
    boxes : int
        How often the light is averaged over a pixel on its way to an aperture sum: by the detector, by the
        exact overlap of the aperture with pixels, and twice by resampling, where a pixel that is dropped
        somewhere between pixels of the same size is shared out like a linear interpolation.
    """

    core_sigma: float
    boxes: int

    @property
    def gaussians(self) -> list[tuple[float, float]]:
        """(share, variance) of each Gaussian."""
        return [(s, (f * self.core_sigma) ** 2 + self.boxes / 12.0) for s, f in PSF_GAUSSIANS]

    def encircled(self, radius: float) -> float:
        """Return the share of the light within a radius."""
        return sum(s * (1.0 - np.exp(-0.5 * radius**2 / v)) for s, v in self.gaussians)

    def profile(self, radius: float) -> float:
        """Return the light per pixel at a radius, for a source of unit flux."""
        return sum(s / (2 * np.pi * v) * np.exp(-0.5 * radius**2 / v) for s, v in self.gaussians)

    def radius(self, share: float) -> float:
        """Return the radius that encircles a share of the light."""
        from scipy.optimize import brentq

        widest = 10.0 * np.sqrt(max(v for _, v in self.gaussians))
        return float(brentq(lambda r: self.encircled(r) - share, 0.0, widest))

    def apertures(self) -> Iterator[tuple[float, float, float, float, float]]:
        """Yield (share, radius, correction, inner and outer radius of the sky) of each aperture."""
        inner, outer = (self.radius(p / 100) for p in _SKY_PERCENTAGES)
        inner = max(inner, _SKY_INNER)
        outer = max(outer, inner + _SKY_WIDTH)
        sky = self.profile(np.sqrt((inner**2 + outer**2) / 2.0))
        for percentage in PERCENTAGES:
            radius = self.radius(percentage / 100)
            measured = percentage / 100 - np.pi * radius**2 * sky
            yield percentage / 100, radius, 1.0 / measured, inner, outer


def write_catalog_references(
    cache: CrdsCache, instruments: Iterable[str], resampled: bool = True
) -> list[Path]:
    """Write the aperture corrections and Vega offsets of instruments into a CRDS cache, and register them.

    Parameters
    ----------
    cache : CrdsCache
    instruments : iterable of str
        Of NIRCAM, NIRISS, FGS and MIRI.
    resampled : bool
        Whether the images that catalogues are made of are resampled (`_i2d`), which widens their sources.

    Returns
    -------
    list of Path
        The files.
    """
    paths = []
    for instrument in sorted(set(instruments)):
        boxes = 4 if resampled else 2
        detectors = imagers_of(instrument)
        for match, names in _scopes(instrument, detectors):
            rows = list(_aperture_rows(instrument, names, boxes))
            paths.append(_write(cache, instrument, "apcorr", match, rows))
        match = {"META.EXPOSURE.TYPE": IMAGERS[detectors[0]].exp_type}
        offsets = list(_vega_rows(instrument, detectors))
        paths.append(_write(cache, instrument, "abvegaoffset", match, offsets))
    return paths


def vega_offset(micrometres: float) -> float:
    """Return AB minus Vega magnitude at a wavelength."""

    def black_body(wavelength: float) -> float:
        return wavelength**-3.0 / np.expm1(14387.77 / (wavelength * 9600.0))

    jansky = 3540.0 * black_body(micrometres) / black_body(0.5556)
    return float(-2.5 * np.log10(jansky / 3631.0))


def imagers_of(instrument: str) -> list[str]:
    """Return the names of an instrument's detectors that take images."""
    return sorted(name for name, imager in IMAGERS.items() if imager.instrument == instrument)


@lru_cache
def pixel_scale(detector: str) -> float:
    """Return the mean pixel scale of a detector, arcsec."""
    imager = IMAGERS[detector]
    aperture = siaf(imager.siaf_instrument)[imager.aperture]
    return float(aperture.XSciScale + aperture.YSciScale) / 2.0


def _scopes(instrument: str, detectors: list[str]) -> list[tuple[dict[str, str], list[str]]]:
    """Return what selects each file, and the detectors it is for: mosaics are of many, but guiders of one."""
    if instrument == "FGS":
        return [({"META.INSTRUMENT.DETECTOR": d}, [d]) for d in detectors]
    return [({"META.EXPOSURE.TYPE": IMAGERS[detectors[0]].exp_type}, detectors)]


def _aperture_rows(instrument: str, detectors: list[str], boxes: int) -> Iterator[tuple[Any, ...]]:
    for band in filters_of(instrument).values():
        scale = np.mean([pixel_scale(d) for d in detectors if takes(d, band)])
        point_spread = PointSpread(band.core_sigma(float(scale)), boxes)
        for key in _keys(instrument, band):
            for row in point_spread.apertures():
                yield (*key, *row)


def takes(detector: str, band: Filter) -> bool:
    """Tell whether light of a band falls on a detector: NIRCam's two channels part at 2.4 micrometres."""
    channel = DETECTORS[detector].channel if detector in DETECTORS else None
    return channel not in ("SHORT", "LONG") or (channel == "LONG") == (band.pivot > 2.4)


def _keys(instrument: str, band: Filter) -> list[tuple[str, ...]]:
    if instrument == "FGS":
        return [()]
    return [(band.name, s) for s in _MIRI_SUBARRAYS] if instrument == "MIRI" else [band.wheels]


def _vega_rows(instrument: str, detectors: list[str]) -> Iterator[tuple[Any, ...]]:
    for band in filters_of(instrument).values():
        offset = vega_offset(band.pivot)
        if instrument == "FGS":
            yield from ((d, offset) for d in detectors)
        else:
            yield (*(band.wheels[:1] if instrument == "MIRI" else band.wheels), offset)


def _write(
    cache: CrdsCache, instrument: str, reftype: str, match: dict[str, str], rows: list[tuple[Any, ...]]
) -> Path:
    path = cache.path_for(instrument, reftype, match, ".fits" if reftype == "apcorr" else ".asdf")
    if reftype == "apcorr":
        model = getattr(datamodels, f"{_MODELS[instrument]}ApcorrModel")()
        model.apcorr_table = np.array(rows, model.get_dtype("apcorr_table"))
    else:
        from astropy.table import Table

        names = {"FGS": ("detector",), "MIRI": ("filter",)}.get(instrument, ("filter", "pupil"))
        model = datamodels.ABVegaOffsetModel()
        model.abvega_offset = Table(rows=rows, names=(*names, "abvega_offset"))
    metadata = {
        "filename": path.name,
        "reftype": reftype.upper(),
        "pedigree": "DUMMY",
        "author": "webbcal simulator",
        "description": f"Simulated {reftype} of {instrument}",
        "useafter": USEAFTER,
        "instrument.name": instrument,
    }
    if reftype == "apcorr":
        metadata["exposure.type"] = {i.instrument: i.exp_type for i in IMAGERS.values()}[instrument]
    if "META.INSTRUMENT.DETECTOR" in match:
        metadata["instrument.detector"] = match["META.INSTRUMENT.DETECTOR"]
    assign(model, metadata)
    model.save(path)
    cache.add(path, instrument, reftype, match)
    return path
