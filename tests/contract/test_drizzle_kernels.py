"""The compiled square drizzle must equal the NumPy reference, and the drizzle library."""

import numpy as np
import pytest
from drizzle.resample import Drizzle

from webbcal.core.box import Box
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


@pytest.mark.parametrize("pixfrac", [1.0, 0.6, 0.05])
@pytest.mark.parametrize("angle, scale, flip", [(0.3, 1.1, False), (0.0, 1.0, True), (2.5, 0.4, False)])
def test_compiled_equals_reference(pixfrac, angle, scale, flip):
    planes, weight, x, y = scene(angle=angle, scale=scale, flip=flip)
    results = []
    for module in (reference, cpu):
        target, hits = reference.Target(2, (12, 14)), np.zeros((12, 14), bool)
        for box in (Box(0, 11, 0, 13), Box(2, 7, 3, 9)):
            module.drizzle(planes, weight, x, y, pixfrac, box, target, hits)
        results.append((target.means, target.weights, hits))
    assert results[0][2].any()
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-5, atol=1e-7)
    solid = results[0][1] > 1e-4
    np.testing.assert_allclose(results[1][0][:, solid], results[0][0][:, solid], rtol=1e-4)
    assert (results[0][2] == results[1][2])[solid | (results[0][1] == 0)].all()


@pytest.mark.parametrize("pixfrac", [1.0, 0.6])
@pytest.mark.parametrize("angle, scale", [(0.3, 1.1), (0.0, 1.0), (2.9, 0.4), (-0.8, 2.3)])
def test_compiled_equals_the_library(pixfrac, angle, scale):
    planes, weight, x, y = scene(40, 50, angle, scale)
    x, y = x - x.mean() + 35, y - y.mean() + 32
    shape = (64, 70)
    inner = np.dstack([x, y])[1:-1, 1:-1].copy()
    target, hits = reference.Target(1, shape), np.zeros(shape, bool)
    # The library extrapolates at the edge of the image, where we know the map: compare inside.
    weight[[0, -1]] = weight[:, [0, -1]] = 0
    theirs = Drizzle(kernel="square", fillval=0, out_shape=shape, disable_ctx=True)
    theirs.add_image(planes[0], 1.0, inner, weight_map=weight, pixfrac=pixfrac, in_units="cps",
                     pixel_scale_ratio=1.0)  # fmt: skip
    cpu.drizzle(planes[:1], weight, x, y, pixfrac, Box(0, 40, 0, 50), target, hits)
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
    target, hits = reference.Target(2, (90, 90)), np.zeros((90, 90), bool)
    cpu.drizzle(planes, weight, x + 20, y + 20, 0.8, Box(0, 30, 0, 30), target, hits)
    np.testing.assert_allclose(target.means[:, hits], 7, rtol=1e-6)
    np.testing.assert_allclose(target.weights.sum(dtype=float), weight.sum(dtype=float), rtol=1e-5)


def test_pixels_without_a_place_are_left_out():
    planes, weight, x, y = scene()
    x[3:6, 3:6] = np.nan
    target, hits = reference.Target(2, (12, 14)), np.zeros((12, 14), bool)
    cpu.drizzle(planes, weight, x, y, 1.0, Box(0, 11, 0, 13), target, hits)
    assert np.isfinite(target.means).all() and hits.any()
