"""1/f noise fitted in frequency space (NSClean: Rauscher 2024, PASP 136, 015001).

A few low frequencies are fitted by weighted least squares to the pixels that see nothing but background, and
evaluated everywhere. Samples are equidistant in time, so that the normal equations are made of Fourier
transforms of the weights: with amplitudes ``a_k`` of ``exp(2πi k m / n)`` at the times ``m``, they are

    sum_l  W(k - l) a_l = D(k),    W = FFT(w²),  D = FFT(w² d)

and no matrix with a row for each pixel is ever made. One NumPy file, no compiled twin: all the time is in
NumPy's transforms and LAPACK.

Images are in the detector's own orientation here: time runs along the rows, and from row to row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Full frame: half-power frequency of the low-pass filter and the width of its edge, in 1/pixels.
CUTOFF, EDGE = 1 / 256, 1 / 1024
#: Width (pixels) over which the density of background is judged, and of the final smoothing across lines.
DENSITY_SIGMA, SMOOTHING_SIGMA = 32, 1.5
#: Lines at both edges that hold reference pixels.
BORDER = 4
#: Subarrays: pixels that the clock waits at the end of a line, and the time of one (s).
OVERHEAD, PIXEL_TIME = 12, np.float32(10.0e-6)
#: Subarrays: background pixels that are fitted together; the least share of them.
SECTION, LEAST_SHARE = 512, 0.05
#: Thresholds for values that are no background after all.
OUTLIER_LINE, OUTLIER_IMAGE = 3.0, 4.0


def full_frame_noise(image: F32, mask: Mask) -> F32:
    """Return the low frequencies of each line of a full frame.

    Parameters
    ----------
    image : ndarray
        float32, (lines, pixels of a line).
    mask : ndarray
        bool; True for background.
    """
    frequencies = np.fft.rfftfreq(image.shape[1])
    filtered = _low_pass(frequencies)
    count = int(np.count_nonzero(filtered))
    weights = _weights(mask)
    model = np.zeros(image.shape, np.float32)
    lines = np.flatnonzero(mask.any(axis=1))
    for y in lines[(lines >= BORDER) & (lines < len(image) - BORDER)]:
        usable = mask[y]
        data = np.where(usable, image[y], np.float32(0))
        data[usable] = _without_outliers(image[y][usable])
        amplitudes = _solve(weights[y], data, count, image.shape[1])
        spectrum = np.zeros(len(frequencies), np.complex64)
        spectrum[:count] = amplitudes * image.shape[1] * filtered[:count]
        model[y] = np.fft.irfft(spectrum, image.shape[1])
    return np.fft.irfft2(np.fft.rfft2(model) * _smoothing(*image.shape), s=image.shape).astype(np.float32)


def subarray_noise(image: F32, mask: Mask, band: tuple[float, float, float, float]) -> F64 | None:
    """Return the noise of a subarray, fitted section by section; None where nothing can be fitted.

    Parameters
    ----------
    image : ndarray
        float32, (lines, pixels of a line).
    mask : ndarray
        bool; True for background.
    band : tuple of float
        Frequencies (Hz): what is below the first and above the last is noise that is removed in full, what is
        between the second and the third is left (there is no 1/f noise, but spectra). The gain rolls off as a
        cosine between. High frequencies are the noise of alternating columns.
    """
    mask = _without_hot(image, mask)
    model, total = np.zeros(image.shape), np.zeros(image.shape)
    sections = _sections(mask)
    if not sections:
        return None
    for section in sections:
        share = mask[section].mean()
        fitted = _section_noise(image[section], mask[section], band) if share > LEAST_SHARE else 0.0
        weight = 1.001 - np.abs(np.linspace(-1, 1, section.stop - section.start))[:, None]
        model[section] += weight * fitted
        total[section] += weight
    total[model == 0] = 1
    return model / total


def _section_noise(image: F32, mask: Mask, band: tuple[float, float, float, float]) -> F64:
    """Return the noise of some lines, as one series in time."""
    lines, pixels = image.shape
    n = lines * (pixels + OVERHEAD)
    frequencies = np.fft.rfftfreq(n, PIXEL_TIME).astype(np.float32)
    gain = _band_gain(frequencies, band)
    wanted = np.flatnonzero(gain > 0)

    def series(values: NDArray[Any]) -> NDArray[Any]:
        return np.pad(values, ((0, 0), (0, OVERHEAD))).ravel()

    used = series(mask)
    weights = np.where(used, _inverse_density(used.astype(np.float32), band), 0.0)
    data = series(np.where(mask, image, np.float32(0)))
    spectrum = np.zeros(len(frequencies), np.complex128)
    spectrum[wanted] = _solve(weights, data, wanted, n) * n
    noise: F64 = np.fft.irfft(spectrum * gain, n)
    return noise.reshape(lines, -1)[:, :pixels]


def _solve(
    weights: NDArray[np.floating], data: NDArray[np.floating], wanted: int | NDArray[np.int64], n: int
) -> NDArray[np.complex128]:
    """Return the amplitudes of frequencies that fit data best; weights are 0 where there are none.

    Fewer samples than frequencies have no unique solution: then that of the least amplitudes. Raises
    `numpy.linalg.LinAlgError` if the equations are exactly singular all the same.
    """
    squares = weights.astype(np.float64) ** 2
    of_weights, of_data = np.fft.fft(squares), np.fft.fft(squares * data)
    k = np.arange(wanted) if isinstance(wanted, int) else wanted
    matrix = of_weights[(k[:, None] - k[None, :]) % n]
    if np.count_nonzero(weights) < len(k):
        return np.asarray(np.linalg.lstsq(matrix, of_data[k], rcond=1e-10)[0])
    return np.asarray(np.linalg.solve(matrix, of_data[k]))


def _low_pass(frequencies: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return a filter that falls from 1 to 0 as half a cosine around the cut-off frequency."""
    edge = (1 + np.cos(np.pi * (frequencies - CUTOFF) / EDGE + np.pi / 2)) / 2
    gain = np.where(frequencies <= CUTOFF - EDGE / 2, 1, edge)
    return np.where(frequencies <= CUTOFF + EDGE / 2, gain, 0)


