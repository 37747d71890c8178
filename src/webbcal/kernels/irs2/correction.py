"""The IRS2 correction of one group: noise that the outputs share with reference pixels is found and
subtracted.

In the Fourier domain, what a science output does is α times what the reference output does, plus β times what
the interleaved reference pixels of its own output do; both are measured for each frequency on darks and kept
in the REFPIX reference (Rauscher et al. 2017, PASP 129, 105003; Moseley et al. 2010, SPIE 7742, 77421B). The
series of the reference output has gaps, where its own science pixels and nothing are read; they are filled
with what the slow and the fast frequencies of the other samples say, in three rounds.

The samples are single precision, and so are the transforms, as in the official pipeline. They are real: of α
and β counts the part that makes real series. Spectra are in the order of `filtering.Transform`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.irs2 import SECTIONS
from webbcal.kernels import Kernels
from webbcal.kernels.irs2.clocks import Clocks, empty_series
from webbcal.kernels.irs2.filtering import F32, Spectrum, Transform

#: Rounds in which gaps are filled by filtering.
_ROUNDS = 3
#: Weights of the first guess: a sine over 31 clocks.
_WEIGHTS = np.sin((np.arange(1, 32, dtype=np.float32) / np.float32(32)) * np.float32(np.pi)).astype(
    np.float64
)


@dataclass(frozen=True)
class Weights:
    """How much of the references each output takes, by frequency.

    Attributes
    ----------
    reference_output, reference_pixels : (4, rows, columns) complex64
        α and β, in the order of a spectrum.
    """

    reference_output: Spectrum
    reference_pixels: Spectrum

    @classmethod
    def of_halves(cls, alpha: Spectrum, beta: Spectrum, transform: Transform) -> Weights:
        """Return weights that are given for half of the frequencies, (4, samples // 2 + 1)."""
        return cls(transform.arranged(alpha), transform.arranged(beta))

    @classmethod
    def of_table(cls, table: Any, transform: Transform) -> Weights:
        """Return the weights in the columns of a REFPIX reference: real and imaginary parts in turn."""
        alpha, beta = (
            np.stack([_real_part(table[f"{name}_{k}"]) for k in range(SECTIONS - 1)])
            for name in ("alpha", "beta")
        )
        return cls.of_halves(alpha, beta, transform)


def _real_part(column: F32) -> Spectrum:
    """Return half of a spectrum, so that it makes real series of real series."""
    full = np.ascontiguousarray(column, np.float32).view(np.complex64)
    half = full.size // 2
    mirrored = np.conj(np.concatenate([full[:1], full[: half - 1 : -1]]))
    return np.asarray((full[: half + 1] + mirrored) / np.float32(2), np.complex64)


def corrected(
    frame: F32, mean: NDArray[np.float64], clocks: Clocks, weights: Weights, kernels: Kernels, preserve: bool
) -> F32:
    """Return one group without the noise that its reference pixels tell of.

    Parameters
    ----------
    frame : (rows, columns) float32
        Raw IRS2 frame in the orientation of the science frame.
    mean : (rows, columns) float64
        Mean of the groups of the integration.
    clocks : Clocks
    weights : Weights
    kernels : Kernels
        Those of ``irs2``.
    preserve : bool
        Keep the reference pixels.

    Returns
    -------
    (rows, columns) float32
        All rows, or the science rows.
    """
    layout, turned = clocks.layout, clocks.layout.turned
    series = empty_series(clocks)
    kernels.to_series(frame, mean, clocks.section, clocks.clock, turned, series)
    kernels.remove_trends(series)
    reference = series[0].reshape(-1)
    kernels.fill_gaps(reference, _WEIGHTS)
    _interpolate(reference, clocks)
    _correct(series, clocks, weights, kernels)
    rows = np.arange(layout.rows) if preserve else np.flatnonzero(layout.science)
    # The mean of reference pixels is part of what is subtracted; only the reference output gets it back.
    plain = ~layout.science[rows] & (clocks.section[rows] != 0)
    out = np.empty((len(rows), frame.shape[1]), np.float32)
    kernels.from_series(series, mean, rows, clocks.section, clocks.clock, turned, plain, out)
    return out


def _interpolate(series: F32, clocks: Clocks) -> None:
    """Replace what lies between science pixels by what their frequencies say, in place (samples,)."""
    rows, others = series.reshape(-1, clocks.row), ~clocks.is_normal
    for _ in range(_ROUNDS):
        spectrum = clocks.transform.forward(series)
        spectrum *= clocks.low_and_high_pass
        np.copyto(rows, clocks.transform.backward(spectrum).reshape(rows.shape), where=others)


def _correct(series: F32, clocks: Clocks, weights: Weights, kernels: Kernels) -> None:
    """Subtract from each section what the references tell; nothing from the reference output."""
    transform = clocks.transform
    shared = transform.forward(series[0].reshape(-1))
    stream = np.empty(series.shape[1:], np.float32)
    for k in range(1, SECTIONS):
        kernels.spread(series[k], clocks.held, stream)
        spectrum = transform.forward(stream.reshape(-1))
        spectrum *= weights.reference_pixels[k - 1]
        spectrum += weights.reference_output[k - 1] * shared
        series[k] -= transform.backward(spectrum).reshape(stream.shape)
