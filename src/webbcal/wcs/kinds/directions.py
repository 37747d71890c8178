"""Directions: angles and unit vectors, and rotations of either."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from webbcal.wcs.kinds.kind import ASDF, F64, GWCS, Function, Kind, Transform, Unknown, number


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


def rotation_matrix(angles: Sequence[float], axes: str) -> F64:
    """Return the matrix that turns the coordinate frame by angles (degrees) about axes, one by one."""
    matrix = np.eye(3)
    for angle, axis in zip(angles, axes, strict=True):
        c, s = np.cos(np.radians(number(angle))), np.sin(np.radians(number(angle)))
        one, two = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        turn = np.eye(3)
        turn[one, one] = turn[two, two] = c
        turn[one, two], turn[two, one] = s, -s
        matrix = turn @ matrix
    return matrix


# Between angles and vectors

_SPHERICAL = {"spherical_to_cartesian": (2, 3), "cartesian_to_spherical": (3, 2)}
_COSINES = {"to_direction_cosines": (3, 4), "from_direction_cosines": (4, 3)}
_OPPOSITE = {
    "spherical_to_cartesian": "cartesian_to_spherical",
    "cartesian_to_spherical": "spherical_to_cartesian",
    "to_direction_cosines": "from_direction_cosines",
    "from_direction_cosines": "to_direction_cosines",
}


def _spherical(t: Transform) -> Function:
    return _between(t["transform_type"], t.value.get("wrap_lon_at", 360))


def _spherical_back(t: Transform) -> Function:
    return _between(_OPPOSITE[t["transform_type"]], t.value.get("wrap_lon_at", 360))


def _between(direction: str, wrap: int) -> Function:
    if direction == "spherical_to_cartesian":
        return to_vector
    return lambda x, y, z: to_angles(x, y, z, wrap)


def _cosines(t: Transform) -> Function:
    return _CONVERSIONS[t["transform_type"]]


def _cosines_back(t: Transform) -> Function:
    return _CONVERSIONS[_OPPOSITE[t["transform_type"]]]


def _to_cosines(x: F64, y: F64, z: F64) -> tuple[F64, ...]:
    """Return direction cosines and length of (x, y, 1); as in gwcs, the third input does not count."""
    length = np.sqrt(1.0 + x**2 + y**2)
    return x / length, y / length, 1.0 / length, length


def _from_cosines(a: F64, b: F64, c: F64, length: F64) -> tuple[F64, ...]:
    return a * length, b * length, c * length


_CONVERSIONS: dict[str, Function] = {
    "to_direction_cosines": _to_cosines,
    "from_direction_cosines": _from_cosines,
}


# Rotations


def _sequence(t: Transform) -> Function:
    return _of_sequence(t, rotation_matrix(t["angles"], t["axes_order"]))


def _sequence_back(t: Transform) -> Function:
    return _of_sequence(t, rotation_matrix(t["angles"], t["axes_order"]).T)


def _of_sequence(t: Transform, matrix: F64) -> Function:
    return _of_vectors(matrix) if _dimensions(t) == 3 else _of_angles(matrix, 180)


def _dimensions(t: Transform) -> int:
    return {"cartesian": 3, "spherical": 2}[t["rotation_type"]]


def _of_vectors(matrix: F64) -> Function:
    def run(x: F64, y: F64, z: F64) -> tuple[F64, ...]:
        return tuple(row[0] * x + row[1] * y + row[2] * z for row in matrix)

    return run


def _of_angles(matrix: F64, wrap: int) -> Function:
    turn = _of_vectors(matrix)

    def run(lon: F64, lat: F64) -> tuple[F64, ...]:
        x, y, z = turn(*to_vector(lon, lat))
        return to_angles(x, y, z, wrap)

    return run


def _euler(t: Transform) -> Function:
    return _of_euler(t, lambda matrix: matrix)


def _euler_back(t: Transform) -> Function:
    return _of_euler(t, np.transpose)


def _of_euler(t: Transform, way: Callable[[F64], F64]) -> Function:
    """Return a rotation by three angles; those between native and celestial angles are named."""
    phi, theta, psi = (t.number(name) for name in ("phi", "theta", "psi"))
    direction = t["direction"]
    if direction == "native2celestial":
        return _of_angles(way(rotation_matrix((psi - 90, theta - 90, -90 - phi), "zxz")), 360)
    if direction == "celestial2native":
        return _of_angles(way(rotation_matrix((90 + phi, 90 - theta, 90 - psi), "zxz")), 360)
    if len(direction) != 3 or set(direction) - set("xyz"):
        raise Unknown(f"a rotation {direction}")
    return _of_angles(way(rotation_matrix((phi, theta, psi), direction)), 180)


KINDS = (
    Kind(
        GWCS + "spherical_cartesian",
        lambda t: _SPHERICAL[t["transform_type"]][0],
        lambda t: _SPHERICAL[t["transform_type"]][1],
        _spherical,
        _spherical_back,
    ),
    Kind(
        GWCS + "direction_cosines",
        lambda t: _COSINES[t["transform_type"]][0],
        lambda t: _COSINES[t["transform_type"]][1],
        _cosines,
        _cosines_back,
    ),
    Kind(ASDF + "rotate_sequence_3d", _dimensions, _dimensions, _sequence, _sequence_back),
    Kind(ASDF + "rotate3d", 2, 2, _euler, _euler_back),
)
