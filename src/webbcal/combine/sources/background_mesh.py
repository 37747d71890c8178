"""The background of an image and its noise, on a mesh of boxes.

As SExtractor does it (E. Bertin and S. Arnouts, A&AS 117 (1996), 393), with the conventions of photutils: in
each box values are clipped about their median; boxes with too few values are filled in from others near
them; a median filter takes out boxes with a large object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels

distribution = kernels.get("distribution")

F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

_SIGMA, _ROUNDS = 3.0, 5
#: Share of the pixels of a box that must be left.
_LEFT = 0.9
#: Boxes that a missing one is filled in from.
_NEIGHBOURS = 10


@dataclass(frozen=True)
class Mesh:
    """Levels and noise of boxes.

    Attributes
    ----------
    level, noise : (rows, columns) float32
    box : tuple of int
        Rows and columns of a box; those at the far edges may be cut off.
    """

    level: F32
    noise: F32
    box: tuple[int, int]


def measure_mesh(data: F32, masked: Bool, boxsize: int) -> Mesh:
    """Return the background of an image on a mesh.

    Parameters
    ----------
    data : (ny, nx) float32
    masked : (ny, nx) bool
        Pixels that do not count, as those that are not finite.
    boxsize : int
        Side of a box, pixels.

    Raises
    ------
    ValueError
        If no pixel counts.
    """
    good = np.isfinite(data)
    good &= ~masked
    if not good.any():
        raise ValueError("all pixels are masked or not finite")
    ny, nx = data.shape
    box = min(boxsize, ny), min(boxsize, nx)
    mesh = _measured(data, good, box, _LEFT * box[0] * box[1])
    if np.isnan(mesh.level).all():  # too little is left in every box: the whole image is one
        mesh = _measured(data, good, (ny, nx), 0)
    return Mesh(_filtered(_filled(mesh.level)), _filtered(_filled(mesh.noise)), mesh.box)


def _measured(data: F32, good: Bool, box: tuple[int, int], enough: float) -> Mesh:
    """Return levels and noise of boxes; NaN where no more than `enough` pixels are left."""
    found = distribution.clipped(distribution.Pieces.of_boxes(data, good, box), _SIGMA, _ROUNDS)
    kept = [(c.median, c.stddev) if c.number > enough else (np.nan, np.nan) for c in found]
    shape = 2, -(-data.shape[0] // box[0]), -(-data.shape[1] // box[1])
    level, noise = np.array(kept, np.float32).T.reshape(shape)
    return Mesh(level, noise, box)


def _filled(mesh: F32) -> F32:
    """Return a mesh with missing values made of those near them, weighted by inverse distance."""
    missing = np.isnan(mesh)
    if not missing.any():
        return mesh
    from scipy.spatial import cKDTree

    values = mesh[~missing]
    nearest = min(_NEIGHBOURS, len(values))
    tree = cKDTree(np.argwhere(~missing), leafsize=10)  # which of equally distant ones counts hangs on it
    distance, index = tree.query(np.argwhere(missing), k=range(1, nearest + 1))
    weights = 1.0 / distance
    filled = mesh.copy()
    filled[missing] = np.sum(weights * values[index], axis=1) / np.sum(weights, axis=1)
    return filled


def _filtered(mesh: F32) -> F32:
    """Return the median of each value and its up to eight neighbours."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(mesh, 1, constant_values=np.nan), (3, 3))
    median: F32 = np.nanmedian(around.astype(np.float64), axis=(2, 3)).astype(np.float32)
    return median
