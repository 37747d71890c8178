"""Simple Improved Reference Subtraction: side pixels smoothed by kernels made for each detector.

The running median of the side columns is replaced by a convolution whose kernels (one for each side and
amplifier) were fitted to dark exposures and are stored in Fourier space in the SIRSKERNEL reference
file. Full frame only, and rarely used, so plain NumPy.
Reference: Rauscher, Fixsen & Mosby 2022, JATIS 8, 028002 ("Simple improved reference subtraction").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Standard deviation of a normal distribution in units of its median absolute deviation.
_SIGMA_PER_MAD = 1.48


@dataclass(frozen=True, slots=True)
class SirsKernels:
    """Convolution kernels of the left and right side columns, (channels, 2 × halfwidth + 1)."""

    left: F64
    right: F64

    @classmethod
    def from_coefficients(
        cls, gamma: NDArray[Any], zeta: NDArray[Any], gaussmooth: float = 1.0, halfwidth: int = 30
    ) -> SirsKernels:
        """Build kernels from the reference file's Fourier coefficients.

        Parameters
        ----------
        gamma, zeta : (channels, n) complex
            Coefficients of the left and right side columns for this detector.
        gaussmooth : float
            Standard deviation, in rows, of the Gaussian that smooths the kernels.
        halfwidth : int
            Rows of the kernel on each side of its centre.
        """
        return cls(*(_smooth_kernels(np.asarray(c), gaussmooth, halfwidth) for c in (gamma, zeta)))


def _smooth_kernels(coefficients: NDArray[Any], gaussmooth: float, halfwidth: int) -> F64:
    """Turn weights in frequency into kernels in rows, and take out what is faster than `gaussmooth`."""
    centre = coefficients.shape[1] - 1
    rows = slice(centre - halfwidth, centre + halfwidth + 1)
    low_pass = _gaussian(gaussmooth, halfwidth)
    kernels = [np.fft.fftshift(np.fft.irfft(c))[rows] for c in coefficients]
    return np.array([np.convolve(kernel, low_pass, mode="same") for kernel in kernels])


def _gaussian(sigma: float, halfwidth: int) -> F64:
    """Return the shares of a normal distribution, cut at `halfwidth`, that fall on rows around its middle."""
    one_side = np.exp(-0.5 * np.square(np.arange(halfwidth + 1) / sigma))
    both_sides = np.concatenate((one_side[:0:-1], one_side))
    return both_sides / both_sides.sum()


def sirs_templates(left: F64, right: F64, kernels: SirsKernels, sigreject: float) -> F64:
    """Return what to subtract from each row of each amplifier.

    Parameters
    ----------
    left, right : (ngroups, n, 4) float64
        Side columns after the top and bottom correction, detector frame.
    kernels : SirsKernels
    sigreject : float
        Pixels further than this many robust standard deviations from the median of their side are left
        out; the flags of PIXELDQ play no part.

    Returns
    -------
    (ngroups, channels, n) float64
    """
    channels, n = len(kernels.left), left.shape[1]
    out = np.zeros((len(left), channels, n))
    for g in range(len(left)):
        for side, side_kernels in ((left[g], kernels.left), (right[g], kernels.right)):
            mean, weight = _row_means(side, sigreject)
            for c, kernel in enumerate(side_kernels):
                # rows with pixels left out weigh less: divide by what the kernel sees of them
                norm = np.convolve(np.ones(n), kernel, mode="same")
                norm /= np.convolve(weight, kernel, mode="same")
                out[g, c] += np.convolve(mean, kernel, mode="same") * norm
    return out


def _row_means(side: F64, sigreject: float) -> tuple[F64, F64]:
    """Sum of the good pixels of each row over its pixel count, and the fraction of good pixels."""
    median = np.median(side)
    sigma = _SIGMA_PER_MAD * np.median(np.abs(side - median))
    good = np.abs(side - median) <= sigreject * sigma
    width = side.shape[1]
    return np.sum(side * good, axis=1) / width, np.sum(good, axis=1) / width
