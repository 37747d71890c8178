"""The compiled co-addition must equal the NumPy reference."""

import numpy as np
import pytest

from webbcal.kernels.coadd import cpu, reference

RNG = np.random.default_rng(8)
SHAPE = (7, 9)


def image():
    """An array with NaN, infinity, zeros and negative values."""
    array = RNG.normal(1, 1, SHAPE).astype(np.float32)
    array.flat[:4] = np.nan, np.inf, 0, -1
    return array


@pytest.mark.parametrize("plane, root", [(0, False), (1, True), (-1, False)])
def test_take(plane, root):
    array, weight = image(), np.ones(SHAPE, np.float32)
    values, expected = np.zeros((2, *SHAPE, 3), np.float32)
    other = weight.copy()
    cpu.take(array, 0.3, root, values, plane, weight)
    reference.take(array, 0.3, root, expected, plane, other)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(weight, other)
    assert weight.sum() == array.size - 1


def test_weigh_by_noise():
    variance, weight = image(), np.ones(SHAPE, np.float32)
    weight[3] = 0
    other = weight.copy()
    cpu.weigh_by_noise(variance, weight)
    reference.weigh_by_noise(variance, other)
    np.testing.assert_array_equal(weight, other)
    assert not weight[3].any() and weight[0, :3].tolist() == [0, 0, 0] and weight[0, 3] == -1


def sums(planes):
    """An image that was dropped on 5 × 6 pixels: sums, some without weight, some without a value."""
    drop = RNG.uniform(0.1, 2, (5, 6, planes + 1)).astype(np.float32)
    drop[0], drop[1, 1, -2], drop[2, 2, 1:2], drop[3, 3] = 0, np.nan, 0, -drop[3, 3]
    return drop


@pytest.mark.parametrize("planes, together", [(1, 1), (2, 2), (4, 1)])
@pytest.mark.parametrize("constant", [np.nan, 3.0, 0.0])
@pytest.mark.parametrize("bit", [4, 31])
def test_add_and_finish(planes, together, constant, bit):
    results = []
    drops = [sums(planes) for _ in range(3)]
    for module in (cpu, reference):
        total = np.zeros((*SHAPE, together + 1), np.float32)
        components = np.zeros(
            (*SHAPE, 2 * (planes - together)) if planes > together else (0, 0, 0), np.float32
        )
        context = np.zeros(SHAPE, np.int32)
        for k, drop in enumerate(drops):
            module.add(drop, constant, (k % 2, k), total, components, context, bit)
        assert total.any() and context.any()
        out = np.zeros((together, *SHAPE), np.float32)
        for k in range(together):
            module.means(total, k, 1.5, -7, out[k])
        results.append([total, components, context, out])
        if planes == 4:
            variances, error = np.zeros((3, *SHAPE), np.float32), np.zeros(SHAPE, np.float32)
            module.errors(components, 0.25, variances, error)
            assert np.isfinite(error).any() == (constant != 0) and np.isnan(error).any()
            results[-1] += [variances, error]
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_a_mean_of_two():
    """By hand: two images of one pixel."""
    total, components = np.zeros((1, 1, 2), np.float32), np.zeros((1, 1, 6), np.float32)
    context = np.zeros((1, 1), np.int32)
    for bit, (value, weight, noise) in enumerate([(10, 1, 2), (20, 3, 1)]):
        drop = np.array([[[value * weight, *(3 * [noise * weight]), weight]]], np.float32)
        cpu.add(drop, np.nan, (0, 0), total, components, context, bit)
    mean, variances, error = np.zeros((1, 1), "f4"), np.zeros((3, 1, 1), "f4"), np.zeros((1, 1), "f4")
    cpu.means(total, 0, 1.0, np.nan, mean)
    cpu.errors(components, 1.0, variances, error)
    assert mean == 17.5 and context == 3
    # Weights of images are 1/4 and 1: the variance is (4/16 + 1) / (5/4)².
    np.testing.assert_allclose(variances.ravel(), 0.8, rtol=1e-6)
    np.testing.assert_allclose(error, np.sqrt(2.4), rtol=1e-6)
