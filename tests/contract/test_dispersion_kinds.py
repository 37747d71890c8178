"""How grisms disperse, against the definition in plain words: one point after the other."""

import numpy as np
import pytest
from dispersion_kinds import CASES, Case, orders_of

from webbcal.io.asdf_text import Tagged
from webbcal.wcs.evaluation import KINDS, backward, forward, transform
from webbcal.wcs.kinds.kind import JWST, Unknown

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_each_kind_has_a_case():
    assert {case.kind for case in CASES} == {tag for tag in KINDS if tag.startswith(JWST)}


# The definition


def along(node, t, x0, y0):
    """Return a polynomial in t of one trace: a transform, or coefficients that are transforms."""
    parts = node if isinstance(node, list) else [node]
    if len(parts) == 1 and np.ndim(parts[0].value["coefficients"]) == 1:
        return sum(c * t**k for k, c in enumerate(parts[0].value["coefficients"]))
    total = 0
    for k, part in enumerate(parts):
        c = part.value["coefficients"]
        total = total + sum(c[i, j] * x0**i * y0**j for i in range(2) for j in range(2)) * t**k
    return total


def turned(dx, dy, degrees):
    a = np.radians(degrees)
    return np.cos(a) * dx - np.sin(a) * dy, np.sin(a) * dx + np.cos(a) * dy


def traces(node, order):
    """Return the transforms of an order, by name."""
    k = orders_of(node).index(order)
    return {name: value[k] for name, value in node.value.items() if name.endswith("models") and value}


def sampled_t(offset, samples, t, extrapolate):
    """Return t of an offset between samples."""
    order = np.argsort(samples)
    samples, t = samples[order], t[order]
    if not extrapolate:
        return np.interp(offset, samples, t)
    k = np.clip(np.searchsorted(samples, offset, side="right") - 1, 0, len(t) - 2)
    return t[k] + (offset - samples[k]) / (samples[k + 1] - samples[k]) * (t[k + 1] - t[k])


def to_direct(node, x, y, x0, y0, order):
    trace, rows = traces(node, order), "Row" in node.value["model_type"]
    offset, name = (x - x0, "xmodels") if rows else (y - y0, "ymodels")
    if "nircam" not in node.tag:
        t = np.linspace(0, 1, 10)
        offsets = [along(trace[n], t, x0, y0) for n in ("xmodels", "ymodels")]
        offsets = turned(*offsets, node.value.get("theta", 0.0))
        t = sampled_t(offset, offsets[0 if rows else 1], t, True)
    elif f"inv_{name}" in trace:
        t = along(trace[f"inv_{name}"], offset, x0, y0)
    elif isinstance(trace[name], list) and len(trace[name]) > 1:
        t = np.linspace(0, 1, 40)
        t = sampled_t(offset, along(trace[name], t, x0, y0), t, False)
    else:
        c = np.atleast_1d(trace[name])[0].value["coefficients"]
        t = (offset - c[0]) / c[1]
    return x0, y0, along(trace["lmodels"], t, x0, y0), order


def nearest_t(wavelength, node, x0, y0):
    """Return t where the slope of the squared difference vanishes, by its values at two of 40 samples."""
    t = np.linspace(0, 1, 40)
    squares = (along(node, t, x0, y0) - wavelength) ** 2
    slopes, k = np.gradient(squares), int(np.argmin(squares))
    if k in (0, 39):
        return t[k]
    other = k + 1 if slopes[k] > 0 else k - 1
    return t[k] - slopes[k] * (t[other] - t[k]) / (slopes[other] - slopes[k])


