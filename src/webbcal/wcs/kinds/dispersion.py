"""How grisms disperse: between a pixel of the dispersed image and a source of the direct image.

A source at (x0, y0) of the direct image has, in each spectral order, a trace: for a parameter t, 0 to 1, the
offsets dx(t), dy(t) of the light in the dispersed image and its wavelength λ(t) in µm. Each is a polynomial
in t; its coefficients may be polynomials in x0 and y0. *Forward* is from the dispersed image,
(x, y, x0, y0, order) to (x0, y0, λ, order), by the offset along the dispersion alone; *backward*,
(x0, y0, λ, order) to (x, y, x0, y0, order), wants t of λ.

Some references bring inverses, t(λ) and t(dx). Where they do not, t is looked up between samples, and how
coarse these are is part of the definition, since wavelengths of products depend on it: 10 samples of dx for
NIRISS and MIRI, 40 for NIRCam. Each point is transformed for itself, whatever the shape of the arrays, and
sources and orders may be mixed.

Source: the transforms of `stdatamodels.jwst`, whose tags these are; Pirzkal & Ryan 2017, "A more generalized
coordinate transformation approach for grisms" (ISR WFC3 2017-01), for the form of the polynomials.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from webbcal.wcs.kinds.kind import F64, JWST, Function, Kind, Transform, Unknown
from webbcal.wcs.kinds.lookup import interpolated, least

#: From t (or λ) and the place of the source to an offset or a wavelength (or t).
Along = Callable[[F64, F64, F64], F64]

_SAMPLES = 10
_FINE = np.linspace(0.0, 1.0, 40)


class Trace(NamedTuple):
    """The trace of one spectral order.

    Attributes
    ----------
    x, y, wavelength : callable
        Offsets (pixels) and wavelength (µm; or t of a wavelength, where only that is needed), each of the
        parameter and the place of the source.
    by_place : bool
        Whether wavelengths depend on the place of the source, beside t.
    t_of_wavelength, t_of_offset : callable, optional
        Inverses that the reference brings, of the wavelength, and of the offset along the dispersion.
    slope : tuple of float, optional
        The offset along the dispersion at t = 0 and its change, if that is a polynomial in t alone.
    """

    x: Along
    y: Along
    wavelength: Along
    by_place: bool = False
    t_of_wavelength: Along | None = None
    t_of_offset: Along | None = None
    slope: tuple[float, float] | None = None


def _along(t: Transform, node: Any) -> Along:
    """Return a function of t and the source, of one transform (of t) or several (coefficients of powers)."""
    nodes = list(node) if isinstance(node, (list, tuple)) else [node]
    parts = [t.part(one) for one in nodes]
    functions = [part.forward() for part in parts]
    if len(parts) == 1 and parts[0].inputs == 1:
        return lambda p, x0, y0: functions[0](p)[0]
    if any(part.inputs != 2 for part in parts):
        raise Unknown(f"{t.tag}: coefficients of a trace that are no functions of the place of a source")

    def run(p: F64, x0: F64, y0: F64) -> F64:
        total: Any = functions[-1](x0, y0)[0] + 0.0 * p
        for function in functions[-2::-1]:
            total = total * p + function(x0, y0)[0]
        return np.asarray(total)

    return run


def _is_list(node: Any) -> bool:
    """Tell whether a node holds coefficients that depend on the place of the source."""
    return isinstance(node, (list, tuple)) and len(node) > 1


def _model_type(t: Transform) -> str:
    return str(t.value.get("model_type") or t["class_name"])


def _is_backward(t: Transform) -> bool:
    return "Backward" in _model_type(t)


def _disperses_rows(t: Transform) -> bool:
    """Tell whether a forward transform is of light that is dispersed along rows."""
    return "Row" in _model_type(t)


# By order


def _by_order(t: Transform, cases: Sequence[Function], outputs: int) -> Function:
    """Return a function whose last input, the order, chooses the one that the others go through."""
    known = {int(order): function for order, function in zip(_orders(t), cases, strict=True)}

    def run(*inputs: F64) -> tuple[F64, ...]:
        *values, order = inputs
        wanted = np.unique(np.asarray(order, float))
        wanted = wanted[~np.isnan(wanted)]
        unknown = [f"{v:g}" for v in wanted if int(v) not in known]
        if unknown:
            raise ValueError(
                f"spectral order {', '.join(unknown)} is not available; there are "
                f"{', '.join(map(str, known))}"
            )
        if len(wanted) == 1 and not np.isnan(order).any():
            return known[int(wanted[0])](*values)
        *points, order = np.broadcast_arrays(*values, order)
        shape = order.shape
        made = tuple(np.full(shape, np.nan) for _ in range(outputs))
        for one in wanted:
            chosen = order == one
            found = known[int(one)](*(v[chosen] for v in points))
            for target, part in zip(made, found, strict=True):
                target[chosen] = part
        return made

    return run


def _orders(t: Transform) -> list[Any]:
    return list(t["orders"] if "orders" in t.value else t["spectral_orders"])


def _with_order(dispersed: Function, outputs: int) -> Function:
    """Return a function that returns the order, its last input, after its outputs."""
    return lambda *inputs: (*dispersed(*inputs), inputs[-1])


def _traces(t: Transform) -> list[Trace]:
    """Return the traces of all orders."""
    along_x = _disperses_rows(t)
    inverse_of_offset = "inv_xmodels" if along_x else "inv_ymodels"
    columns = [_nodes(t, key) for key in ("xmodels", "ymodels", "lmodels", "inv_lmodels", inverse_of_offset)]
    traces = []
    for x, y, wavelength, back, back_offset in zip(*columns, strict=True):
        t_of_wavelength, t_of_offset = (node and _along(t, node) for node in (back, back_offset))
        slope = _slope(t, x if along_x else y)
        ways = _along(t, x), _along(t, y), _along(t, wavelength)
        traces.append(Trace(*ways, _is_list(wavelength), t_of_wavelength, t_of_offset, slope))
    return traces


def _nodes(t: Transform, key: str) -> list[Any]:
    """Return the transforms of a name for each order; None for those that the reference does not bring."""
    found = t[key] if key in ("xmodels", "ymodels", "lmodels") else t.value.get(key)
    return list(found) if found else [None] * len(_orders(t))


def _slope(t: Transform, node: Any) -> tuple[float, float] | None:
    """Return the first two coefficients of a polynomial in t alone."""
    part = t.part(node[0] if isinstance(node, (list, tuple)) else node)
    if part.inputs != 1 or "coefficients" not in part.value:
        return None
    c = part.array("coefficients")
    return (float(c[0]), float(c[1])) if c.ndim == 1 and len(c) > 1 else None


def _one_place(x0: F64, y0: F64) -> tuple[F64, F64]:
    """Return one place for all, if all are at the same: what follows is then done once."""
    same = np.size(x0) and np.size(y0) and (x0 == np.ravel(x0)[0]).all() and (y0 == np.ravel(y0)[0]).all()
    return (np.ravel(x0)[0], np.ravel(y0)[0]) if same else (x0, y0)


def _forward(t: Transform, t_of: Callable[[Trace, F64, F64, F64], F64]) -> Function:
    """Return the transform from the dispersed image: λ by the offset along the dispersion."""
    along_x = _disperses_rows(t)

    def of(trace: Trace, x: F64, y: F64, x0: F64, y0: F64) -> tuple[F64, ...]:
        x0, y0 = _one_place(np.asarray(x0, float), np.asarray(y0, float))
        offset = x - x0 if along_x else y - y0
        return x0, y0, trace.wavelength(t_of(trace, offset, x0, y0), x0, y0)

    return _with_order(_by_order(t, [partial(of, trace) for trace in _traces(t)], 3), 3)


def _backward(t: Transform, t_of: Callable[[Trace, F64, F64, F64], F64], theta: float = 0.0) -> Function:
    """Return the transform to the dispersed image."""

    def of(trace: Trace, x0: F64, y0: F64, wavelength: F64) -> tuple[F64, ...]:
        if np.any(np.asarray(wavelength) < 0):
            raise ValueError("wavelengths must not be negative")
        p = t_of(trace, wavelength, x0, y0)
        dx, dy = _turned(trace.x(p, x0, y0), trace.y(p, x0, y0), theta)
        return x0 + dx, y0 + dy, x0, y0

    return _with_order(_by_order(t, [partial(of, trace) for trace in _traces(t)], 4), 4)


def _turned(dx: F64, dy: F64, theta: float) -> tuple[F64, F64]:
    """Return offsets turned by an angle in degrees, from x to y."""
    if theta == 0:
        return dx, dy
    c, s = np.cos(np.radians(theta)), np.sin(np.radians(theta))
    return c * dx - s * dy, s * dx + c * dy


# NIRCam


def _nircam(t: Transform) -> Function:
    if _is_backward(t):
        return _backward(t, _fine_t)
    return _forward(t, partial(_offset_t, _disperses_rows(t)))


def _offset_t(along_x: bool, trace: Trace, offset: F64, x0: F64, y0: F64) -> F64:
    """Return t of offsets along the dispersion."""
    if trace.t_of_offset is not None:
        return trace.t_of_offset(offset, x0, y0)
    if trace.slope is not None:
        return (offset - trace.slope[0]) / trace.slope[1]
    t = _FINE.reshape(-1, *[1] * np.ndim(x0))
    along = trace.x if along_x else trace.y
    return np.clip(interpolated(along(t, x0, y0), t, offset), 0.0, 1.0)


def _fine_t(trace: Trace, wavelength: F64, x0: F64, y0: F64) -> F64:
    """Return t of wavelengths."""
    if trace.t_of_wavelength is not None:
        return trace.t_of_wavelength(wavelength, x0, y0)
    if trace.by_place:
        return least(trace.wavelength, _FINE, wavelength, x0, y0)
    return np.clip(interpolated(trace.wavelength(_FINE, x0, y0), _FINE, wavelength), 0.0, 1.0)


# NIRISS and MIRI


def _wfss(t: Transform) -> Function:
    """Return the transform of NIRISS, turned by the filter wheel, and of MIRI, which is not."""
    theta = t.number("theta") if t.value.get("theta") is not None else 0.0
    if _is_backward(t):
        return _backward(t, lambda trace, wavelength, x0, y0: trace.wavelength(wavelength, x0, y0), theta)
    return _forward(t, partial(_coarse_t, _disperses_rows(t), theta))


def _coarse_t(along_x: bool, theta: float, trace: Trace, offset: F64, x0: F64, y0: F64) -> F64:
    """Return t of offsets along the dispersion, between ten samples and beyond them."""
    t = np.linspace(0, 1, _SAMPLES).reshape(-1, *[1] * np.ndim(x0))
    offsets = _turned(trace.x(t, x0, y0), trace.y(t, x0, y0), theta)
    return interpolated(offsets[0 if along_x else 1], t, offset)


# SOSS


def _soss(t: Transform) -> Function:
    """Return the transform from pixel and order to RA, Dec and λ: one for each order."""
    return _by_order(t, [t.part(node).forward() for node in t["models"]], 3)


def _grism(name: str, function: Callable[[Transform], Function]) -> Kind:
    return Kind(
        JWST + name,
        lambda t: 4 if _is_backward(t) else 5,
        lambda t: 5 if _is_backward(t) else 4,
        function,
    )


KINDS = (
    _grism("nircam_grism_dispersion", _nircam),
    _grism("niriss_grism_dispersion", _wfss),
    _grism("miri_wfss_dispersion", _wfss),
    Kind(JWST + "niriss_soss", 3, 3, _soss),
    Kind(JWST + "niriss-soss", 3, 3, _soss),
)
