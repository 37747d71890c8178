"""Parameter reference files: settings of steps that suit a band, as CRDS serves them.

Stars that are hardly wider than a pixel differ from the median of dithered exposures, resampled, by more than
outlier detection allows for by default; in their bands it has to allow more (docs/truth.md has the numbers).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from webbcal.io import asdf_text
from webbcal.simulate.crds_cache import USEAFTER, CrdsCache
from webbcal.simulate.headers import IMAGING_TYPES
from webbcal.simulate.optics import filters_of
from webbcal.simulate.references_catalog import imagers_of, pixel_scale, takes

_TYPE = "pars-outlierdetectionstep"
#: Stars are undersampled where the FWHM is below this, pixels; what is allowed for them.
_UNDERSAMPLED = 1.5
_SCALE = "3.0 2.0"


def write_parameter_references(cache: CrdsCache, instruments: Iterable[str]) -> list[Path]:
    """Write parameter files for the undersampled bands of instruments into a CRDS cache; return the files."""
    return [
        path
        for instrument in sorted(set(instruments))
        for wheels in _undersampled(instrument)
        for path in [_write(cache, instrument, wheels)]
    ]


def _undersampled(instrument: str) -> list[tuple[str, str]]:
    """Return FILTER and PUPIL of the undersampled bands."""
    found = []
    for band in filters_of(instrument).values():
        scales = [pixel_scale(d) for d in imagers_of(instrument) if takes(d, band)]
        if 2.3548 * band.core_sigma(min(scales)) < _UNDERSAMPLED:
            found.append(band.wheels)
    return found


def _write(cache: CrdsCache, instrument: str, wheels: tuple[str, str]) -> Path:
    match = {"META.EXPOSURE.TYPE": IMAGING_TYPES[instrument]}
    names = ("META.INSTRUMENT.FILTER", "META.INSTRUMENT.PUPIL")
    match |= {name: value for name, value in zip(names, wheels, strict=True) if value != "N/A"}
    path = cache.path_for(instrument, _TYPE, match, ".asdf")
    tree = {
        "class": "jwst.outlier_detection.outlier_detection_step.OutlierDetectionStep",
        "name": "outlier_detection",
        "parameters": {"scale": _SCALE},
        "meta": {
            "author": "webbcal simulator",
            "description": "Outlier detection of undersampled images",
            "instrument": {"name": instrument},
            "origin": "STSCI",
            "pedigree": "SIMULATION",
            "reftype": _TYPE,
            "telescope": "JWST",
            "useafter": USEAFTER,
            "date": USEAFTER,
        },
    }
    path.write_bytes(asdf_text.write(tree))
    cache.add(path, instrument, _TYPE, match)
    return path
