"""The same sources in several exposures, found by their positions on the sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Residuals:
    """How far the sources of an exposure are from where they are by all.

    Attributes
    ----------
    places : ndarray
        (n, 2), where they are by all: offsets to the east and north, arcsec.
    vectors : ndarray
        (n, 2), from there to where the exposure has them, arcsec.
    """

    places: F64
    vectors: F64

    @property
    def rms(self) -> float:
        """Root mean square length of the vectors, arcsec; NaN if there are none."""
        return float(np.sqrt(np.mean(np.sum(self.vectors**2, axis=1)))) if len(self.vectors) else np.nan


def residuals_of(catalogs: Sequence[F64], tolerance: float, reference: F64 | None = None) -> list[Residuals]:
    """Return the residuals of each catalogue.

    Parameters
    ----------
    catalogs : sequence of (n, 2) arrays
        Positions of the sources of each exposure: offsets to the east and north, arcsec.
    tolerance : float
        The largest distance of the same source in two catalogues, arcsec.
    reference : ndarray, optional
        (n, 2), where sources are. By default this is the mean of all exposures that have a source; it needs
        two of them.
    """
    anchored = reference is not None
    places = np.zeros((0, 2)) if reference is None else reference
    members: list[list[tuple[int, int]]] = [[] for _ in places]
    for k, catalog in enumerate(catalogs):
        mine, theirs = _mutual(catalog, places, tolerance)
        for i, j in zip(mine, theirs, strict=True):
            members[j].append((k, i))
        if anchored:
            continue
        fresh = np.setdiff1d(np.arange(len(catalog)), mine)
        places = np.concatenate([places, catalog[fresh]])
        members += [[(k, int(i))] for i in fresh]
        for j in theirs:
            places[j] = np.mean([catalogs[n][i] for n, i in members[j]], axis=0)
    least = 1 if anchored else 2
    found: list[list[tuple[F64, F64]]] = [[] for _ in catalogs]
    for place, of in zip(places, members, strict=True):
        if len(of) >= least:
            for k, i in of:
                found[k].append((place, catalogs[k][i] - place))
    return [_residuals(pairs) for pairs in found]


def _residuals(pairs: list[tuple[F64, F64]]) -> Residuals:
    if not pairs:
        return Residuals(np.zeros((0, 2)), np.zeros((0, 2)))
    places, vectors = zip(*pairs, strict=True)
    return Residuals(np.array(places), np.array(vectors))


def _mutual(first: F64, second: F64, tolerance: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of points that are each other's nearest, within a distance."""
    from scipy.spatial import cKDTree

    if not len(first) or not len(second):
        none = np.zeros(0, np.intp)
        return none, none
    distance, nearest = cKDTree(second).query(first)
    _, back = cKDTree(first).query(second)
    mine = np.flatnonzero((distance <= tolerance) & (back[nearest] == np.arange(len(first))))
    return mine, nearest[mine]
