"""The compiled search for maxima, moments and histograms must equal their NumPy references."""

import numpy as np
import pytest

from webbcal.kernels.distribution import cpu as distribution
from webbcal.kernels.distribution import reference as distribution_reference
from webbcal.kernels.distribution.cpu import Part
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


def parts(values):
    """Return a part of an image, and its values in the order of the pixels; the values are all in it."""
    rng = np.random.default_rng(4)
    image = rng.normal(50, 10, (150, 200)).astype(np.float32)
    inside, good = np.zeros(image.shape, bool), rng.random(image.shape) < 0.9
    inside[10:140, 30:195] = True
    chosen = np.flatnonzero(inside & good)[: len(values)]
    image.reshape(-1)[chosen] = values
    good[np.isnan(image)] = False
    inside.reshape(-1)[chosen[-1] + 1 :] = False
    part = distribution.ImageValues(image, good).within(inside)
    assert part.size == np.count_nonzero(inside & good) == np.isfinite(values).sum()
    return part, image[inside & good]


@pytest.mark.parametrize("limits", [(-1e9, 1e9), (0.95, 1.2), (1.3, 1.3), (5.0, 6.0)])
@pytest.mark.parametrize("first", [1.0, -3.0, 9.0])
@pytest.mark.parametrize("extreme", [1.0, 1e30, -1e30])
def test_moments(limits, first, extreme):
    values = np.random.default_rng(1).normal(1, 0.1, 18000).astype(np.float32)
    values[0], values[7], values[12000] = first, np.nan, extreme
    part, flat = parts(values)
    expected = distribution_reference.moments(flat, *limits)
    for ours in (distribution.moments(part, *limits), distribution.moments(Part.of(flat), *limits)):
        assert ours.number == expected.number
        if expected.number:
            np.testing.assert_allclose(ours[1:3], expected[1:3], rtol=2e-7)
        assert (ours.smallest, ours.largest) == (expected.smallest, expected.largest)


@pytest.mark.parametrize("nbins, width, start", [(1, 2.0, 0.0), (40, 0.013, 0.7), (3, 1 / 3, 0.5)])
def test_histogram(nbins, width, start):
    values = np.random.default_rng(2).normal(1, 0.2, 18_000).astype(np.float32)
    values[:3] = np.nan, np.float32(start), np.float32(start) + np.float32(width) * np.float32(nbins)
    part, flat = parts(values)
    expected = distribution_reference.histogram(flat, nbins, width, start)
    np.testing.assert_array_equal(distribution.histogram(part, nbins, width, start), expected)
    edges = start + width * np.arange(nbins + 1)
    assert abs(expected - np.histogram(values[1:], edges)[0]).max() <= 2


def test_values_between_limits_and_of_a_whole_image():
    rng = np.random.default_rng(3)
    image, good = rng.normal(0, 1, (70, 130)).astype(np.float32), rng.random((70, 130)) < 0.5
    values = distribution.ImageValues(image, good)
    np.testing.assert_array_equal(np.sort(distribution.between(values.whole(), -1, 2)),
                                  np.sort(image[good & (image >= -1) & (image <= 2)]))  # fmt: skip
    everything = distribution.moments(values.whole(), -np.inf, np.inf)
    np.testing.assert_allclose(everything, distribution_reference.moments(image[good], -9, 9), rtol=2e-7)
    assert values.within(np.zeros(image.shape, bool)).size == 0
    assert distribution.ImageValues(image, np.zeros(image.shape, bool)).whole().size == 0


@pytest.mark.parametrize("sigma, rounds", [(3.0, 5), (2.0, 5), (1.0, 1), (0.4, 5), (3.0, 0)])
@pytest.mark.parametrize("extreme", [0.0, 1e30, -1e30])
def test_clipped(sigma, rounds, extreme):
    rng = np.random.default_rng(6)
    lots = [rng.normal(1, 0.1, n).astype(np.float32) for n in (0, 1, 2, 7, 500, 1001)]
    for lot in lots[4:]:
        lot[3], lot[20:40] = extreme, 5
    lots.append(np.full(9, 2, np.float32))
    starts = np.cumsum([0, *map(len, lots)])
    found = distribution.clipped(distribution.Pieces(np.concatenate(lots), starts), sigma, rounds)
    for ours, lot in zip(found, lots, strict=True):
        expected = distribution_reference.clipped(lot, sigma, rounds)
        assert ours.number == expected.number
        np.testing.assert_equal(ours.median, expected.median)
        np.testing.assert_allclose(ours[1:3], expected[1:3], rtol=1e-9, atol=1e-9)


def test_clipping_is_that_of_astropy():
    from astropy.stats import sigma_clipped_stats

    values = np.random.default_rng(7).standard_t(2, 3000).astype(np.float32)
    ours = distribution_reference.clipped(values, 3.0, 5)
    expected = sigma_clipped_stats(values, sigma=3.0, maxiters=5)
    np.testing.assert_allclose((ours.mean, ours.median, ours.stddev), expected, rtol=1e-6)