def to_dispersed(node, x0, y0, wavelength, order):
    trace = traces(node, order)
    if "nircam" not in node.tag:
        t = along(trace["lmodels"], wavelength, x0, y0)
    elif "inv_lmodels" in trace:
        t = along(trace["inv_lmodels"], wavelength, x0, y0)
    elif isinstance(trace["lmodels"], list) and len(trace["lmodels"]) > 1:
        t = nearest_t(wavelength, trace["lmodels"], x0, y0)
    else:
        t = np.linspace(0, 1, 40)
        t = np.interp(wavelength, along(trace["lmodels"], t, x0, y0), t)
    dx, dy = turned(
        *(along(trace[n], t, x0, y0) for n in ("xmodels", "ymodels")), node.value.get("theta", 0.0)
    )
    return x0 + dx, y0 + dy, x0, y0, order


def defined(case, values):
    """Return what the definition makes of points, one by one."""
    if "soss" in case.kind:
        found = [
            forward(case.node.value["models"][int(k) - 1])(x, y) for x, y, k in zip(*values, strict=True)
        ]
    else:
        function = to_dispersed if case.backward else to_direct
        found = [function(case.node, *point) for point in zip(*values, strict=True)]
    return np.array(found).T


# The records


@every
def test_points_of_mixed_sources_and_orders(case):
    values = case.values()
    for found, expected in zip(forward(case.node)(*values), defined(case, values), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)


@every
def test_any_shape_and_scalars(case):
    values, function = case.values(12), forward(case.node)
    flat = function(*values)
    for made, one in zip(function(*(np.reshape(v, (3, 4)) for v in values)), flat, strict=True):
        np.testing.assert_array_equal(np.broadcast_to(made, (3, 4)).ravel(), one)
    single = function(*(float(v[5]) for v in values))
    np.testing.assert_allclose(np.array(single, float), [v[5] for v in flat], rtol=1e-12)


@every
def test_one_source_and_order_with_many_pixels(case):
    if "soss" in case.kind:
        return
    values = [np.array(v) for v in case.values(20)]
    fixed = (0, 1, 3) if case.backward else (2, 3, 4)
    for k in fixed:
        values[k][:] = values[k][0]
    scalars = [float(v[0]) if k in fixed else v for k, v in enumerate(values)]
    for found, expected in zip(forward(case.node)(*scalars), defined(case, values), strict=True):
        np.testing.assert_allclose(np.broadcast_to(found, 20), expected, rtol=1e-12, atol=1e-9)


@every
def test_numbers_of_inputs_and_outputs(case):
    bare = {k: v for k, v in case.node.value.items() if k not in ("inputs", "outputs")}
    for node in (case.node, Tagged(case.node.tag, bare)):
        found = transform(node)
        assert (found.inputs, found.outputs) == tuple(len(case.node.value[k]) for k in ("inputs", "outputs"))


@every
def test_points_of_nan_are_nan(case):
    values = [np.array(v) for v in case.values(9)]
    whole = forward(case.node)(*values)
    for value in values:
        value[4] = np.nan
    for found, expected in zip(forward(case.node)(*values), whole, strict=True):
        expected = np.where(np.arange(9) == 4, np.nan, expected)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@every
def test_an_order_that_is_not_there(case):
    values = [np.array(v) for v in case.values(3)]
    values[-1][1] = 7
    with pytest.raises(ValueError, match=r"order 7 is not available; there are \d"):
        forward(case.node)(*values)


@pytest.mark.parametrize("case", [c for c in CASES if c.backward], ids=lambda case: case.name)
def test_negative_wavelengths_are_refused(case):
    values = [np.array(v) for v in case.values(3)]
    values[2][1] = -1
    with pytest.raises(ValueError, match="negative"):
        forward(case.node)(*values)


@every
def test_the_way_back_is_what_they_bring(case):
    with pytest.raises(Unknown):
        backward(case.node)


def test_malformed_ones_are_unknown():
    node = CASES[0].node
    for broken in ({"xmodels": [1, 2]}, {"model_type": None}, {"orders": None}):
        with pytest.raises(Unknown):
            forward(Tagged(node.tag, node.value | broken))
    assert isinstance(CASES[0], Case)
