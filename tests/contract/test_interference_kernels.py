"""The compiled passes in search of interference equal the NumPy reference; the passing median, NumPy's."""

import numpy as np
import pytest

from webbcal.kernels.interference import cpu, reference
from webbcal.kernels.interference.median import passing_median
from webbcal.kernels.interference.waves import Spline

SHAPES = [(2, 5, 9, 32), (1, 3, 1, 4), (3, 40, 4, 72)]


def ramps(shape):
    rng = np.random.default_rng(3)
    return np.cumsum(rng.poisson(30.0, shape), axis=1).astype(np.float32) + np.float32(5000)


@pytest.mark.parametrize("shape", SHAPES)
def test_deviations(shape):
    np.testing.assert_array_equal(cpu.deviations(ramps(shape)), reference.deviations(ramps(shape)))


@pytest.mark.parametrize("shape", SHAPES)
def test_gather(shape):
    nints, ngroups, ny, nx = shape
    rng = np.random.default_rng(4)
    good, place = rng.random((nints, ny, nx)) < 0.8, rng.integers(-1, 7, (ny, nx // 4))
    expected, found = ([np.zeros((nints, ngroups, 7)), np.zeros((nints, 7))] for _ in "ab")
    reference.gather(ramps(shape), good, place, *expected)
    cpu.gather(ramps(shape), good, place, *found)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert expected[1].sum() == good[:, np.repeat(place >= 0, 4, axis=1)].sum()


@pytest.mark.parametrize("shape", SHAPES)
def test_waves_are_subtracted(shape):
    nints, ngroups, ny, nx = shape
    rng = np.random.default_rng(5)
    wave = np.sin(np.arange(64) / 64 * 2 * np.pi)
    spline = Spline.through(wave)
    phase, starts = rng.random((ny, nx // 4)), rng.uniform(-1, 5, nints)
    expected, found = ramps(shape), ramps(shape)
    for module, data in ((reference, expected), (cpu, found)):
        module.subtract_spline(data, phase, 0.37, starts, 10.0 + starts, spline.knots, spline.pieces)
    np.testing.assert_allclose(found, expected, rtol=2e-7)
    assert np.abs(expected - ramps(shape)).max() > 5
    begins = rng.integers(0, 10**9, (nints, ngroups)).astype(float)
    rows, columns = np.arange(ny) * 28.0, np.arange(nx // 4) * 1.0
    for module, data in ((reference, expected), (cpu, found)):
        module.subtract_table(data, begins, rows, columns, 64.2, np.append(wave, 0.5))
    np.testing.assert_allclose(found, expected, rtol=2e-7)


def test_a_spline_goes_through_its_wave_and_around():
    wave = np.cos(np.arange(32) / 32 * 2 * np.pi)
    spline = Spline.through(wave)
    middle = (np.arange(32) + 0.5) / 32
    np.testing.assert_allclose(spline(middle), wave, atol=1e-12)
    np.testing.assert_allclose(spline(middle - 3.0), wave, atol=1e-9)
    np.testing.assert_allclose(spline(np.array([0.0])), spline(np.array([1.0])), atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 7, 1000, 4001])
@pytest.mark.parametrize("kind", ["spread", "equal", "two values", "zeros and large"])
def test_the_median_of_passing_numbers(count, kind):
    rng = np.random.default_rng(count)
    values = {
        "spread": rng.lognormal(2.0, 1.0, count),
        "equal": np.full(count, 3.25),
        "two values": np.where(np.arange(count) < count // 2, 1.0, 1000.0),
        "zeros and large": np.where(rng.random(count) < 0.5, 0.0, 1e30),
    }[kind].astype(np.float32)
    parts = np.array_split(values, 5)
    assert passing_median(lambda work: [work(p) for p in parts]) == np.median(values)


def test_the_median_of_numbers_that_are_not_all_numbers():
    values = np.array([1.0, np.nan, 2.0], np.float32)
    assert np.isnan(passing_median(lambda work: [work(values)]))
