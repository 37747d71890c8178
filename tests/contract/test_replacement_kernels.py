"""The compiled estimates of bad pixels must equal their NumPy reference."""

import numpy as np
import pytest

from webbcal.kernels.replacement import cpu, reference

DO_NOT_USE, NON_SCIENCE = 1, 512


def spectrum(profiles, pixels, seed=0, bad=0.05, signal=100.0):
    """Return data, errors and flags of a trace with lines; some pixels are bad, one column has no science."""
    rng = np.random.default_rng(seed)
    along = np.arange(profiles)[:, None]
    across = np.arange(pixels) - pixels / 2 - 0.02 * along
    data = signal * (1.2 + np.sin(along / 7)) * np.exp(-0.5 * (across / 2) ** 2) + rng.normal(
        0, 1, across.shape
    )
    errors = rng.uniform(0.8, 1.2, (4, *data.shape))
    dq = np.where(rng.random(data.shape) < bad, DO_NOT_USE, 0)
    dq[:, pixels // 3] |= np.where(rng.random(profiles) < 0.3, DO_NOT_USE | NON_SCIENCE, 0)
    dq[:2], dq[:, :1] = DO_NOT_USE, DO_NOT_USE
    dq[profiles // 2] = DO_NOT_USE | NON_SCIENCE
    data = np.where(dq & DO_NOT_USE, np.nan, data)
    return data.astype(np.float32), errors.astype(np.float32), dq.astype(np.uint32)


@pytest.mark.parametrize("neighbours", [1, 3, 5])
@pytest.mark.parametrize("shape", [(30, 6), (60, 21), (25, 150), (12, 300)])
@pytest.mark.parametrize("signal", [300.0, 1.0])
def test_same_as_the_reference(neighbours, shape, signal):
    made = spectrum(*shape, seed=neighbours, signal=signal)
    ours, theirs = ([array.copy() for array in made] for _ in range(2))
    replaced = cpu.fit_profiles(*ours, neighbours)
    expected = reference.fit_profiles(*theirs, neighbours)
    np.testing.assert_array_equal(replaced, expected)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    assert replaced.any() and (ours[2] == made[2]).all()


def test_nothing_good():
    data, errors, dq = spectrum(20, 9)
    dq[:] |= DO_NOT_USE
    assert not cpu.fit_profiles(data, errors, dq, 3).any()
    assert not reference.fit_profiles(data, errors, dq, 3).any()


def test_a_profile_by_hand():
    """A pixel in the middle of a flat trace of a constant profile is what the others say."""
    data = np.outer([1, 1, 2, 1, 1], [10, 20, 40, 20, 10]).astype(np.float32)
    dq = np.zeros(data.shape, np.uint32)
    dq[2, 1], data[2, 1] = DO_NOT_USE, np.nan
    errors = np.ones((1, *data.shape), np.float32)
    assert cpu.fit_profiles(data, errors, dq, 2)[2, 1]
    assert data[2, 1] == pytest.approx(40, rel=1e-3) and errors[0, 2, 1] == pytest.approx(2, rel=1e-3)
