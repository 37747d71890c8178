"""How grisms disperse: where the light of a source falls, by order and wavelength.

A source that a direct image would have at the pixel (x0, y0) is spread along a trace with a parameter t from
0 to 1: x0 + dx(t), y0 + dy(t), wavelength(t) are polynomials in t whose coefficients are polynomials in
(x0, y0), 0-based pixels of the full frame. That is the form of JWST's SPECWCS files and of the community's
configurations, from which the numbers of NIRCam and NIRISS in ``tables/`` come:

- NIRCam: github.com/npirzkal/GRISM_NIRCAM, V9 (N. Pirzkal, F. Sun, E. Egami, 2022)
- NIRISS: github.com/npirzkal/GRISM_NIRISS, V3 (N. Pirzkal, 2021)

MIRI's prism has numbers of our own, near those of the low-resolution spectrometer: its dispersion falls from
0.037 micrometres a pixel at the short end to 0.018.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from webbcal.core.errors import ParameterError

#: Coefficients of t to the powers 0, 1, …, each with those of the field: 1, x, y, x², xy, y², x³ …
Polynomials = tuple[tuple[float, ...], ...]

_TABLES = Path(__file__).parent / "tables"
#: NIRCam's time series: the star is placed so that its trace, hardly bent, is at its row.
_SERIES_DY = ((-0.35,), (1.3,), (-0.9,))
#: MIRI: wavelength as a cubic of t; a trace that falls by 380 rows, is bent, and turns over the field.
_MIRI = {
    "l": ((4.55,), (14.2,), (-6.3,), (1.75,)),
    "x": ((0.6, 4e-4, -3e-4), (-1.1, -9e-4, 7e-4), (0.9, 0.0, 0.0)),
    "y": ((188.0, 1.2e-3, -8e-4), (-381.0, -2.1e-3, 1.6e-3)),
}


@dataclass(frozen=True)
class Trace:
    """The trace of a source in one order: coefficients of powers of t of wavelength, dx and dy."""

    wavelength_terms: np.ndarray
    dx_terms: np.ndarray
    dy_terms: np.ndarray

    def wavelength(self, t: np.ndarray) -> np.ndarray:
        """Return the wavelength (micrometres) at values of the trace's parameter."""
        return np.asarray(np.polynomial.polynomial.polyval(t, self.wavelength_terms))

    def offset(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how far the trace is from the source (pixels in x and y) at values of its parameter."""
        polyval = np.polynomial.polynomial.polyval
        return np.asarray(polyval(t, self.dx_terms)), np.asarray(polyval(t, self.dy_terms))

    def parameter(self, wavelength: np.ndarray) -> np.ndarray:
        """Return the trace's parameter at wavelengths (micrometres), by Newton's method."""
        wave, terms = np.asarray(wavelength, float), self.wavelength_terms
        slopes = np.polynomial.polynomial.polyder(terms)
        t = (wave - terms[0]) / terms[1:].sum()
        for _ in range(30):
            step = (self.wavelength(t) - wave) / np.polynomial.polynomial.polyval(t, slopes)
            t = t - step
            if np.max(np.abs(step), initial=0.0) < 1e-13:
                break
        return np.asarray(t)

    def turned(self, angle: float) -> Trace:
        """Return the trace turned about the source by an angle (radians) from x to y."""
        n = max(len(self.dx_terms), len(self.dy_terms))
        dx, dy = (np.pad(terms, (0, n - len(terms))) for terms in (self.dx_terms, self.dy_terms))
        cos, sin = np.cos(angle), np.sin(angle)
        return Trace(self.wavelength_terms, dx * cos - dy * sin, dx * sin + dy * cos)


@dataclass(frozen=True, slots=True)
class Order:
    """A spectral order of a grism: polynomials of wavelength (micrometres), dx and dy (pixels)."""

    number: int
    wavelength: Polynomials
    dx: Polynomials
    dy: Polynomials

    def trace(self, x0: float, y0: float) -> Trace:
        """Return the trace of a source at a pixel (0-based, full frame) of the direct image."""
        parts = (np.array([field(c, x0, y0) for c in p]) for p in (self.wavelength, self.dx, self.dy))
        return Trace(*parts)


def powers(number: int) -> list[tuple[int, int]]:
    """Return the powers of x and y that belong to the first coefficients of a polynomial of the field."""
    degree = int(np.ceil((np.sqrt(8 * number + 1) - 3) / 2))
    return [(n - k, k) for n in range(degree + 1) for k in range(n + 1)][:number]


def field(coefficients: Sequence[float], x: float, y: float) -> float:
    """Evaluate a polynomial of the field."""
    terms = zip(coefficients, powers(len(coefficients)), strict=True)
    return float(sum(c * x**i * y**j for c, (i, j) in terms))


@lru_cache
def orders(
    instrument: str, module: str | None, grism: str, band: str, series: bool = False
) -> tuple[Order, ...]:
    """Return the orders of a grism behind a filter; of NIRCam's time series if `series`.

    Raises
    ------
    ParameterError
        If it is not known how the grism disperses with this filter.
    """
    if instrument == "MIRI":
        return (Order(1, _MIRI["l"], _MIRI["x"], _MIRI["y"]),)
    wanted = {"filter": band, "module": module or "", "grism": grism}
    found: dict[int, dict[str, list[tuple[float, ...]]]] = {}
    known = set()
    with (_TABLES / f"{instrument.lower()}.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            known.add(row["filter"])
            if all(row[k] == v for k, v in wanted.items()):
                kinds = found.setdefault(int(row["order"]), {"l": [], "x": [], "y": []})
                kinds[row["quantity"]].append(tuple(map(float, row["coefficients"].split())))
    if not found:
        raise ParameterError(f"{grism} is simulated with {', '.join(sorted(known))}, not with {band}")
    every = tuple(Order(n, *(tuple(k[q]) for q in "lxy")) for n, k in sorted(found.items()))
    return tuple(replace(o, dy=_SERIES_DY) for o in every) if series else every
