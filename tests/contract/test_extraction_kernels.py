"""The compiled extraction and the clusters of wavelengths must equal their NumPy references."""

import numpy as np
import pytest

from webbcal.kernels.extraction import cpu, reference
from webbcal.kernels.extraction.solving import covariances
from webbcal.kernels.wavelengths import cpu as wavelengths
from webbcal.kernels.wavelengths import reference as wavelengths_reference

ROWS, COLUMNS = 24, 61


def scene(seed=0):
    """Return an image with bad pixels, variances, an aperture with partial pixels, and positions of rows."""
    rng = np.random.default_rng(seed)
    image = rng.normal(10, 2, (ROWS, COLUMNS)).astype(np.float32)
    variances = rng.uniform(0.5, 2, (3, ROWS, COLUMNS)).astype(np.float32)
    bad = rng.random(image.shape) < 0.1
    image[bad] = np.nan
    image[3, 5], image[:, 40] = np.inf, np.nan
    variances[:, bad] = np.nan
    aperture = np.zeros(image.shape)
    aperture[8:14], aperture[14], aperture[7] = 1, 0.3, 0.7
    return image, variances, aperture, np.linspace(-1, 1, ROWS)


@pytest.mark.parametrize("terms", [0, 1, 3])
def test_box_sums(terms):
    image, variances, aperture, position = scene()
    coefficients = np.random.default_rng(1).normal(1, 0.1, (terms, COLUMNS))
    coefficients[:1, 7] = np.nan
    ours = cpu.box_sums(image, variances, aperture, position, coefficients)
    expected = reference.box_sums(image, variances, aperture, position, coefficients)
    for name in ours._fields:
        np.testing.assert_allclose(getattr(ours, name), getattr(expected, name), rtol=1e-12, err_msg=name)
    assert ours.npixels[40] == 0
    assert (ours.npixels[7] == 0) == (terms > 0)
    assert ours.background[7] == 0


def test_a_sum_by_hand():
    image = np.array([[1, 2], [3, np.nan], [5, 6]], np.float32)
    variances = np.full((1, 3, 2), 2, np.float32)
    aperture = np.array([[0.5, 0.5], [1, 1], [0, 0]])
    sums = cpu.box_sums(image, variances, aperture, np.linspace(-1, 1, 3), np.array([[1.0, 1.0]]))
    assert sums.flux.tolist() == [0.5 * 0 + 2, 0.5 * 1]
    assert sums.background.tolist() == [1.5, 0.5]
    assert sums.variances.tolist() == [[0.5 + 2, 0.5]]
    assert sums.npixels.tolist() == [1.5, 0.5]


@pytest.mark.parametrize("terms, sources", [(1, 0), (2, 0), (4, 0), (0, 1), (0, 2), (2, 1), (3, 2)])
def test_fits(terms, sources):
    image, variances, aperture, position = scene()
    use = (np.isfinite(image) & (aperture == 0)).astype(np.float32) if not sources else np.isfinite(image)
    use = use.astype(np.float32)
    values = np.where(use != 0, image, 0).astype(np.float32)
    shift = np.arange(COLUMNS) * 0.01
    profiles = np.array([np.exp(-((position[:, None] * 4 - k + shift) ** 2)) for k in range(sources)])
    profiles = profiles.reshape(sources, ROWS, COLUMNS)
    ours = cpu.normal_equations(values, use, position, terms, profiles)
    expected = reference.normal_equations(values, use, position, terms, profiles)
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)
    combination = covariances(expected[0])[:, 0]
    noise = cpu.propagate(variances, use, position, terms, profiles, combination)
    np.testing.assert_allclose(
        noise, reference.propagate(variances, use, position, terms, profiles, combination), rtol=1e-10
    )
    assert (noise[:, 40] == 0).all()
    assert (noise[:, :40] > 0).all()


def test_a_fit_recovers_what_was_put_in():
    _, _, _, position = scene()
    profile = np.exp(-((position * 5) ** 2))[:, None] * np.ones(COLUMNS)
    flux = np.linspace(1, 5, COLUMNS)
    values = (profile * flux + 2 + 0.5 * position[:, None]).astype(np.float32)
    matrix, vector = cpu.normal_equations(values, np.ones_like(values), position, 2, profile[None])
    fitted = np.einsum("xij,xj->xi", covariances(matrix), vector)
    np.testing.assert_allclose(fitted, np.stack([0 * flux + 2, 0 * flux + 0.5, flux], 1), rtol=1e-5)


def test_singular_columns_are_zero():
    matrices = np.array([[[1.0, 1.0], [1.0, 1.0]], [[2.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    inverse = covariances(matrices)
    assert (inverse[[0, 2]] == 0).all()
    np.testing.assert_allclose(inverse[1], [[0.5, 0], [0, 0.25]])
    assert covariances(np.array([[[4.0]], [[0.0]]])).ravel().tolist() == [0.25, 0]


def test_two_terms_are_inverted_as_more_are():
    rng = np.random.default_rng(5)
    half = rng.normal(size=(200, 3, 2))
    matrices = np.einsum("nki,nkj->nij", half, half)
    np.testing.assert_allclose(covariances(matrices), np.linalg.inv(matrices), rtol=1e-9)


def test_medians():
    image, _, aperture, _ = scene()
    image[3, 5] = np.nan
    use = (aperture == 0).astype(np.float32)
    use[:, 11] = 0
    ours = cpu.column_medians(image, use)
    np.testing.assert_array_equal(ours, reference.column_medians(image, use))
    assert np.isnan(ours[[11, 40]]).all()
    assert np.isfinite(ours).sum() == COLUMNS - 2


@pytest.mark.parametrize("spectra", [1, 2, 3, 7, 8, 9, 20, 33])
@pytest.mark.parametrize("jitter", [0.0, 1e-5, 0.004, 0.3])
def test_clusters(spectra, jitter):
    rng = np.random.default_rng(spectra)
    grid = np.linspace(1, 2, 101) + 0.0003 * rng.normal(size=101)
    starts = rng.integers(0, 20, spectra)
    pieces = [np.sort(grid[s : 90 + s // 2] + jitter * 0.01 * rng.normal()) for s in starts]
    wavelength = np.sort(np.concatenate(pieces))
    covering = sum(((wavelength >= p[0] - 0.005) & (wavelength < p[-1] + 0.005)).astype(int) for p in pieces)
    ours = wavelengths.clusters(wavelength, covering)
    np.testing.assert_array_equal(ours, wavelengths_reference.clusters(wavelength, covering))
    assert 80 < len(ours) < 200
