"""Sources that several images show, listed once.

The matching removes coordinates that nearly coincide, and of sources from several images together it keeps
the one lowest in y: the lowest of n positions that scatter by sigma, which is biased by half a sigma for two
images, one for four, and 2.4 for 64. Their mean is not, and scatters less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.table import Table

F64 = NDArray[np.float64]


def once_each(catalogs: Sequence[Table], wcs: Sequence[Any]) -> list[Table]:
    """Return catalogues in which a source is in one of them only, at the mean of its positions on the sky.

    Detections of several images that lie within a pixel of each other are one source.

    Parameters
    ----------
    catalogs : sequence of Table
        One for each image, with 0-based pixel positions ``x`` and ``y``; they are not changed.
    wcs : sequence of gwcs.WCS
        Of the images, which must be aligned to each other.
    """
    places = [_directions(table, w) for table, w in zip(catalogs, wcs, strict=True)]
    image = np.repeat(np.arange(len(catalogs)), [len(p) for p in places])
    directions = np.concatenate([np.zeros((0, 3)), *places])
    number, first = _numbered(directions, _pixel(wcs[0]))
    mean = np.stack([np.bincount(number, axis) for axis in directions.T], axis=1)
    result = []
    for k, (table, w) in enumerate(zip(catalogs, wcs, strict=True)):
        own = np.flatnonzero(image == k)
        # Positions that are not finite belong to nothing, and stay for the matching to deal with.
        kept = (first[number[own]] == own) | ~np.isfinite(directions[own]).all(axis=1)
        table = table[kept]
        own = own[kept]
        several = np.bincount(number)[number[own]] > 1 if len(own) else np.zeros(0, bool)
        if several.any():
            x, y, z = mean[number[own[several]]].T
            ra, dec = np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))
            table["x"][several], table["y"][several] = w.invert(ra, dec, with_bounding_box=False)
        result.append(table)
    return result


def _directions(table: Table, wcs: Any) -> F64:
    """Return unit vectors to the sources, shape (n, 3)."""
    x, y = (np.asarray(table[axis], float) for axis in "xy")
    lon, lat = np.radians(wcs(x, y, with_bounding_box=False)) if len(table) else np.zeros((2, 0))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _pixel(wcs: Any) -> float:
    """Return the side of a pixel, radians."""
    ra, dec = np.radians(wcs([100.0, 101.0], [100.0, 100.0], with_bounding_box=False))
    return float(np.hypot((ra[1] - ra[0]) * np.cos(dec[0]), dec[1] - dec[0]))


def _numbered(directions: F64, radius: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each direction the number of its source, and for each source its first direction."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    finite = np.flatnonzero(np.isfinite(directions).all(axis=1))
    pairs = finite[cKDTree(directions[finite]).query_pairs(radius, output_type="ndarray")]
    n = len(directions)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    number = connected_components(graph, directed=False)[1]
    return number, np.unique(number, return_index=True)[1]
