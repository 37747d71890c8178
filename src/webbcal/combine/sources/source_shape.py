"""How much sources look like stars: concentration, and the sharpness and roundness of DAOFIND.

Sharpness compares the central pixel with its surroundings, roundness the two symmetries of the smoothed
image around the source (Stetson 1987, PASP 99, 191). Both are taken at the nearest pixel to the centroid.
"""

from __future__ import annotations

import numpy as np

from webbcal.combine.sources.segmentation import FWHM_TO_SIGMA

#: Pairs of apertures whose flux ratios are given: smaller, larger.
PAIRS = ((0, 1), (1, 2), (0, 2))


def concentrations(flux: np.ndarray) -> list[np.ndarray]:
    """Return the concentration indices, larger over smaller aperture, for each of `PAIRS`.

    Parameters
    ----------
    flux : ndarray
        Shape (3 apertures, sources).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return [flux[large] / flux[small] for small, large in PAIRS]


def extended(indices: list[np.ndarray], thresholds: tuple[float, float]) -> np.ndarray:
    """Return True for sources whose first two concentration indices are both above those of stars."""
    result: np.ndarray = (indices[0] > thresholds[0]) & (indices[1] > thresholds[1])
    return result


def sharpness_and_roundness(
    data: np.ndarray, positions: np.ndarray, fwhm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return DAOFIND's sharpness and roundness of sources.

    Parameters
    ----------
    data : ndarray
        Image, shape (ny, nx), float32.
    positions : ndarray
        x, y of the sources, shape (sources, 2).
    fwhm : float
        Of the Gaussian kernel, pixels.
    """
    kernel, inside = _kernel(fwhm * FWHM_TO_SIGMA)
    half = len(kernel) // 2
    stamps = _stamps(data, positions, 2 * half)  # wide enough to smooth the inner part
    smooth = _convolved(stamps, kernel)
    stamps = stamps[:, half:-half, half:-half]
    on_image = _pixels_on_image(data.shape, positions, half)
    smooth[~on_image] = 0.0
    peak, smooth_peak = stamps[:, half, half], smooth[:, half, half].copy()
    around = ((stamps * inside).sum(axis=(1, 2)) - peak) / (inside.sum() - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sharpness = (peak - around) / smooth_peak
        return sharpness, _roundness(smooth)


def _roundness(smooth: np.ndarray) -> np.ndarray:
    """Return twice the difference between quadrants that meet at the source, in units of all light."""
    half = smooth.shape[1] // 2
    smooth[:, half, half] = 0.0
    right_below, above_left = smooth[:, : half + 1, half + 1 :], smooth[:, :half, : half + 1]
    left, right_above = smooth[:, half:, :half], smooth[:, half + 1 :, half:]
    two_fold = above_left.sum((1, 2)) + right_above.sum((1, 2)) - right_below.sum((1, 2)) - left.sum((1, 2))
    all_light = np.abs(smooth).sum((1, 2))
    all_light[all_light == 0] = np.nan
    result: np.ndarray = 2.0 * two_fold / all_light
    return result


def _kernel(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return DAOFIND's kernel, a Gaussian less its mean within a circle, and the circle (1 inside)."""
    reach = max(2.0, 1.5 * sigma)
    half = int(reach)
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    inside = (np.hypot(x, y) <= reach).astype(int)
    gaussian = np.exp(-0.5 * (x**2 + y**2) / sigma**2) * inside
    scale = np.sum(gaussian**2) - np.sum(gaussian) ** 2 / inside.sum()
    return (gaussian - gaussian.sum() / inside.sum()) / scale * inside, inside


def _corners(positions: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row and column of stamps around the pixels nearest to positions."""
    x, y = np.ceil(positions - 0.5 - half).astype(int).T
    return y, x


def _stamps(data: np.ndarray, positions: np.ndarray, half: int) -> np.ndarray:
    """Cut (sources, 2 half + 1, 2 half + 1) around positions; 0 beyond the image."""
    size = 2 * half + 1
    stamps = np.zeros((len(positions), size, size), data.dtype)
    ny, nx = data.shape
    for stamp, y0, x0 in zip(stamps, *_corners(positions, half), strict=True):
        rows, columns = slice(max(y0, 0), min(y0 + size, ny)), slice(max(x0, 0), min(x0 + size, nx))
        if rows.start < rows.stop and columns.start < columns.stop:
            cut = data[rows, columns]
            stamp[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = cut
    return stamps


def _pixels_on_image(shape: tuple[int, ...], positions: np.ndarray, half: int) -> np.ndarray:
    """Return True for the pixels of stamps that are on the image."""
    y0, x0 = _corners(positions, half)
    y, x = (corner[:, None] + np.arange(2 * half + 1) for corner in (y0, x0))
    rows, columns = (y >= 0) & (y < shape[0]), (x >= 0) & (x < shape[1])
    return rows[:, :, None] & columns[:, None, :]


def _convolved(stamps: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve the inner part of stamps with a symmetric kernel; NaN does not count where the kernel is 0."""
    size = stamps.shape[1] - len(kernel) + 1
    total = np.zeros((len(stamps), size, size))
    for i, j in zip(*np.nonzero(kernel), strict=True):
        total += kernel[i, j] * stamps[:, i : i + size, j : j + size]
    return total.astype(stamps.dtype)


def nearest_neighbours(
    label: np.ndarray, positions: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the label of the nearest other source and its distance (pixels); -1 and NaN if there is none.

    Parameters
    ----------
    label : ndarray of int
    positions : ndarray
        x, y of the sources, shape (sources, 2), finite.
    known : ndarray of bool
        Whether the position is a true one.
    """
    if len(label) == 1:
        return np.array([-1]), np.array([np.nan])
    from scipy.spatial import KDTree

    distance, index = KDTree(positions).query(positions, k=[2])
    nearest = label[index[:, 0]]
    nearest[~known] = -1
    return nearest, np.where(known, distance[:, 0], np.nan)
