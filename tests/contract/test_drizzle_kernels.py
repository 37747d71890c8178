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
    """Return the means of the planes, weights and flags."""
    sums, flags = np.zeros((*shape, len(planes) + 1), np.float32), np.zeros(shape, np.uint32)
    dq = (np.arange(weight.size, dtype=np.uint32) % 5).reshape(weight.shape)
    values = np.moveaxis(planes, 0, -1)
    for _ in range(times):
        module.drizzle(values, weight, dq, x, y, pixfrac, sums, flags)
    with np.errstate(invalid="ignore"):
        return np.moveaxis(sums[..., :-1] / sums[..., -1:], -1, 0), sums[..., -1], flags


@pytest.mark.parametrize("pixfrac", [1.0, 0.6, 0.05])
@pytest.mark.parametrize(
    "angle, scale, flip",
    [
        (0.3, 1.1, False),
        (0.0, 1.0, True),
        (2.5, 0.4, False),
        (0.01, 1.0, False),
        (1.58, 1.0, True),
        (3.1, 0.98, False),
    ],
)
def test_compiled_equals_reference(pixfrac, angle, scale, flip):
    planes, weight, x, y = scene(angle=angle, scale=scale, flip=flip)
    shape = (12, 14)
    if scale == 1.0 or angle == 3.1:
        x, y = x - x.mean() + 6, y - y.mean() + 5
    (means, weights, flags), (ours, own, bits) = (
        drop(m, planes, weight, x, y, pixfrac, shape, 2) for m in (reference, cpu)
    )
    assert weights.any() and flags.max() > 0
    np.testing.assert_allclose(own, weights, rtol=1e-5, atol=1e-7)
    solid = weights > 1e-4
    np.testing.assert_allclose(ours[:, solid], means[:, solid], rtol=1e-4)
    assert ((own > 0) == (weights > 0)).all()
    assert (flags == bits).all()


@pytest.mark.parametrize("pixfrac", [1.0, 0.6])
@pytest.mark.parametrize("angle, scale", [(0.3, 1.1), (0.0, 1.0), (0.02, 1.0), (2.9, 0.4), (-0.8, 2.3)])
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
    means, weights, _ = drop(cpu, planes, weight, x, y, pixfrac, shape)
    # The library leaves out pixels that reach into the output but have their centre beyond its edge.
    inside = np.s_[3:-3, 3:-3]
    np.testing.assert_allclose(weights[inside], theirs.out_wht[inside], rtol=1e-5, atol=1e-9)
    solid = theirs.out_wht[inside] > 1e-4
    assert solid.sum() > 100
    np.testing.assert_allclose(means[0][inside][solid], theirs.out_img[inside][solid], rtol=1e-5)


def test_constant_stays_constant_and_weight_is_conserved():
    planes, weight, x, y = scene(30, 30, 0.4, 1.3)
    planes[:] = 7
    means, weights, _ = drop(cpu, planes, weight, x + 20, y + 20, 0.8, (90, 90))
    np.testing.assert_allclose(means[:, weights > 0], 7, rtol=1e-6)
    np.testing.assert_allclose(weights.sum(dtype=float), weight.sum(dtype=float), rtol=1e-5)


def test_pixels_without_a_place_are_left_out():
    planes, weight, x, y = scene()
    x[3:6, 3:6] = np.nan
    means, weights, _ = drop(cpu, planes, weight, x, y, 1.0, (12, 14))
    assert np.isfinite(means[:, weights > 0]).all() and weights.any()
