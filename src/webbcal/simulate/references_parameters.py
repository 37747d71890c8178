"""Parameter reference files: settings of steps that suit a band.

Stars that are hardly wider than a pixel differ from the median of dithered exposures, resampled, by more than
outlier detection allows for by default; in their bands it has to allow more (docs/truth.md has the numbers).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from webbcal.io import asdf_text
from webbcal.simulate.crds_cache import USEAFTER, CrdsCache
from webbcal.simulate.headers import IMAGING_TYPES
from webbcal.simulate.optics import Filter, filters_of
from webbcal.simulate.references_catalog import imagers_of, pixel_scale, takes

_TYPE = "pars-outlierdetectionstep"
#: What suits stars whose FWHM is below a number of pixels, narrow ones first; wider ones need nothing.
_SCALES = ((1.3, "3.0 2.0"), (1.8, "2.0 1.4"))


def write_parameter_references(cache: CrdsCache, instruments: Iterable[str]) -> list[Path]:
    """Write parameter files for the undersampled bands of instruments into a CRDS cache; return the files."""
    return [
        _write(cache, instrument, scale, bands)
        for instrument in sorted(set(instruments))
        for scale, bands in _undersampled(instrument).items()
    ]


def _undersampled(instrument: str) -> dict[str, list[Filter]]:
    """Return the undersampled bands of an instrument by the scale that suits them."""
    found: dict[str, list[Filter]] = {}
    for band in filters_of(instrument).values():
        sizes = [pixel_scale(d) for d in imagers_of(instrument) if takes(d, band)]
        width = band.fwhm(sum(sizes) / len(sizes))
        for scale in [scale for limit, scale in _SCALES if width < limit][:1]:
            found.setdefault(scale, []).append(band)
    return found


def _write(cache: CrdsCache, instrument: str, scale: str, bands: list[Filter]) -> Path:
    """Write one file and register it for its bands."""
    matches = [_match(instrument, band) for band in bands]
    path = cache.path_for(instrument, _TYPE, matches[0], ".asdf")
    metadata = {
        "author": "webbcal simulator",
        "description": "Outlier detection of undersampled images",
        "instrument": {"name": instrument},
        "origin": "STSCI",
        "pedigree": "SIMULATION",
        "reftype": _TYPE,
        "telescope": "JWST",
        "useafter": USEAFTER,
        "date": USEAFTER,
    }
    tree = {
        "class": "jwst.outlier_detection.outlier_detection_step.OutlierDetectionStep",
        "name": "outlier_detection",
        "parameters": {"scale": scale},
        "meta": metadata,
    }
    path.write_bytes(asdf_text.write(tree))
    for match in matches:
        cache.add(path, instrument, _TYPE, match)
    return path


def _match(instrument: str, band: Filter) -> dict[str, str]:
    wheels = zip(("META.INSTRUMENT.FILTER", "META.INSTRUMENT.PUPIL"), band.wheels, strict=True)
    match = {name: value for name, value in wheels if value != "N/A"}
    return match | {"META.EXPOSURE.TYPE": IMAGING_TYPES[instrument]}
