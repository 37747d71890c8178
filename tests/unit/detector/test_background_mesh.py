"""A smooth background is what photutils makes of the same boxes."""

import numpy as np
import pytest
from astropy.stats import SigmaClip
from photutils.background import Background2D, MedianBackground

from webbcal.detector.background_mesh import smooth_background


@pytest.mark.parametrize(
    "shape, box",
    [
        ((96, 160), (32, 32)), ((96, 160), (32, 10)), ((64, 64), (64, 64)), ((32, 96), (32, 16)),
        ((70, 90), (32, 20)),
    ],
)  # fmt: skip
def test_it_equals_photutils(shape: tuple[int, int], box: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    slope = np.add.outer(np.linspace(0, 20, shape[0]) ** 1.5, np.linspace(0, 30, shape[1]))
    image = (rng.normal(100.0, 3.0, shape) + slope).astype(np.float32)
    image[rng.random(shape) < 0.02] += 500
    mask = rng.random(shape) < 0.97
    if shape[0] > box[0]:
        mask[: box[0], : box[1]] = False  # a box without anything
    expected = Background2D(
        image, box_size=box, filter_size=(5, 5), mask=~mask, sigma_clip=SigmaClip(sigma=3.0, maxiters=5),
        bkg_estimator=MedianBackground(),
    ).background  # fmt: skip
    found = smooth_background(image, mask, box)
    assert found.dtype == np.float32 and found.shape == shape
    np.testing.assert_allclose(found, expected, rtol=3e-7)


def test_boxes_without_background() -> None:
    with pytest.raises(ValueError, match="All"):
        smooth_background(np.ones((32, 32), np.float32), np.zeros((32, 32), np.bool_), (16, 16))
