"""Transforms as they stand in ASDF files, evaluated with numpy alone.

The WCS of an image is a tree of a dozen kinds of transform. `gwcs` and `astropy.modeling` evaluate any; they
define what is right, and tests hold this module to them. But loading them takes longer than calibrating an
image, so the steps evaluate the kinds that imagers use here. Whatever is not known here raises `Unknown`, and
the libraries do it.

Sources: the schemas of asdf-transform-schemas and gwcs; for the tangent plane M. R. Calabretta and E. W.
Greisen, "Representations of celestial coordinates in FITS", A&A 395 (2002), 1077.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.io.asdf_text import Tagged

F64 = NDArray[np.float64]
Function = Callable[..., tuple[F64, ...]]


class Unknown(Exception):
    """The transform needs the libraries."""


def forward(node: Any) -> Function:
    """Return the function of a transform: from its inputs to a tuple of its outputs, arrays of float64.

    Raises
    ------
    Unknown
        If it is of a kind, or has a parameter, that is not known here.
    """
    return _made(_FORWARD, node)


def backward(node: Any) -> Function:
    """Return the function of the inverse of a transform: its own if it comes with one.

    Raises
    ------
    Unknown
        If it has no inverse that is known here.
    """
    value = _members(node)
    return forward(value["inverse"]) if "inverse" in value else _made(_BACKWARD, node)


def _made(table: dict[str, Callable[[Any], Function]], node: Any) -> Function:
    value = _members(node)
    if node.kind not in table:
        raise Unknown(node.tag)
    try:
        return table[node.kind](value)
    except (KeyError, TypeError, ValueError) as error:
        raise Unknown(f"{node.tag}: {error}") from error


def _members(node: Any) -> dict[str, Any]:
    if not isinstance(node, Tagged) or not isinstance(node.value, dict):
        raise Unknown(type(node).__name__)
    return node.value


# Combinations


def _compose(value: dict[str, Any]) -> Function:
    return _chain([forward(part) for part in value["forward"]])


def _compose_back(value: dict[str, Any]) -> Function:
    return _chain([backward(part) for part in reversed(value["forward"])])


def _chain(functions: Sequence[Function]) -> Function:
    def run(*inputs: F64) -> tuple[F64, ...]:
        return reduce(lambda values, function: function(*values), functions, inputs)

    return run


def _concatenate(value: dict[str, Any]) -> Function:
    parts = value["forward"]
    return _side_by_side([forward(part) for part in parts], [inputs_of(part) for part in parts])


def _concatenate_back(value: dict[str, Any]) -> Function:
    parts = value["forward"]
    return _side_by_side([backward(part) for part in parts], [_outputs_of(part) for part in parts])


def _side_by_side(functions: Sequence[Function], counts: Sequence[int]) -> Function:
    ends = np.cumsum(counts)

    def run(*inputs: F64) -> tuple[F64, ...]:
        groups = (inputs[end - n : end] for end, n in zip(ends, counts, strict=True))
        return tuple(out for f, group in zip(functions, groups, strict=True) for out in f(*group))

    return run


def inputs_of(node: Any) -> int:
    """Return the number of inputs of a transform."""
    value = _members(node)
    if "inputs" in value:
        return len(value["inputs"])
    if node.kind == "compose":
        return inputs_of(value["forward"][0])
    if node.kind == "concatenate":
        return sum(inputs_of(part) for part in value["forward"])
    if node.kind == "remap_axes":
        return int(value.get("n_inputs", max(value["mapping"]) + 1))
    if node.kind == "identity":
        return int(value.get("n_dims", 1))
    if node.kind == "constant":
        return int(value.get("dimensions", 1))
    if node.kind in ("shift", "scale"):
        return 1
    if node.kind in ("polynomial", "affine"):
        return 2
    raise Unknown(node.tag)


def _outputs_of(node: Any) -> int:
    value = _members(node)
    if "outputs" in value:
        return len(value["outputs"])
    if node.kind in ("shift", "scale", "identity", "affine"):
        return inputs_of(node)
    raise Unknown(node.tag)


# Arithmetic


def _number(value: Any) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    raise Unknown("a parameter with a unit")


def _shift(value: dict[str, Any]) -> Function:
    offset = _number(value["offset"])
    return lambda x: (x + offset,)


def _shift_back(value: dict[str, Any]) -> Function:
    offset = -_number(value["offset"])
    return lambda x: (x + offset,)


def _scale(value: dict[str, Any]) -> Function:
    factor = _number(value["factor"])
    return lambda x: (x * factor,)


def _scale_back(value: dict[str, Any]) -> Function:
    factor = 1 / _number(value["factor"])
    return lambda x: (x * factor,)


def _identity(value: dict[str, Any]) -> Function:
    return lambda *inputs: inputs


def _remap_axes(value: dict[str, Any]) -> Function:
    mapping = [int(k) for k in value["mapping"]]
    return lambda *inputs: tuple(inputs[k] for k in mapping)


def _affine(value: dict[str, Any]) -> Function:
    return _linear(np.asarray(value["matrix"], float), np.asarray(value["translation"], float))


def _affine_back(value: dict[str, Any]) -> Function:
    inverse = np.linalg.inv(np.asarray(value["matrix"], float))
    return _linear(inverse, -inverse @ np.asarray(value["translation"], float))


def _linear(matrix: F64, offset: F64) -> Function:
    (a, b), (c, d) = matrix
    return lambda x, y: (a * x + b * y + offset[0], c * x + d * y + offset[1])


def _constant(value: dict[str, Any]) -> Function:
    constant = _number(value["value"])
    return lambda x, *_: (np.full(np.shape(x), constant),)


def _divide(value: dict[str, Any]) -> Function:
    above, below = (forward(part) for part in value["forward"])
    return lambda *inputs: tuple(a / b for a, b in zip(above(*inputs), below(*inputs), strict=True))


def _polynomial(value: dict[str, Any]) -> Function:
    """Return a polynomial in two variables, by Horner's scheme in x within that in y."""
    c = np.asarray(value["coefficients"], float)
    if c.ndim != 2:
        raise Unknown("a polynomial in one variable")
    domains = value.get("domain") or (None, None)
    windows = value.get("window") or (None, None)
    to_x, to_y = (_to_window(*pair) for pair in zip(domains, windows, strict=True))

    def run(x: F64, y: F64) -> tuple[F64]:
        x, y = to_x(x), to_y(y)
        total: Any = 0.0
        for j in reversed(range(len(c))):
            inner: Any = 0.0
            for i in reversed(range(1, len(c) - j)):
                inner = x * (c[i, j] + inner)
            total = c[0, j] + inner + y * total
        return (total,)

    return run


