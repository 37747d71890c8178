"""Sigma clipping: compiled equals reference, and both equal astropy, which jwst uses."""

import warnings

import numpy as np
import pytest
from astropy.stats import sigma_clip

from webbcal.kernels.clipping import cpu, reference


def stack(n, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.standard_t(2, (n, 13, 17))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[rng.random(values.shape) < 0.02] = np.inf
    values[:, 0, 0] = np.nan
    values[:, 0, 1] = 5.0
    return values


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize("sigma", [1.3, 2.0, 3.0])
@pytest.mark.parametrize("maxiters", [None, 1, 2, 5])
def test_all_three_agree(n, sigma, maxiters):
    values = stack(n, seed=n)
    compiled = cpu.clip(values, sigma, maxiters)
    np.testing.assert_array_equal(compiled, reference.clip(values, sigma, maxiters))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sigma_clip(values, sigma=sigma, maxiters=maxiters, axis=0)
    np.testing.assert_array_equal(compiled, ~theirs.mask)
    assert not compiled[:, 0, 0].any() and compiled[:, 0, 1].all()
