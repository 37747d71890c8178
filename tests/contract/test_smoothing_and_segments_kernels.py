"""The compiled smoothing and counting of peaks must equal their references."""

import numpy as np
import pytest

from webbcal.kernels.segments import cpu as segments
from webbcal.kernels.segments import reference as segments_reference
from webbcal.kernels.smoothing import cpu as smoothing
from webbcal.kernels.smoothing import reference as smoothing_reference


@pytest.mark.parametrize("sigma", [0.4, 0.85, 2.3])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_smoothing(sigma, share):
    rng = np.random.default_rng(1)
    image = rng.normal(3, 1, (40, 31)).astype(np.float32)
    missing = rng.random(image.shape) < share
    missing[-8:, :9] = share > 0
    image[missing] = np.nan
    weights = smoothing_reference.gaussian(sigma)
    expected = smoothing_reference.smooth(image, missing, weights)
    found = smoothing.smooth(image, missing, weights)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-7)


def test_smoothing_keeps_light_and_shape():
    image = np.zeros((21, 21), np.float32)
    image[10, 10] = 1
    found = smoothing.smooth(image, image > 1, smoothing_reference.gaussian(1.0))
    assert found.sum() == pytest.approx(1, rel=1e-6)
    assert found[10, 11] / found[10, 10] == pytest.approx(np.exp(-0.5), rel=1e-6)
    level = np.full((9, 9), 2, np.float32)
    level[4, 4] = np.nan
    found = smoothing.smooth(level, np.isnan(level), smoothing_reference.gaussian(0.7))
    assert found[4, 4] == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_peaks_of_segments(connectivity):
    from scipy.ndimage import label

    rng = np.random.default_rng(2)
    image = np.round(rng.normal(0, 1, (50, 60)), 1).astype(np.float32)  # with equal neighbours
    labels = label(image > 0.3, np.ones((3, 3)))[0].astype(np.int32)
    found = segments.count_peaks(image, labels, connectivity)
    np.testing.assert_array_equal(found, segments_reference.count_peaks(image, labels, connectivity))
    assert found.min() >= 1 and found.max() > 3
    assert len(segments.count_peaks(image, np.zeros_like(labels), connectivity)) == 0