def _band_gain(frequencies: F32, band: tuple[float, float, float, float]) -> F32:
    """Return 1 at low and high frequencies and 0 between, with cosines as edges."""
    a, b, c, d = (np.float32(f) for f in band)
    gain = np.zeros(len(frequencies), np.float32)
    gain[(frequencies < a) | (frequencies >= d)] = 1.0
    falls, rises = (a <= frequencies) & (frequencies < b), (c <= frequencies) & (frequencies < d)
    gain[falls] = 0.5 * (np.cos(np.pi / (b - a) * (frequencies[falls] - a)) + 1)
    gain[rises] = 0.5 * (np.cos(np.pi / (d - c) * (frequencies[rises] - c) + np.pi) + 1)
    return gain


def _weights(mask: Mask) -> F32:
    """Return the inverse of the density of background around each of its pixels, along the lines.

    As in the published code, the kernel stands one pixel and one line beside its place: the density is that
    of the line before. The arithmetic is float32, whose rounding matters where the density is near 0.
    """
    ny, nx = mask.shape
    x = np.arange(nx)
    kernel = np.zeros((ny, nx), np.float32)
    kernel[ny // 2 + 1] = _gaussian(x - (nx // 2 + 1), DENSITY_SIGMA)
    transform = np.fft.rfft2(np.fft.ifftshift(kernel))
    with np.errstate(divide="ignore"):
        density = 1 / np.fft.irfft2(np.fft.rfft2(mask.astype(np.float32)) * transform, (ny, nx))
    weights: F32 = np.where(mask & np.isfinite(density), density, 0.0)
    return weights


def _inverse_density(used: F32, band: tuple[float, float, float, float]) -> F64:
    """Return the inverse of the density of samples in time, smoothed over the period of the cut-off."""
    n = len(used)
    sigma = np.float32(1 / ((band[0] + band[1]) / 2) / PIXEL_TIME / 2 / 4)
    kernel = _gaussian(np.arange(n, dtype=np.float32) - np.float32(n // 2 + 1), sigma)
    transform = np.fft.rfft(np.fft.ifftshift(kernel))
    with np.errstate(divide="ignore"):
        inverse = 1 / np.fft.irfft(np.fft.rfft(used) * transform, n)
    inverse[~np.isfinite(inverse)] = 0.0
    return np.asarray(inverse)


def _smoothing(ny: int, nx: int) -> NDArray[np.complex64]:
    """Return the transform of a Gaussian across lines; beside its place as in `_weights`."""
    middle = nx // 2 + 1
    kernel = np.zeros((ny, nx), np.float32)
    kernel[:, middle] = _gaussian(np.arange(ny) - middle, SMOOTHING_SIGMA)
    return np.fft.rfft2(np.fft.ifftshift(kernel)).astype(np.complex64)


def _gaussian(x: NDArray[Any], sigma: Any) -> F64:
    return np.asarray(np.exp(-(x**2) / sigma**2 / 2) / sigma / np.sqrt(2 * np.pi))


def _without_outliers(values: F32) -> F32:
    """Return values with those far from their median replaced by it."""
    median = np.median(values)
    spread = OUTLIER_LINE * (1.4826 * np.median(np.abs(values - median)))
    return np.where((median - spread <= values) & (values <= median + spread), values, median)


def _without_hot(image: F32, mask: Mask) -> Mask:
    """Return a mask without values far from the median, and without their four neighbours."""
    if not mask.any():
        return mask
    off = np.abs(image - np.median(image[mask]))
    outlier = mask & (off > OUTLIER_IMAGE * (1.4825 * np.median(off[mask])))
    kept: Mask = mask & ~outlier
    kept[1:] &= ~outlier[:-1]
    kept[:-1] &= ~outlier[1:]
    kept[:, 1:] &= ~outlier[:, :-1]
    kept[:, :-1] &= ~outlier[:, 1:]
    return kept


def _sections(mask: Mask) -> list[slice]:
    """Return runs of lines with enough background; each begins in the middle of the one before."""
    counts = mask.sum(axis=1)
    if not counts.any():
        return []
    before = np.concatenate([[0], np.cumsum(counts)])
    start, last = np.flatnonzero(counts)[[0, -1]]
    sections = []
    while start <= last:
        stop = last + 1
        if before[-1] - before[start] > 1.5 * SECTION:
            stop = min(int(np.searchsorted(before, before[start] + SECTION, side="right")), stop)
            stop = max(stop, start + 1)
        sections.append(slice(int(start), int(stop)))
        if stop == last + 1:
            break
        start += max(round((stop - start) / 2), 1)
    return sections
