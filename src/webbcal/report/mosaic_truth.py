"""What a catalogue says of simulated sources, beside what is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webbcal.simulate.truth import Truth

_ISOLATED = 1.0  # arcsec within which no other source may have
_NEIGHBOUR = 0.02  # … more than this share of the star's light
_MATCH = 0.3  # arcsec


@dataclass(frozen=True)
class Comparison:
    """Isolated stars that a catalogue has found, by rising magnitude.

    Attributes
    ----------
    east, north : (n,) float64
        Measured position less the true one, mas.
    magnitude : (n,) float64
        True AB magnitude.
    excess, error : (n,) float64
        Measured AB magnitude (all light, from the largest aperture) less the true one, and its stated error.
    saturated : (n,) bool
        Whether a group of the star's brightest pixels was saturated in an exposure.
    """

    east: np.ndarray
    north: np.ndarray
    magnitude: np.ndarray
    excess: np.ndarray
    error: np.ndarray
    saturated: np.ndarray

    def of(self, chosen: np.ndarray) -> Comparison:
        """Return some of the stars."""
        return Comparison(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def compare(catalog: Any, truths: Sequence[Path]) -> Comparison:
    """Match the stars of a catalogue (table of source_catalog) with the sources of truth files."""
    from astropy.coordinates import SkyCoord

    sources, saturated = _true_sources(truths)
    true = SkyCoord(sources["ra"], sources["dec"], unit="deg")
    found = catalog["sky_centroid"]
    chosen = np.flatnonzero(~sources["galaxy"] & _isolated(true, sources["abmag"]))
    index, distance, _ = true[chosen].match_to_catalog_sky(found)
    near = distance.arcsec < _MATCH
    chosen, index = chosen[near], index[near]
    order = np.argsort(sources["abmag"][chosen])
    chosen, index = chosen[order], index[order]
    east, north = true[chosen].spherical_offsets_to(found[index])
    rows, magnitude = catalog[index], sources["abmag"][chosen]
    excess = np.asarray(rows["aper_total_abmag"]) - magnitude
    error = np.asarray(rows["aper_total_abmag_err"])
    return Comparison(
        east.to_value("mas"), north.to_value("mas"), magnitude, excess, error, saturated[chosen]
    )


def _true_sources(truths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sources that light some exposure, once each, and whether they saturate one."""
    tables, full = [], []
    for path in truths:
        truth = Truth.load(path)
        tables.append(truth.sources)
        full.append(_saturates(truth))
    sources, saturated = np.concatenate(tables), np.concatenate(full)
    ids, first, of = np.unique(sources["id"], return_index=True, return_inverse=True)
    return sources[first], np.bincount(of, saturated, len(ids)) > 0


def _saturates(truth: Truth) -> np.ndarray:
    """Tell for each source of an exposure whether one of the nine pixels at its centre saturates."""
    early = truth.first_saturated.min(axis=0)
    last = early.max()  # that of pixels which never do
    ny, nx = early.shape
    y, x = (np.rint(truth.sources[c]).astype(int) for c in "yx")
    out = np.zeros(len(y), bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            inside = (y + dy >= 0) & (y + dy < ny) & (x + dx >= 0) & (x + dx < nx)
            out[inside] |= early[(y + dy)[inside], (x + dx)[inside]] < last
    return out


def _isolated(position: Any, magnitude: np.ndarray) -> np.ndarray:
    """Tell which sources have no neighbour with a notable share of their light."""
    import astropy.units as u

    first, second, _, _ = position.search_around_sky(position, _ISOLATED * u.arcsec)
    share = 10.0 ** (-0.4 * (magnitude[second] - magnitude[first]))
    share[first == second] = 0.0
    return np.bincount(first, share, len(magnitude)) < _NEIGHBOUR
