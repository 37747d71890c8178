"""The compiled square drizzle must equal the NumPy reference, and the drizzle library."""

import numpy as np
import pytest
from drizzle.resample import Drizzle

from webbcal.kernels.drizzle import cpu, reference


def scene(ny=11, nx=13, angle=0.3, scale=1.1, flip=False):
    """Planes, weights, and mapped centres of pixels and of one more on each side."""
    rng = np.random.default_rng(5)
    planes = rng.normal(10, 3, (2, ny, nx)).astype(np.float32)
    weight = rng.uniform(0.5, 2, (ny, nx)).astype(np.float32)
    weight[rng.random((ny, nx)) < 0.1] = 0
    y, x = np.mgrid[-1 : ny + 1, -1 : nx + 1].astype(float)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    u, v = c * x - s * y + 3.3 + 1e-3 * x * y, s * x + c * y + 0.7 + 1e-3 * x**2
    return planes, weight, (10 - u if flip else u), v


def drop(module, planes, weight, x, y, pixfrac, shape, times=1):
    target, alone = reference.Target(1, shape, flags=True), reference.Target(len(planes) - 1, shape)
    hits = np.zeros(shape, bool)
    dq = (np.arange(weight.size, dtype=np.uint32) % 5).reshape(weight.shape)
    for _ in range(times):
        module.drizzle(planes[:1], planes[1:], weight, dq, x, y, pixfrac, target, alone, hits)
    return target, alone, hits


@pytest.mark.parametrize("pixfrac", [1.0, 0.6, 0.05])
@pytest.mark.parametrize("angle, scale, flip", [(0.3, 1.1, False), (0.0, 1.0, True), (2.5, 0.4, False)])
def test_compiled_equals_reference(pixfrac, angle, scale, flip):
    planes, weight, x, y = scene(angle=angle, scale=scale, flip=flip)
    expected, found = (drop(m, planes, weight, x, y, pixfrac, (12, 14), 2) for m in (reference, cpu))
    assert expected[2].any()
    for ours, theirs in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-5, atol=1e-7)
        solid = theirs.weights > 1e-4
        np.testing.assert_allclose(ours.means[:, solid], theirs.means[:, solid], rtol=1e-4)
    clear = solid | (theirs.weights == 0)
    assert (expected[2] == found[2])[clear].all()
    assert (expected[0].flags == found[0].flags)[clear].all() and expected[0].flags.max() > 0


@pytest.mark.parametrize("pixfrac", [1.0, 0.6])
@pytest.mark.parametrize("angle, scale", [(0.3, 1.1), (0.0, 1.0), (2.9, 0.4), (-0.8, 2.3)])
def test_compiled_equals_the_library(pixfrac, angle, scale):
    planes, weight, x, y = scene(40, 50, angle, scale)
    x, y = x - x.mean() + 35, y - y.mean() + 32
    shape = (64, 70)
    inner = np.dstack([x, y])[1:-1, 1:-1].copy()
    # The library extrapolates at the edge of the image, where we know the map: compare inside.
    weight[[0, -1]] = weight[:, [0, -1]] = 0
    theirs = Drizzle(kernel="square", fillval=0, out_shape=shape, disable_ctx=True)
    theirs.add_image(planes[0], 1.0, inner, weight_map=weight, pixfrac=pixfrac, in_units="cps",
                     pixel_scale_ratio=1.0)  # fmt: skip
    target, _, _ = drop(cpu, planes, weight, x, y, pixfrac, shape)
    # The library leaves out pixels that reach into the output but have their centre beyond its edge.
    inside = np.s_[3:-3, 3:-3]
    np.testing.assert_allclose(target.weights[inside], theirs.out_wht[inside], rtol=1e-5, atol=1e-9)
    solid = theirs.out_wht[inside] > 1e-4
    assert solid.sum() > 100
    ours, other = target.means[0][inside], theirs.out_img[inside]
    np.testing.assert_allclose(ours[solid], other[solid], rtol=1e-5)


def test_constant_stays_constant_and_weight_is_conserved():
    planes, weight, x, y = scene(30, 30, 0.4, 1.3)
    planes[:] = 7
    target, alone, hits = drop(cpu, planes, weight, x + 20, y + 20, 0.8, (90, 90))
    np.testing.assert_allclose(target.means[:, hits], 7, rtol=1e-6)
    np.testing.assert_allclose(alone.means[:, hits], 7, rtol=1e-6)
    np.testing.assert_allclose(target.weights.sum(dtype=float), weight.sum(dtype=float), rtol=1e-5)


def test_pixels_without_a_place_are_left_out():
    planes, weight, x, y = scene()
    x[3:6, 3:6] = np.nan
    target, _, hits = drop(cpu, planes, weight, x, y, 1.0, (12, 14))
    assert np.isfinite(target.means).all() and hits.any()
