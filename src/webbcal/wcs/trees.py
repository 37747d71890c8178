"""Transforms and frames as they stand in ASDF files: what `assign_wcs` and `resample` build a WCS of.

Tags are those that gwcs 1 and asdf-astropy 0.11 write, and so `jwst` 3.0.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from webbcal.io.asdf_text import Tagged
from webbcal.wcs.bounds import Bounds

_TRANSFORM = "tag:stsci.edu:asdf/transform/"
_GWCS = "tag:stsci.edu:gwcs/"
_UNIT = "tag:stsci.edu:asdf/unit/unit-1.0.0"
_ICRS = "tag:astropy.org:astropy/coordinates/frames/icrs-1.1.0"


def _transform(kind: str, value: dict[str, Any], name: str | None) -> Tagged:
    return Tagged(f"{_TRANSFORM}{kind}", value | ({"name": name} if name else {}))


def shift(offset: float, name: str | None = None) -> Tagged:
    """x + offset."""
    return _transform("shift-1.4.0", {"offset": float(offset)}, name)


def scale(factor: float, name: str | None = None) -> Tagged:
    """x · factor."""
    return _transform("scale-1.4.0", {"factor": float(factor)}, name)


def identity(axes: int, name: str | None = None) -> Tagged:
    """Return the inputs."""
    return _transform("identity-1.4.0", {"n_dims": axes}, name)


def constant(number: float, name: str | None = None) -> Tagged:
    """The number, whatever the input."""
    return _transform("constant-1.6.0", {"dimensions": 1, "value": float(number)}, name)


def remap(mapping: Sequence[int], inputs: int, name: str | None = None) -> Tagged:
    """Return inputs by their numbers."""
    value: dict[str, Any] = {"mapping": list(mapping)}
    if max(mapping) + 1 != inputs:
        value["n_inputs"] = inputs
    return _transform("remap_axes-1.5.0", value, name)


def polynomial(coefficients: Sequence[float], name: str | None = None) -> Tagged:
    """A polynomial in one variable, of coefficients of rising powers."""
    return _transform("polynomial-1.3.0", {"coefficients": np.array(coefficients, float)}, name)


def table(points: Any, values: Any, name: str | None = None) -> Tagged:
    """Values between points of one variable, linear; NaN outside."""
    value = {
        "bounds_error": False,
        "fill_value": float("nan"),
        "lookup_table": np.array(values, float),
        "method": "linear",
        "points": [np.array(points, float)],
    }
    return _transform("tabular-1.4.0", value, name)


def affine(matrix: Any, translation: Any, name: str | None = None) -> Tagged:
    """Turn a vector (x, y) by a matrix, then add another."""
    value = {"matrix": np.array(matrix, float), "translation": np.array(translation, float)}
    return _transform("affine-1.5.0", value, name)


def both(first: Tagged, second: Tagged, name: str | None = None) -> Tagged:
    """One transform beside the other: each has its own inputs and outputs."""
    return _transform("concatenate-1.4.0", {"forward": [first, second]}, name)


def beside(*parts: Tagged) -> Tagged:
    """Any number of transforms, each beside the ones before."""
    first, *rest = parts
    for part in rest:
        first = both(first, part)
    return first


def total(first: Tagged, second: Tagged) -> Tagged:
    """The sum of two transforms of the same inputs."""
    return _transform("add-1.4.0", {"forward": [first, second]}, None)


def difference(first: Tagged, second: Tagged) -> Tagged:
    """One transform less another, of the same inputs."""
    return _transform("subtract-1.4.0", {"forward": [first, second]}, None)


def product(first: Tagged, second: Tagged) -> Tagged:
    """One transform times another, of the same inputs."""
    return _transform("multiply-1.4.0", {"forward": [first, second]}, None)


def quotient(above: Tagged, below: Tagged) -> Tagged:
    """One transform divided by another, of the same inputs."""
    return _transform("divide-1.4.0", {"forward": [above, below]}, None)


def chain(*parts: Tagged, name: str | None = None) -> Tagged:
    """One transform after the other."""
    *before, last = parts
    if not before:
        return last
    return _transform("compose-1.4.0", {"forward": [chain(*before), last]}, name)


def rotations(angles: Sequence[float], axes: str, name: str | None = None) -> Tagged:
    """Turn the axes of a Cartesian frame by angles (degrees) about axes, one after the other."""
    value = {"angles": [float(v) for v in angles], "axes_order": axes, "rotation_type": "cartesian"}
    return _transform("rotate_sequence_3d-1.2.0", value, name)


def spherical(kind: str, wrap: int, name: str | None = None) -> Tagged:
    """``spherical_to_cartesian`` or ``cartesian_to_spherical``; longitudes wrap at 180 or 360 degrees."""
    value = {"transform_type": kind, "wrap_lon_at": wrap} | ({"name": name} if name else {})
    return Tagged(f"{_GWCS}spherical_cartesian-1.3.0", value)


def tangent_plane(crpix: Any, crval: Any, cdelt: Any, pc: Any) -> Tagged:
    """The FITS transform of a tangent plane: 0-based `crpix`, `crval` and `cdelt` in degrees."""
    arrays = {"crpix": crpix, "crval": crval, "cdelt": cdelt, "pc": pc}
    projection = _transform("gnomonic-1.4.0", {"direction": "pix2sky"}, None)
    value = {name: np.array(array, float) for name, array in arrays.items()} | {"projection": projection}
    return Tagged(f"{_GWCS}fitswcs_imaging-1.0.0", value)


def with_inverse(transform: Tagged, inverse: Tagged) -> Tagged:
    """Return a copy of a transform that brings an inverse."""
    assert isinstance(transform.value, dict)
    return Tagged(transform.tag, transform.value | {"inverse": inverse})


def bounded(transform: Tagged, bounds: Bounds, inputs: Sequence[str] = ("x0", "x1")) -> Tagged:
    """Return a copy of a transform with a bounding box: ((x0, x1), (y0, y1)), outer edges of pixels."""
    intervals = {name: [float(v) for v in pair] for name, pair in zip(inputs, bounds, strict=True)}
    box = Tagged(
        f"{_TRANSFORM}property/bounding_box-1.2.0", {"ignore": [], "intervals": intervals, "order": "F"}
    )
    assert isinstance(transform.value, dict)
    return Tagged(transform.tag, transform.value | {"inputs": list(inputs), "bounding_box": box})


def frame(name: str, axes: tuple[str, str], unit: str) -> Tagged:
    """A frame of two plain axes."""
    value = {
        "name": name,
        "axes_names": list(axes),
        "axes_order": [0, 1],
        "axis_physical_types": [f"custom:{axis}" for axis in axes],
        "unit": [Tagged(_UNIT, unit), Tagged(_UNIT, unit)],
    }
    return Tagged(f"{_GWCS}frame2d-1.2.0", value)


def sky(name: str = "world", axes: tuple[str, str] = ("lon", "lat")) -> Tagged:
    """RA and Dec in degrees, ICRS."""
    value = {
        "name": name,
        "axes_names": list(axes),
        "axes_order": [0, 1],
        "axis_physical_types": ["pos.eq.ra", "pos.eq.dec"],
        "reference_frame": Tagged(_ICRS, {"frame_attributes": {}}),
        "unit": [Tagged(_UNIT, "deg"), Tagged(_UNIT, "deg")],
    }
    return Tagged(f"{_GWCS}celestial_frame-1.2.0", value)


def spectrum(name: str, axis: str) -> Tagged:
    """Wavelengths in µm, beside two coordinates of a place."""
    value = {
        "name": name,
        "axes_names": [axis],
        "axes_order": [2],
        "axis_physical_types": ["em.wl"],
        "unit": [Tagged(_UNIT, "um")],
    }
    return Tagged(f"{_GWCS}spectral_frame-1.2.0", value)


def composite(name: str, *frames: Tagged) -> Tagged:
    """Frames that are one together."""
    return Tagged(f"{_GWCS}composite_frame-1.0.0", {"name": name, "frames": list(frames)})


def wcs(steps: Sequence[tuple[Tagged, Tagged | None]], pixel_shape: Sequence[int] | None = None) -> Tagged:
    """Return a WCS: frames, each with the transform to the next."""
    nodes = [Tagged(f"{_GWCS}step-1.3.0", {"frame": f, "transform": t}) for f, t in steps]
    shape = None if pixel_shape is None else list(pixel_shape)
    return Tagged(f"{_GWCS}wcs-1.4.0", {"name": "", "pixel_shape": shape, "steps": nodes})
