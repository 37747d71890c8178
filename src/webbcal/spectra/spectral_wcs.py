"""The WCS of a spectrum: from its samples to a place on the sky and wavelengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.io.asdf_text import Tagged
from webbcal.wcs import trees

_TABULAR = "tag:stsci.edu:asdf/transform/tabular-1.4.0"
_GWCS = "tag:stsci.edu:gwcs/"
_UNIT = "tag:stsci.edu:asdf/unit/unit-1.0.0"


def spectral_wcs(ra: float | None, dec: float | None, wavelength: NDArray[np.float64]) -> Tagged:
    """Return the tree of a WCS of one input: sample -> RA, Dec (degrees, the same for all), wavelength (µm).

    It has an inverse, which takes wavelengths alone into account, if these go up or down throughout; beyond
    their ends it is NaN.
    """
    there = [trees.constant(np.nan if v is None else v) for v in (ra, dec)]
    place = trees.both(there[0], there[1])
    samples = np.arange(len(wavelength), dtype=float)
    table = _table(samples, wavelength, extrapolates=True)
    forward = trees.chain(trees.remap([0, 0, 0], 1), trees.both(place, table), name="pixel_to_world")
    steps = np.diff(wavelength)
    if (steps > 0).all() or (steps < 0).all():
        up = slice(None) if (steps > 0).all() else slice(None, None, -1)
        inverse = trees.chain(trees.remap([2], 3), _table(wavelength[up], samples[up], extrapolates=False))
        assert isinstance(forward.value, dict)
        forward = Tagged(forward.tag, forward.value | {"inverse": inverse})
    return trees.wcs([(_pixels(), forward), (_world(), None)])


def _table(points: NDArray[np.float64], values: NDArray[np.float64], extrapolates: bool) -> Tagged:
    beyond = {} if extrapolates else {"fill_value": np.nan}
    value = {
        "bounds_error": False,
        "lookup_table": np.array(values, float),
        "method": "linear",
        "points": [np.array(points, float)],
    }
    return Tagged(_TABULAR, value | beyond)


def _pixels() -> Tagged:
    value = {
        "name": "pixel_frame",
        "axes_names": [""],
        "axis_physical_types": ["custom:SPATIAL"],
        "axes_order": [0],
        "axes_type": ["SPATIAL"],
        "naxes": 1,
        "unit": [Tagged(_UNIT, "pixel")],
    }
    return Tagged(f"{_GWCS}frame-1.2.0", value)


def _world() -> Tagged:
    spectral = {
        "name": "spectral",
        "axes_names": ["wavelength"],
        "axes_order": [2],
        "axis_physical_types": ["em.wl"],
        "unit": [Tagged(_UNIT, "um")],
    }
    frames = [trees.sky("sky"), Tagged(f"{_GWCS}spectral_frame-1.2.0", spectral)]
    return Tagged(f"{_GWCS}composite_frame-1.0.0", {"name": "world", "frames": frames})
