"""The sources of slitless exposures: their spectra, and fields whose sources are placed by hand.

Every source of a sky has a spectrum of its own, drawn from its number: a power law that has the source's AB
magnitude at the pivot of the filter, and for every second source emission lines. A `ListedSky` says what is
where; `grism_field` places sources on the detector so that few or many overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from webbcal.simulate.optics import Filter
from webbcal.simulate.scene import SOURCE_DTYPE, Sky
from webbcal.simulate.seeds import stream
from webbcal.simulate.spectrum import Line, Spectrum

if TYPE_CHECKING:
    from webbcal.simulate.config import ExposureConfig

_JANSKY = 3631.0  # of AB magnitude 0
#: Range of the slopes of continua; lines of a source, and their sigma as a share of the wavelength.
_SLOPES, _LINES, _WIDTH = (-1.5, 1.0), 3, 6e-4
_STRENGTHS = (0.001, 0.008)  # equivalent widths, of the wavelength


@dataclass(frozen=True, slots=True)
class Source:
    """A source at a place of the sky (degrees).

    Attributes
    ----------
    ra, dec, abmag : float
    radius : float
        Effective radius of a galaxy, arcsec; 0 for a star.
    axis_ratio, position_angle, sersic : float
        Of a galaxy; degrees east of north.
    spectrum : Spectrum, optional
        Its shape: the level is that of the magnitude at the filter's pivot. Drawn if not given.
    """

    ra: float
    dec: float
    abmag: float
    radius: float = 0.0
    axis_ratio: float = 1.0
    position_angle: float = 0.0
    sersic: float = 1.0
    spectrum: Spectrum | None = None


@dataclass(frozen=True, slots=True)
class ListedSky(Sky):
    """A sky with the sources that are listed, and no others."""

    sources: tuple[Source, ...] = ()

    def sources_near(self, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        """Return all sources, wherever the region is; they are numbered from 1."""
        table = np.zeros(len(self.sources), SOURCE_DTYPE)
        table["id"] = 1 + np.arange(len(table))
        for name in ("ra", "dec", "abmag", "radius", "axis_ratio", "position_angle", "sersic"):
            table[name] = [getattr(s, name) for s in self.sources]
        table["galaxy"] = table["radius"] > 0
        return table


def spectrum_of(sky: Sky, source: np.void, band: Filter, reach: tuple[float, float]) -> Spectrum:
    """Return the spectrum of a source, Jy.

    Parameters
    ----------
    sky : Sky
    source : numpy.void
        A row of its sources.
    band : Filter
        In which it has its magnitude.
    reach : tuple of float
        Wavelengths (micrometres) between which lines are placed.
    """
    level, number = _JANSKY * 10.0 ** (-0.4 * float(source["abmag"])), int(source["id"])
    if isinstance(sky, ListedSky) and (given := sky.sources[number - 1].spectrum) is not None:
        return replace(given, level=level, pivot=band.pivot)
    rng = stream(sky.seed, "spectrum", str(number))
    slope = float(rng.uniform(*_SLOPES))
    if number % 2 == 0:
        return Spectrum(level, band.pivot, slope)
    low, high = reach[0] + 0.1 * (reach[1] - reach[0]), reach[1] - 0.1 * (reach[1] - reach[0])
    places = low + (high - low) * (np.arange(_LINES) + rng.uniform(0.2, 0.8, _LINES)) / _LINES
    widths = rng.uniform(*_STRENGTHS, _LINES)
    lines = (
        Line(float(w), level * float(w * s), float(w) * _WIDTH) for w, s in zip(places, widths, strict=True)
    )
    return Spectrum(level, band.pivot, slope, lines=tuple(lines))


def grism_field(
    config: ExposureConfig,
    number: int = 6,
    magnitudes: tuple[float, float] = (18.0, 21.0),
    galaxies: float = 0.3,
    margin: float = 0.06,
    seed: int = 1,
) -> ListedSky:
    """Return a sky of sources spread evenly over what an exposure sees.

    Parameters
    ----------
    config : ExposureConfig
        The exposure (its grism does not matter).
    number : int
        Sources.
    magnitudes : tuple of float
        AB magnitudes of the brightest and the faintest.
    galaxies : float
        Share of galaxies.
    margin : float
        Of the detector's sides, without sources.
    seed : int
    """
    rng, (ny, nx) = stream(seed, "grism field"), config.aperture.shape
    # An additive sequence of two irrational steps: even along both axes, and never in rows.
    u, v = ((0.5 + np.arange(number) * step + rng.random()) % 1.0 for step in (0.7548776662, 0.5698402910))
    x, y = (n * (margin + (1.0 - 2.0 * margin) * w) for n, w in ((nx, u), (ny, v)))
    ra, dec = config.pointing.pixel_to_sky(x, y)
    mags = np.linspace(*magnitudes, number)[rng.permutation(number)]
    sources: Sequence[Source] = [
        Source(float(r), float(d), float(m)) for r, d, m in zip(ra, dec, mags, strict=True)
    ]
    extended = set(rng.permutation(number)[: round(galaxies * number)].tolist())
    return ListedSky(
        seed=seed,
        background=config.sky.background,
        sources=tuple(_galaxy(rng, s) if k in extended else s for k, s in enumerate(sources)),
    )


def _galaxy(rng: np.random.Generator, source: Source) -> Source:
    radius, ratio = float(rng.uniform(0.15, 0.5)), float(rng.uniform(0.4, 1.0))
    return replace(source, radius=radius, axis_ratio=ratio, position_angle=float(rng.uniform(0.0, 180.0)))
