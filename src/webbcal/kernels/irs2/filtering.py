"""Filters on series whose length has a large prime factor, in two steps.

A frame of IRS2 is 1,458,176 = 89 · 16,384 clocks. Transforms of that length spend most of their time on the
factor 89, a sum over 89 terms for each sample. Here the series is laid out as a matrix of 89 rows (Cooley &
Tukey 1965, Math. Comp. 19, 297; Bailey 1990, J. Supercomput. 4, 23): the transform along its columns is a
product of matrices, which is what processors do best, that along its rows has a power of two. The series are
real, so 45 of 89 rows are enough. A filter needs no order of frequencies; its factors are put in the order
in which they come (`Transform.arranged`).
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
Factor = TypeVar("Factor", np.float32, np.complex64)


class Transform:
    """The Fourier transform of real series of a length, frequencies in an order of its own.

    Element (p, q) of a spectrum belongs to frequency ``p + rows * q``.

    Parameters
    ----------
    samples : int
    """

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.rows = _largest_odd_factor(samples)
        self.columns = samples // self.rows
        self.shape = (self.rows // 2 + 1, self.columns)

    def forward(self, series: F32) -> Spectrum:
        """Return the spectrum of a series (samples,)."""
        from scipy import fft

        table = series.reshape(self.rows, self.columns)
        spectrum = np.empty(self.shape, np.complex64)
        spectrum.real, spectrum.imag = self._waves[0] @ table, self._waves[1] @ table
        spectrum *= self._turns
        turned: Spectrum = fft.fft(spectrum, axis=1, overwrite_x=True)
        return turned

    def backward(self, spectrum: Spectrum) -> F32:
        """Return the series (samples,) of a spectrum, which is used up."""
        from scipy import fft

        parts = fft.ifft(spectrum, axis=1, overwrite_x=True)
        parts *= self._turns_back
        cosines, sines = self._waves_back
        table = cosines @ parts.real
        table += sines @ parts.imag
        series: F32 = table.reshape(-1)
        return series

    def arranged(self, half: NDArray[Factor]) -> NDArray[Factor]:
        """Return factors of frequencies 0 … samples // 2 (last axis) in the order of a spectrum.

        Those of the other frequencies are their complex conjugates.
        """
        frequency = np.arange(self.shape[0])[:, None] + self.rows * np.arange(self.columns)
        negative = frequency > self.samples // 2
        factors = half[..., np.where(negative, self.samples - frequency, frequency)]
        return np.conj(factors, out=factors, where=negative)

    @cached_property
    def _angles(self) -> NDArray[np.float64]:
        """Phases of the transform along columns (rows // 2 + 1, rows)."""
        turns = np.outer(np.arange(self.shape[0]), np.arange(self.rows)) % self.rows
        return np.asarray(turns * (2 * np.pi / self.rows), np.float64)

    @cached_property
    def _waves(self) -> tuple[F32, F32]:
        return np.cos(self._angles).astype(np.float32), -np.sin(self._angles).astype(np.float32)

    @cached_property
    def _waves_back(self) -> tuple[F32, F32]:
        """The same for the way back; the rows that are left out count in those that are there."""
        twice = np.where(np.arange(self.shape[0]) == 0, 1, 2)[:, None] / self.rows
        cosines, sines = twice * np.cos(self._angles), -twice * np.sin(self._angles)
        return tuple(np.ascontiguousarray(wave.T, np.float32) for wave in (cosines, sines))  # type: ignore[return-value]

    @cached_property
    def _turns(self) -> Spectrum:
        """Phases between the two transforms, of the shape of a spectrum."""
        angles = np.outer(np.arange(self.shape[0]), np.arange(self.columns)) * (-2 * np.pi / self.samples)
        return np.exp(1j * angles).astype(np.complex64)

    @cached_property
    def _turns_back(self) -> Spectrum:
        return np.conj(self._turns)


def _largest_odd_factor(number: int) -> int:
    """Return the largest odd prime factor; 1 of a power of two."""
    largest, factor = 1, 3
    while number % 2 == 0:
        number //= 2
    while factor * factor <= number:
        if number % factor == 0:
            largest, number = factor, number // factor
        else:
            factor += 2
    return max(largest, number)