def _to_window(domain: Any, window: Any) -> Callable[[F64], F64]:
    """Return the linear map from a domain to a window (by default both are -1…1)."""
    (a, b), (low, high) = domain or (-1, 1), window or (-1, 1)
    scale, offset = (high - low) / (b - a), (low * b - high * a) / (b - a)
    return (lambda v: v) if (scale, offset) == (1, 0) else (lambda v: offset + scale * v)


# Directions


def _spherical_cartesian(value: dict[str, Any]) -> Function:
    return _direction(value["transform_type"], value.get("wrap_lon_at", 360))


def _spherical_cartesian_back(value: dict[str, Any]) -> Function:
    back = {
        "spherical_to_cartesian": "cartesian_to_spherical",
        "cartesian_to_spherical": "spherical_to_cartesian",
    }
    return _direction(back[value["transform_type"]], value.get("wrap_lon_at", 360))


def _direction(kind: str, wrap: int) -> Function:
    return to_vector if kind == "spherical_to_cartesian" else lambda x, y, z: to_angles(x, y, z, wrap)


def to_vector(lon: F64, lat: F64) -> tuple[F64, F64, F64]:
    """Return the unit vector in a direction (degrees)."""
    lon, lat = np.radians(lon), np.radians(lat)
    flat = np.cos(lat)
    return flat * np.cos(lon), flat * np.sin(lon), np.sin(lat)


def to_angles(x: F64, y: F64, z: F64, wrap: int = 360) -> tuple[F64, F64]:
    """Return the direction of a vector, degrees, degrees; longitudes from 0, or (`wrap` 180) from -180."""
    lat = np.degrees(np.arctan2(z, np.hypot(x, y)))
    lon = np.degrees(np.arctan2(y, x))
    return (lon if wrap == 180 else np.mod(lon, 360.0)), lat


def _rotate_sequence(value: dict[str, Any]) -> Function:
    return _rotation(rotation_matrix(value["angles"], value["axes_order"]), value)


def _rotate_sequence_back(value: dict[str, Any]) -> Function:
    return _rotation(rotation_matrix(value["angles"], value["axes_order"]).T, value)


