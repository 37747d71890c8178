"""The compiled measurement of 1/f noise must equal its reference; statistics must equal astropy's."""

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats

from webbcal.kernels.flicker import cpu, fourier, reference


def _scene(seed, shape=(48, 64)):
    """Noise in stripes, light, missing pixels, and a mask that leaves lines without a pixel."""
    rng = np.random.default_rng(seed)
    image = rng.normal(5.0, 1.0, shape) + rng.normal(0.0, 0.5, (shape[0], 1))
    image[10:20, 30:50] += rng.exponential(20.0, (10, 20))
    mask = rng.random(shape) < 0.9
    mask[7], mask[:, 11] = False, False
    mask[8, :63] = False
    return image.astype(np.float32), mask


@pytest.mark.parametrize("size", [1, 2, 3, 8, 101, 4000])
def test_statistics_are_those_of_astropy(size):
    rng = np.random.default_rng(size)
    values = np.concatenate([rng.normal(3.0, 1.0, size), rng.exponential(30.0, size // 4)]).astype(np.float32)
    expected = sigma_clipped_stats(values.astype(float), sigma=3.0)
    np.testing.assert_allclose(reference.clipped_statistics(values), expected, rtol=1e-12)
    np.testing.assert_allclose(cpu.clipped_statistics(values), expected, rtol=1e-12)
    expected = reference.lower_half_statistics(values)
    np.testing.assert_allclose(cpu.lower_half_statistics(values), expected, rtol=1e-12)


@pytest.mark.parametrize("n_sigma", [0.0, 2.0, 3.5])
@pytest.mark.parametrize("seed", range(4))
def test_level(seed, n_sigma):
    ours, theirs = _scene(seed), _scene(seed)
    level = cpu.subtract_level(*ours, n_sigma)
    assert level == reference.subtract_level(*theirs, n_sigma)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)
    cpu.clip_to_background(*ours, 1.5, 1.0)
    reference.clip_to_background(*theirs, 1.5, 1.0)
    np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("pieces", [1, 4])
def test_stripes(axis, pieces):
    (ours, mask), (theirs, _) = _scene(3), _scene(3)
    cpu.subtract_stripes(ours, mask, axis, pieces)
    reference.subtract_stripes(theirs, mask, axis, pieces)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size", [1, 8, 257, 1024, 1025])
def test_medians(size):
    lines = np.random.default_rng(size).normal(3.0, 1.0, (20, size)).astype(np.float32)
    lines[np.random.default_rng(1).random(lines.shape) < 0.1] = np.nan
    lines[3] = np.nan
    lines[4] = 2.0
    np.testing.assert_array_equal(cpu.medians(lines), reference.medians(lines))


def _large(kind):
    """Images with enough pixels for all bins, some of whose values mislead the choice of bins."""
    rng = np.random.default_rng(6)
    image = rng.normal(5.0, 1.0, (403, 700)) + rng.normal(0.0, 0.5, (403, 1)) + rng.normal(0.0, 0.5, 700)
    mask = rng.random(image.shape) < 0.9
    mask[7], mask[:, 11] = False, False
    if kind == "light":
        image[100:200, 300:500] += rng.exponential(20.0, (100, 200))
        image[50, :40] = 60000.0
    if kind == "integers":
        image = np.rint(image)
    if kind == "constant":
        image[...] = 3.0
    if kind == "one value often":
        image[rng.random(image.shape) < 0.6] = 0.0
    if kind == "coarse floats":
        image = image / 10.0 + 10_000.0
    if kind == "far from what is sampled":
        image.ravel()[:: image.size // 4096 | 1] -= 1000.0
    if kind == "sampled pixels are masked":
        mask.ravel()[:: image.size // 4096 | 1] = False
    return image.astype(np.float32), mask


@pytest.mark.parametrize("n_sigma", [0.0, 2.0])
@pytest.mark.parametrize(
    "kind",
    [
        "noise", "light", "integers", "constant", "one value often", "coarse floats",
        "far from what is sampled", "sampled pixels are masked",
    ],
)  # fmt: skip
def test_large_images(kind, n_sigma):
    ours, theirs = _large(kind), _large(kind)
    np.testing.assert_allclose(
        cpu.clipped_statistics(ours[0][ours[1]]), reference.clipped_statistics(ours[0][ours[1]]), rtol=1e-12
    )
    assert cpu.subtract_level(*ours, n_sigma) == reference.subtract_level(*theirs, n_sigma)
    for axis in (0, 1):
        cpu.subtract_stripes(*ours, axis, 1)
        reference.subtract_stripes(*theirs, axis, 1)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_frequency_that_is_there_is_found():
    mask = np.random.default_rng(2).random((512, 512)) < 0.7
    wave = np.cos(2 * np.pi * 1.0 * np.arange(512) / 512).astype(np.float32)
    image = np.where(mask, wave, np.float32(50.0)) * np.ones((512, 1), np.float32)
    found = fourier.full_frame_noise(image, mask)
    # Amplitudes of positive frequencies only are fitted: with pixels missing, that is not exact. The final
    # smoothing stands one pixel beside its place, and reaches beyond the first and last lines.
    off = found[16:-16] - np.roll(wave, 1)
    assert np.abs(off).max() < 0.1 and np.std(off) < 0.03


def test_the_noise_of_a_subarray_is_found_where_it_is_masked():
    rng = np.random.default_rng(4)
    lines, pixels = 40, 32
    t = (np.arange(lines)[:, None] * (pixels + fourier.OVERHEAD) + np.arange(pixels)) * float(
        fourier.PIXEL_TIME
    )
    noise = 3.0 * np.cos(2 * np.pi * 250.0 * t + 0.3)
    mask = rng.random((lines, pixels)) < 0.8
    image = np.where(mask, noise + rng.normal(0, 0.05, mask.shape), noise + 2.0).astype(np.float32)
    found = fourier.subarray_noise(image, mask, (1061.0, 1211.0, 49943.0, 49957.0))
    assert np.std((found - noise)[:, 4:-4]) < 0.1 * np.std(noise)
    assert fourier.subarray_noise(image, np.zeros_like(mask), (1061.0, 1211.0, 49943.0, 49957.0)) is None
