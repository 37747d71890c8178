"""The compiled search for maxima, moments and histograms must equal their NumPy references."""

import numpy as np
import pytest

from webbcal.kernels.distribution import cpu as distribution
from webbcal.kernels.distribution import reference as distribution_reference
from webbcal.kernels.peaks import cpu as peaks
from webbcal.kernels.peaks import reference as peaks_reference


@pytest.mark.parametrize("radius", [1, 2, 3, 5])
@pytest.mark.parametrize("threshold", [-0.5, 0.0, 1.2])
def test_maxima(radius, threshold):
    rng = np.random.default_rng(radius)
    image = np.round(rng.normal(0, 1, (40, 53)), 1).astype(np.float32)  # with equal neighbours
    image[rng.random(image.shape) < 0.02] = np.nan
    masked = rng.random(image.shape) < 0.1
    found = peaks.maxima(image, masked, threshold, radius)
    np.testing.assert_array_equal(found, peaks_reference.maxima(image, masked, threshold, radius))
    assert found.any()


def test_a_maximum_by_hand():
    image = np.zeros((9, 9), np.float32)
    image[4, 4], image[4, 6], image[5, 6] = 3, 2, 1
    found = peaks.maxima(image, np.zeros(image.shape, bool), 0.5, 2)
    assert np.argwhere(found).tolist() == [[4, 4]]
    found = peaks.maxima(image, image == 3, 0.5, 1)
    assert np.argwhere(found).tolist() == [[4, 6]]


@pytest.mark.parametrize("limits", [(-1e9, 1e9), (0.95, 1.2), (1.3, 1.3), (5.0, 6.0)])
@pytest.mark.parametrize("first", [1.0, -3.0, 9.0])
def test_moments(limits, first):
    values = np.random.default_rng(1).normal(1, 0.1, 5000).astype(np.float32)
    values[0], values[7] = first, np.nan
    ours, expected = distribution.moments(values, *limits), distribution_reference.moments(values, *limits)
    assert ours.number == expected.number
    np.testing.assert_allclose(ours[1:], expected[1:], rtol=2e-7)
    assert (ours.smallest, ours.largest) == (expected.smallest, expected.largest)


@pytest.mark.parametrize("nbins, width, start", [(1, 2.0, 0.0), (40, 0.013, 0.7), (3, 1 / 3, 0.5)])
def test_histogram(nbins, width, start):
    values = np.random.default_rng(2).normal(1, 0.2, 20_000).astype(np.float32)
    values[:3] = np.nan, np.float32(start), np.float32(start) + np.float32(width) * np.float32(nbins)
    counts = distribution.histogram(values, nbins, width, start)
    np.testing.assert_array_equal(counts, distribution_reference.histogram(values, nbins, width, start))
    edges = start + width * np.arange(nbins + 1)
    assert abs(counts - np.histogram(values[1:], edges)[0]).max() <= 2