def _rotation(matrix: F64, value: dict[str, Any]) -> Function:
    if value.get("rotation_type") != "cartesian":
        raise Unknown("a rotation of angles")

    def run(x: F64, y: F64, z: F64) -> tuple[F64, ...]:
        return tuple(row[0] * x + row[1] * y + row[2] * z for row in matrix)

    return run


def rotation_matrix(angles: Sequence[float], axes: str) -> F64:
    """Return the matrix that turns the coordinate frame by angles (degrees) about axes, one by one."""
    matrix = np.eye(3)
    for angle, axis in zip(angles, axes, strict=True):
        c, s = np.cos(np.radians(_number(angle))), np.sin(np.radians(_number(angle)))
        one, two = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        turn = np.eye(3)
        turn[one, one] = turn[two, two] = c
        turn[one, two], turn[two, one] = s, -s
        matrix = turn @ matrix
    return matrix


# The tangent plane of FITS


class TangentPlane:
    """Pixels to the sky by a tangent plane (TAN), and back.

    Parameters
    ----------
    crpix : pair of float
        0-based reference pixel (x, y).
    crval : pair of float
        Its RA and Dec, degrees.
    cdelt : pair of float
        Degrees a pixel along both axes.
    pc : (2, 2) array
        Rotation of the pixel axes to those of the sky.
    """

    def __init__(self, crpix: Any, crval: Any, cdelt: Any, pc: Any) -> None:
        self.crpix, self.crval, self.cdelt = (np.asarray(v, float) for v in (crpix, crval, cdelt))
        self._matrix = self.cdelt[:, None] * np.asarray(pc, float)
        self._inverse = np.linalg.inv(self._matrix)
        # The rows are the directions of the plane's axes (east, north) and of its centre.
        ra, dec = np.radians(self.crval)
        east = [-np.sin(ra), np.cos(ra), 0.0]
        north = [-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)]
        centre = [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
        self._axes = np.array([east, north, centre])

    def forward(self, x: F64, y: F64) -> tuple[F64, F64]:
        """Return RA (0 to 360) and Dec of pixels."""
        u, v = x - self.crpix[0], y - self.crpix[1]
        (a, b), (c, d) = np.radians(self._matrix)
        xi, eta = a * u + b * v, c * u + d * v
        e, n, m = self._axes
        return to_angles(*(m[k] + xi * e[k] + eta * n[k] for k in range(3)))

    def backward(self, ra: F64, dec: F64) -> tuple[F64, F64]:
        """Return pixels; NaN for directions that are not before the plane."""
        vector = to_vector(np.asarray(ra, float), np.asarray(dec, float))
        e, n, m = (axis[0] * vector[0] + axis[1] * vector[1] + axis[2] * vector[2] for axis in self._axes)
        with np.errstate(invalid="ignore", divide="ignore"):
            before = np.where(m > 0, m, np.nan)
            xi, eta = np.degrees(e / before), np.degrees(n / before)
        (a, b), (c, d) = self._inverse
        return a * xi + b * eta + self.crpix[0], c * xi + d * eta + self.crpix[1]


def _fitswcs(value: dict[str, Any]) -> TangentPlane:
    projection = value["projection"]
    if projection.kind != "gnomonic" or _members(projection).get("direction") != "pix2sky":
        raise Unknown(projection.tag)
    return TangentPlane(value["crpix"], value["crval"], value["cdelt"], value["pc"])


_FORWARD: dict[str, Callable[[Any], Function]] = {
    "compose": _compose,
    "concatenate": _concatenate,
    "shift": _shift,
    "scale": _scale,
    "identity": _identity,
    "remap_axes": _remap_axes,
    "affine": _affine,
    "constant": _constant,
    "divide": _divide,
    "polynomial": _polynomial,
    "spherical_cartesian": _spherical_cartesian,
    "rotate_sequence_3d": _rotate_sequence,
    "fitswcs_imaging": lambda value: _fitswcs(value).forward,
}
_BACKWARD: dict[str, Callable[[Any], Function]] = {
    "compose": _compose_back,
    "concatenate": _concatenate_back,
    "shift": _shift_back,
    "scale": _scale_back,
    "identity": _identity,
    "affine": _affine_back,
    "spherical_cartesian": _spherical_cartesian_back,
    "rotate_sequence_3d": _rotate_sequence_back,
    "fitswcs_imaging": lambda value: _fitswcs(value).backward,
}
