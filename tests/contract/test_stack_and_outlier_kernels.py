"""Compiled medians and outlier masks must equal the NumPy references, bit for bit."""

import numpy as np
import pytest

from webbcal.kernels.outliers import cpu as outliers_cpu
from webbcal.kernels.outliers import reference as outliers
from webbcal.kernels.outliers.settings import Thresholds
from webbcal.kernels.stack import cpu, reference


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9, 24, 25, 60, 600])
def test_median(n):
    rng = np.random.default_rng(n)
    stack = rng.normal(3, 1, (n, 7, 31)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.3] = np.nan
    stack[:, 0, 0] = np.nan
    np.testing.assert_array_equal(cpu.nanmedian(stack), reference.nanmedian(stack))


@pytest.mark.parametrize("thresholds", [Thresholds(), Thresholds((3, 1), (0.5, 0.1), 0.4)])
def test_outliers(thresholds):
    rng = np.random.default_rng(2)
    model = rng.normal(5, 0.5, (40, 50)).astype(np.float32)
    model[20:24, 20:24] += 30
    data = model + rng.normal(0, 1, model.shape).astype(np.float32)
    data[rng.random(data.shape) < 0.05] += 20
    error = np.ones_like(data)
    for array, share in ((data, 0.02), (model, 0.02), (error, 0.05)):
        array[rng.random(array.shape) < share] = np.nan
    error[5, 5] = np.inf
    expected = outliers.find(data, error, model, thresholds)
    assert 20 < expected.sum() < 600
    np.testing.assert_array_equal(outliers_cpu.find(data, error, model, thresholds), expected)
    expected = outliers.find_aligned(data, error, model, 4.0)
    assert expected.any()
    np.testing.assert_array_equal(outliers_cpu.find_aligned(data, error, model, 4.0), expected)


def test_tails_of_an_outlier_are_found_only_beside_it():
    model, error = np.full((9, 9), 10, np.float32), np.ones((9, 9), np.float32)
    data = model.copy()
    data[4, 4], data[4, 5], data[0, 0] = 40, 14.5, 14.5
    found = outliers_cpu.find(data, error, model, Thresholds())
    assert np.argwhere(found).tolist() == [[4, 4], [4, 5]]


def test_steep_models_are_allowed_for():
    model, error = np.zeros((5, 5), np.float32), np.ones((5, 5), np.float32)
    model[2, 2] = 100
    data = model.copy()
    data[2, 2] = 220
    assert not outliers_cpu.find(data, error, model, Thresholds()).any()
    assert outliers_cpu.find(data, error, model, Thresholds(scale=(1.1, 0.7)))[2, 2]
