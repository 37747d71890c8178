"""The compiled likelihood fit equals its definition by dense matrices: flags exactly, numbers to rounding."""

import numpy as np
import pytest

from webbcal import kernels
from webbcal.kernels.likelihood import JumpThresholds, LikelihoodFit, combine, read_times, sampling

DNU, SATURATED, JUMP = 1, 2, 4


def ramps(rng, nints, ngroups, ny=4, nx=70):
    """Ramps from clean to hopeless, with particles that no step has found yet."""
    shape = (nints, ngroups, ny, nx)
    rate = rng.choice([0.0, 3.0, 40.0, 2000.0], (ny, nx))
    data = np.cumsum(rng.poisson(np.broadcast_to(rate, shape)), axis=1) + rng.normal(0, 8, shape)
    data += np.cumsum((rng.random(shape) < 0.1) * rng.exponential(600, shape), axis=1)
    data = data.astype(np.float32)
    data[rng.random(shape) < 0.001] = np.nan
    groupdq = np.zeros(shape, np.uint8)
    busy = rng.choice([0.0, 0.02, 0.3], (ny, nx))
    start = rng.integers(0, 3 * ngroups, (nints, 1, ny, nx))
    groupdq[np.arange(ngroups)[None, :, None, None] >= start] |= SATURATED
    for flag in (DNU, JUMP, 8):
        groupdq[rng.random(shape) < busy] |= np.uint8(flag)
    gain = rng.choice(np.array([2, 1.7, np.nan], np.float32), (ny, nx), p=[0.5, 0.47, 0.03])
    readnoise = rng.choice(np.array([11, 8.3, np.nan], np.float32), (ny, nx), p=[0.5, 0.47, 0.03])
    pixeldq = rng.choice([0, 0, 0, 1, 1024], (ny, nx)).astype(np.uint32)
    dark = rng.normal(0.05, 0.02, (ny, nx)).astype(np.float32)
    zeroframe = (data[:, 0] * rng.choice([0.0, 0.4], (nints, ny, nx))).astype(np.float32)
    return data, groupdq, pixeldq, gain, readnoise, dark, zeroframe


CASES = [  # groups, frames, gap, ZEROFRAME, thresholds
    (4, 1, 0, False, JumpThresholds()),
    (7, 1, 0, True, JumpThresholds()),
    (6, 4, 1, True, JumpThresholds(9.0, 11.8)),
    (12, 2, 3, False, JumpThresholds()),
    (5, 8, 12, False, JumpThresholds(16.0, 19.3)),
]


@pytest.mark.parametrize(("ngroups", "nframes", "gap", "zero", "thresholds"), CASES)
def test_the_compiled_fit_is_the_dense_one(ngroups, nframes, gap, zero, thresholds):
    rng = np.random.default_rng(ngroups)
    *arrays, dark, zeroframe = ramps(rng, 2, ngroups)
    plan = sampling(read_times(ngroups, nframes, gap, 1.5), zero)
    extra = (dark if zero else None, zeroframe if zero else None)
    copies = [array.copy() for array in arrays]
    expected, got = (
        kernels.get("likelihood", backend).fit_integrations(*arrays, *extra, plan, thresholds)
        for backend in ("reference", "cpu")
    )
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_array_equal(got.dq, expected.dq)
    found = (got.dq & JUMP != 0) & ((arrays[1] & JUMP) == 0).all(axis=1)
    assert found.mean() > 0.05, "too few jumps to tell"
    for name in ("slope", "var_poisson", "var_rnoise", "err", "chisq"):
        a, b = getattr(got, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, equal_nan=True, err_msg=name)


def test_variances_add_up_and_chi_square_has_its_mean():
    """Of ramps that are as the fit believes them to be."""
    rng = np.random.default_rng(8)
    times = np.array(read_times(8, 4, 1, 2.0))
    photons = rng.poisson(30.0, (40, 3, 64, int(times.max() / 2)))
    frames = np.cumsum(photons, axis=-1) + 0.0  # one a frame time, 2 s
    frames += rng.normal(0, 12, frames.shape)
    data = frames[..., (times / 2 - 1).astype(int)].mean(axis=-1)
    data = np.moveaxis(data, -1, 1).astype(np.float32, order="C")
    image = (3, 64)
    gain, noise = np.ones(image, np.float32), np.full(image, 12 * np.sqrt(2), np.float32)
    fit = kernels.get("likelihood").fit_integrations(
        data, np.zeros(data.shape, np.uint8), np.zeros(image, np.uint32), gain, noise, None, None,
        sampling(list(times)), JumpThresholds(),
    )  # fmt: skip
    np.testing.assert_allclose(fit.err**2, fit.var_poisson + fit.var_rnoise, rtol=1e-5)
    pull = (fit.slope - 15.0) / fit.err
    assert abs(pull.mean()) < 0.05
    assert pull.std() == pytest.approx(1.0, abs=0.03)
    assert fit.chisq.mean() == pytest.approx(6.0, abs=0.2)


def test_integrations_are_weighted_as_at_their_common_rate():
    values = np.array([[[2.0, np.nan]], [[4.0, np.nan]]], np.float32)
    ones, dq = np.ones_like(values), np.array([[[1, 1]], [[4, 3]]], np.uint32)
    # photon variances that are as the rates: the common rate then is the plain mean
    fits = LikelihoodFit(values, dq, values, 0 * ones, np.sqrt(values), ones)
    got = combine(fits)
    np.testing.assert_allclose(got.slope, [[3.0, np.nan]])
    np.testing.assert_allclose(got.var_poisson, [[1.5, np.nan]])
    np.testing.assert_array_equal(got.dq, [[4, 3]])
    np.testing.assert_array_equal(got.chisq, [[2, 2]])


@pytest.mark.parametrize("nints", [2, 3, 4, 5])
def test_integrations_without_a_rate_do_not_count(nints):
    rng = np.random.default_rng(nints)
    values = rng.normal(5, 1, (nints, 6, 50)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    variance, none = values * 0 + 1, np.zeros(values.shape, np.uint32)
    got = combine(LikelihoodFit(values, none, 0 * variance, variance, variance, variance))
    counted = ~np.isnan(values).all(axis=0)
    np.testing.assert_allclose(got.slope[counted], np.nanmean(values[:, counted], axis=0), rtol=1e-5)
    assert np.isnan(got.slope[~counted]).all()
    assert np.isnan(got.err[~counted]).all()
