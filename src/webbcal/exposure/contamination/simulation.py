"""Simulating the spectra of all sources of a field, each on its own part of the detector.

Every pixel of a source has the spectrum of the source: flat in flux, times polynomials (Legendre's) that are
kept apart, so that the shape can be fitted without dispersing again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from webbcal import kernels
from webbcal.core.box import Box
from webbcal.core.threads import run_on_threads
from webbcal.exposure.contamination.source_pixels import F32, F64, SourcePixels
from webbcal.exposure.contamination.traces import Laid, Trace, Traces
from webbcal.exposure.response.photom_spectra import Response

dispersion = kernels.get("dispersion")


@dataclass
class Simulated:
    """The spectrum of a source in one order.

    Attributes
    ----------
    label, order : int
    box : Box
        Where it is on the detector.
    planes : (rows, columns, 1 + degree) float32
        Count rates: of the present model of its spectrum, then of Legendre's polynomials from the first on.
    """

    label: int
    order: int
    box: Box
    planes: F32

    @property
    def image(self) -> F32:
        """Count rates of the present model."""
        return self.planes[:, :, 0]

    def on(self, box: Box) -> F32 | None:
        """Return the planes on other pixels, zero where it has none; None if it has none at all."""
        common = self.box.overlap(box)
        if common is None:
            return None
        planes = np.zeros((*box.shape, self.planes.shape[2]), np.float32)
        planes[common.relative_to(box).slices] = self.planes[common.relative_to(self.box).slices]
        return planes


@dataclass(frozen=True)
class Sampling:
    """How spectra are sampled.

    Attributes
    ----------
    oversample : int
        Wavelengths a pixel.
    chunk : int
        Pixels of sources that have the same wavelengths, those that suit the first of them (as in jwst).
    degree : int
        Of the polynomials that are kept.
    """

    oversample: int
    chunk: int
    degree: int


class Part(NamedTuple):
    """Pixels of a source that have the same wavelengths: which, the traces, and counts at each wavelength."""

    which: slice
    trace: Trace
    factors: F64


def simulate(
    pixels: SourcePixels,
    traces: Traces,
    response: Response,
    order: int,
    sampling: Sampling,
    frame: Box,
    threads: int,
) -> list[Simulated]:
    """Return the simulated spectra of sources in one order, by label; those off the detector are left out.

    Parameters
    ----------
    pixels : SourcePixels
    traces : Traces
    response : Response
        MJy/sr µm for a count rate of 1 DN/s.
    order : int
    sampling : Sampling
    frame : Box
        The detector.
    threads : int
    """

    @cache  # chunks of one number of wavelengths share them
    def sampled(steps: int) -> tuple[Trace, F64]:
        trace = traces.at(np.linspace(*traces.limits, steps))
        return trace, _factors(trace.wavelengths, response, sampling.degree)

    parts: dict[int, list[Part]] = defaultdict(list)
    for start in range(0, len(pixels.label), sampling.chunk):
        end = min(start + sampling.chunk, len(pixels.label))
        steps = traces.steps_for((pixels.x[start], pixels.y[start]), sampling.oversample)
        for label, which in pixels.by_source(start, end):
            parts[label].append(Part(which, *sampled(steps)))

    def one(label: int) -> Simulated | None:
        return _simulated(label, order, pixels, traces, parts[label], frame)

    return [made for made in run_on_threads(one, parts, threads) if made is not None]


def _factors(wavelengths: F64, response: Response, degree: int) -> F64:
    """Return count rates for a surface brightness of 1 at each wavelength, (wavelengths, 1 + degree)."""
    step = wavelengths[1] - wavelengths[0]
    sensitivity = np.nan_to_num(response.at(wavelengths), nan=0.0)
    with np.errstate(divide="ignore"):
        counts = np.where(sensitivity == 0, 0.0, step / sensitivity)
    across = np.linspace(-1, 1, len(wavelengths))
    return counts[:, None] * np.polynomial.legendre.legvander(across, degree)


def _simulated(
    label: int, order: int, pixels: SourcePixels, traces: Traces, parts: Sequence[Part], frame: Box
) -> Simulated | None:
    """Return the spectrum of one source, or None if it is off the detector."""
    laid = [traces.laid(p.trace, pixels.x[p.which], pixels.y[p.which]) for p in parts]
    box = _around(laid).overlap(frame)
    if box is None:
        return None
    image = np.zeros((*box.shape, parts[0].factors.shape[1]))
    corner = box.y0, box.x0
    for part, (nodes, weights, *_) in zip(parts, laid, strict=True):
        dispersion.spread(nodes, weights, pixels.flux[part.which], part.factors, corner, image)
    return _trimmed(label, order, box, image)


def _around(laid: Sequence[Laid]) -> Box:
    """Return a box that holds all pixels; curved traces may reach a little beyond the corners of a source."""
    x0, y0 = np.floor(np.min([part.low for part in laid], axis=0)).astype(int) - 2
    x1, y1 = np.ceil(np.max([part.high for part in laid], axis=0)).astype(int) + 4
    return Box(int(y0), int(y1), int(x0), int(x1))


def _trimmed(label: int, order: int, box: Box, image: F64) -> Simulated | None:
    """Return what has light, or None."""
    lit = image[:, :, 0] != 0
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if not len(rows):
        return None
    inner = Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    planes = image[inner.slices].astype(np.float32)
    return Simulated(label, order, inner.shift(box.y0, box.x0), planes)
