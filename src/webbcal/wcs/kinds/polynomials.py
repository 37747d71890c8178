"""Polynomials in one and two variables: ordinary ones, and series of orthogonal ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from webbcal.wcs.kinds.kind import ASDF, F64, Function, Kind, Transform, Unknown

#: Module of numpy.polynomial, and what the names of its functions begin with.
_SERIES = {"chebyshev": "cheb", "legendre": "leg", "hermite": "herm"}


def _variables(t: Transform) -> int:
    variables = np.ndim(t["coefficients"])
    if variables not in (1, 2):
        raise Unknown(f"a polynomial in {variables} variables")
    return variables


def _polynomial(t: Transform) -> Function:
    c = t.array("coefficients")
    if _variables(t) == 1:
        return _in_one(c, *_windows(t))
    return _in_two(c, *_windows(t))


def _in_one(c: F64, to_x: Callable[[F64], F64]) -> Function:
    """Return a polynomial in one variable, by Horner's scheme."""

    def run(x: F64) -> tuple[F64]:
        x = to_x(x)
        total: Any = c[-1] if len(c) > 1 else np.full(np.shape(x), c[0])
        for coefficient in c[-2::-1]:
            total = coefficient + total * x
        return (total,)

    return run


def _in_two(c: F64, to_x: Callable[[F64], F64], to_y: Callable[[F64], F64]) -> Function:
    """Return a polynomial in two variables, by Horner's scheme in x within that in y."""
    if len(c) == 1:
        return lambda x, y: (np.full(np.broadcast_shapes(np.shape(x), np.shape(y)), c[0, 0]),)

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


def _series(t: Transform) -> Function:
    from numpy import polynomial

    name = t["polynomial_type"]
    prefix, c = _SERIES[name], t.array("coefficients")
    variables, windows = _variables(t), _windows(t)
    if name == "hermite" and variables == 2:  # astropy has another recursion in the second variable
        raise Unknown("a series of Hermite polynomials in two variables")
    value = getattr(getattr(polynomial, name), f"{prefix}val" if variables == 1 else f"{prefix}val2d")

    def run(*inputs: F64) -> tuple[F64]:
        values = np.broadcast_arrays(*(to(v) for to, v in zip(windows, inputs, strict=True)))
        return (value(*values, c),)

    return run


def _windows(t: Transform) -> list[Callable[[F64], F64]]:
    """Return what brings each variable from its domain to its window."""
    if _variables(t) == 1:
        return [_to_window(t.value.get("domain"), t.value.get("window"))]
    pairs = zip(t.value.get("domain") or (None, None), t.value.get("window") or (None, None), strict=True)
    return [_to_window(*pair) for pair in pairs]


def _to_window(domain: Any, window: Any) -> Callable[[F64], F64]:
    """Return the linear map from a domain to a window (by default -1…1); without a domain there is none."""
    if domain is None:
        return lambda v: v
    (a, b), (low, high) = domain, window or (-1, 1)
    scale, offset = (high - low) / (b - a), (low * b - high * a) / (b - a)
    return (lambda v: v) if (scale, offset) == (1, 0) else (lambda v: offset + scale * v)


KINDS = (
    Kind(ASDF + "polynomial", _variables, 1, _polynomial),
    Kind(ASDF + "ortho_polynomial", _variables, 1, _series),
)
