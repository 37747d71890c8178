"""Drifts of NIRSpec subarrays that reach no reference pixels: the first and last columns stand in for them.

SUB512, SUB512S and SUB32 lie between the borders of the detector. In the orientation of the science frame,
their four outer columns at either side see little light; the official pipeline takes them as reference
pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.kernels import Kernels
from webbcal.kernels.reference_pixels.geometry import BORDER, Geometry, axis_positions
from webbcal.kernels.reference_pixels.measure import Correction, Options

#: Subarrays without reference pixels.
EDGELESS = ("SUB512", "SUB512S", "SUB32")
_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def outer_columns(geometry: Geometry) -> tuple[Box, Box]:
    """Return the boxes of the outer columns in the coordinates of the exposure's own array."""
    ny, nx = geometry.box.shape
    return Box(0, ny, 0, BORDER), Box(0, ny, nx - BORDER, nx)


def measure(
    sides: Pair,
    dq: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    geometry: Geometry,
    options: Options,
    kernels: Kernels,
) -> Correction:
    """Measure the drifts on the outer columns.

    Parameters
    ----------
    sides : pair of (nints, ngroups, rows, 4) float32
        Left and right.
    dq : pair of (rows, 4) uint32
        Their flags.
    geometry : Geometry
        Detectors whose fast axis runs along the rows' index.
    options : Options
    kernels : Kernels
        Those of ``reference_pixels``.

    Returns
    -------
    Correction
        With `reason` set if no pixel is usable.
    """
    nints, ngroups = sides[0].shape[:2]
    flip_y, flip_x = geometry.flips
    turn_y, turn_x = (-1 if flip else 1 for flip in (flip_y, flip_x))
    fast, _ = axis_positions(geometry, Box.of_shape(geometry.box.shape))
    # As the detector reads: column after column of the science frame, its rows along the fast axis.
    flags = np.concatenate([f.T[::turn_x, ::turn_y] for f in dq[::turn_x]])
    usable, parity = flags & _DO_NOT_USE == 0, np.broadcast_to(fast[::turn_y] % 2, flags.shape)
    offsets, single = np.zeros((nints, ngroups, 1, 2)), np.ones((nints, ngroups), bool)
    for i in range(nints):
        read = [s[i].swapaxes(1, 2)[:, ::turn_x, ::turn_y] for s in sides[::turn_x]]
        values = np.concatenate(read, axis=1)
        for p in (0, 1):
            chosen = usable & (parity == p) if options.odd_even_columns else usable
            if chosen.any():
                offsets[i, :, 0, p] = kernels.clipped_means(values[:, chosen], single[i], options.siglimit)
    side = np.broadcast_to(np.zeros(1), (nints, ngroups, 1, geometry.size))
    return Correction(geometry, offsets, side, single, None if usable.any() else "no valid reference pixels")
