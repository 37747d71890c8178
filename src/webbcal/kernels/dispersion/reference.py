"""Dispersing the pixels of a source: the readable definition.

Every pixel of a direct image becomes, at each wavelength, a unit square on the detector that is centred where
the grism puts it. Its counts go to the (up to four) pixels below it by the areas that they share. Where the
squares lie is known at 3 × 3 places of the source (`nodes`); between these, positions are interpolated by
parabolas in both directions. The trace polynomials of the grisms are of second order in the position of the
source: for them this is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def node_weights(u: F64, v: F64) -> F64:
    """Return what each of 3 × 3 nodes counts for positions between them.

    Parameters
    ----------
    u, v : (n,) float64
        Positions; the nodes are at -1, 0 and 1, those of one `v` together.

    Returns
    -------
    (n, 9) float64
        Lagrange's polynomials of second order.
    """
    along, across = (np.stack([p * (p - 1) / 2, 1 - p * p, p * (p + 1) / 2], axis=-1) for p in (u, v))
    return (across[:, :, None] * along[:, None, :]).reshape(len(u), 9)


def spread(nodes: F64, weights: F64, flux: F64, factors: F64, corner: tuple[int, int], out: F64) -> None:
    """Add the spectra of the pixels of a source to an image, in place; what falls outside of it is lost.

    Parameters
    ----------
    nodes : (wavelengths, 9, 2) float64
        Columns and rows on the detector (0-based, centres of pixels) at each wavelength, at the nodes.
    weights : (pixels, 9) float64
        What each node counts for the pixels of the source (`node_weights`).
    flux : (pixels,) float64
        Flux of the pixels of the source.
    factors : (wavelengths, planes) float64
        Counts for a unit of flux at each wavelength, for each plane of the image.
    corner : (row, column)
        Of the first pixel of `out` on the detector.
    out : (ny, nx, planes) float64
        Receives the sums.
    """
    ny, nx = out.shape[:2]
    at = np.einsum("pk,lkc->lpc", weights, nodes) - (corner[1], corner[0])
    first = np.floor(at).astype(np.int64)
    beyond = at - first
    counts = factors[:, None, :] * flux[None, :, None]
    for dy in (0, 1):
        for dx in (0, 1):
            share = np.where([dx, dy], beyond, 1 - beyond).prod(axis=-1)
            i, j = first[..., 0] + dx, first[..., 1] + dy
            inside = (i >= 0) & (i < nx) & (j >= 0) & (j < ny)
            np.add.at(out, (j[inside], i[inside]), (counts * share[..., None])[inside])
