"""The compiled IRS2 kernels equal the NumPy reference."""

import numpy as np
import pytest

from webbcal import kernels
from webbcal.core.irs2 import Interleaving
from webbcal.kernels.irs2.clocks import Clocks, empty_series
from webbcal.kernels.irs2.correction import Weights, corrected
from webbcal.kernels.irs2.filtering import Transform

REFERENCE, CPU = (kernels.get("irs2", backend) for backend in ("reference", "cpu"))
SLOW = 1472  # columns; the filter wants some thousand rows of 712 clocks


@pytest.fixture(params=[False, True], ids=["NRS1", "NRS2"])
def clocks(request):
    return Clocks(Interleaving(turned=request.param), SLOW)


def frame_and_mean(clocks, seed=3):
    rng = np.random.default_rng(seed)
    shape = clocks.layout.rows, clocks.slow
    frame = rng.normal(5.0, 8.0, shape).astype(np.float32)
    frame[100:110, ::7] = 5.0
    mean = np.full(shape, 5.0) + 0.01 * np.arange(clocks.slow)
    mean[100:110, ::7] = 5.0  # no signal there: a clock without a sample
    return frame, mean


def test_series_and_back(clocks):
    frame, mean = frame_and_mean(clocks)
    series = [empty_series(clocks) for _ in range(2)]
    for module, s in zip((REFERENCE, CPU), series, strict=True):
        module.to_series(frame, mean, clocks.section, clocks.clock, clocks.layout.turned, s)
    np.testing.assert_array_equal(*series)
    assert np.count_nonzero(series[0]) == frame.size - 10 * len(range(0, SLOW, 7))
    plain = clocks.section == 2
    backs = [np.empty_like(frame) for _ in range(2)]
    rows = np.arange(clocks.layout.rows)
    arguments = rows, clocks.section, clocks.clock, clocks.layout.turned, plain
    for module, s, back in zip((REFERENCE, CPU), series, backs, strict=True):
        module.from_series(s, mean, *arguments, back)
    np.testing.assert_array_equal(*backs)
    np.testing.assert_allclose(backs[0][~plain], frame[~plain], atol=1e-5)
    np.testing.assert_allclose(backs[0][plain], (frame - mean)[plain], atol=1e-5)


def test_trends_and_gaps(clocks):
    frame, mean = frame_and_mean(clocks)
    series = empty_series(clocks)
    CPU.to_series(frame, mean, clocks.section, clocks.clock, clocks.layout.turned, series)
    time = np.arange(clocks.samples).reshape(series.shape[1:]) - (clocks.samples - 1) / 2
    tilted = np.where(series != 0, series + 40.0 + 1e-5 * time, 0).astype(np.float32)
    both = [tilted.copy(), tilted.copy()]
    for module, s in zip((REFERENCE, CPU), both, strict=True):
        module.remove_trends(s)
    np.testing.assert_allclose(*both, atol=2e-5)
    assert not both[1][tilted == 0].any()
    assert abs(both[1][1][tilted[1] != 0].mean()) < 1.0, "the level is gone, to the noise of the border"
    flat = [both[0][0].reshape(-1).copy() for _ in range(2)]
    weights = np.hanning(33)[1:-1]
    for module, s in zip((REFERENCE, CPU), flat, strict=True):
        module.fill_gaps(s, weights)
    np.testing.assert_allclose(*flat, rtol=1e-6, atol=1e-6)


def test_streams_of_held_samples(clocks):
    part = np.random.default_rng(1).normal(size=(7, clocks.row)).astype(np.float32)
    streams = [np.full_like(part, 9) for _ in range(2)]
    for module, stream in zip((REFERENCE, CPU), streams, strict=True):
        module.spread(part, clocks.held, stream)
    np.testing.assert_array_equal(*streams)
    assert not streams[0][:, clocks.held < 0].any()


def test_noise_that_the_reference_pixels_see_is_removed(clocks):
    """A slow wave in all pixels of an output goes with weights that follow the interleaved pixels."""
    frame, mean = frame_and_mean(clocks)
    samples, k = clocks.samples, np.arange(clocks.samples // 2 + 1)
    followed = (k < samples / 200).astype(np.complex64)
    share = np.count_nonzero(clocks.held >= 0) / clocks.row
    weights = Weights.of_halves(
        np.zeros((4, len(k)), np.complex64), np.tile(followed / np.float32(share), (4, 1)), clocks.transform
    )
    series = empty_series(clocks)
    series += 30 * np.sin(2 * np.pi * 700 * np.arange(samples) / samples).reshape(series.shape[1:])
    wave = series[clocks.section, :, clocks.clock]
    wave = wave[:, ::-1] if clocks.layout.turned else wave
    plain, noisy = (
        corrected(image, mean, clocks, weights, CPU, preserve=False) for image in (frame, frame + wave)
    )
    outputs = np.flatnonzero(clocks.layout.science)
    assert wave[outputs].std() > 20
    assert (noisy - plain).std() < 0.1 * wave[outputs].std()


@pytest.mark.parametrize("samples", [1, 6, 64, 45, 90, 712 * 64, 7 * 7 * 11])
def test_a_filter_is_that_of_the_usual_transform(samples):
    rng = np.random.default_rng(samples)
    series, half = rng.normal(size=samples).astype(np.float32), samples // 2 + 1
    factors = (rng.normal(size=half) + 1j * rng.normal(size=half)).astype(np.complex64)
    factors[0] = factors[0].real  # what makes real series
    factors[-1] = factors[-1].real if samples % 2 == 0 else factors[-1]
    transform = Transform(samples)
    filtered = transform.backward(transform.forward(series) * transform.arranged(factors))
    expected = np.fft.irfft(np.fft.rfft(series.astype(np.float64)) * factors, samples)
    np.testing.assert_allclose(filtered, expected, atol=1e-6 * np.abs(expected).max())
