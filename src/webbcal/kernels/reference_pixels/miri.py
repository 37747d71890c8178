"""Reference pixels of MIRI: four columns at the left and at the right, one for each output.

Outputs take turns from column to column. For each group, the clipped means of an output's two reference
columns, odd and even rows apart, are averaged and subtracted from its pixels. They are measured on
differences from the first group, so that the fixed pattern of the columns has no part in it. All arithmetic
is in float32, as in the official pipeline.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.kernels import Kernels

F32 = NDArray[np.float32]

OUTPUTS = 4
_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])


def measure_columns(
    left: F32,
    right: F32,
    left_dq: NDArray[np.uint32],
    right_dq: NDArray[np.uint32],
    *,
    odd_even_rows: bool,
    siglimit: float,
    kernels: Kernels,
) -> F32 | None:
    """Measure the drift of each output.

    Parameters
    ----------
    left, right : (nints, ngroups, rows, 4) float32
        The reference columns of a full frame.
    left_dq, right_dq : (rows, 4) uint32
        Their flags: those with DO_NOT_USE are left out.
    odd_even_rows : bool
        Measure odd and even rows apart.
    siglimit : float
        Clipping limit, in standard deviations.
    kernels : Kernels
        Those of reference pixels, on any backend.

    Returns
    -------
    (nints, ngroups, 2, 4) float32 or None
        By parity of the row (0 for the first row) and output. None if an output lacks good reference pixels.
    """
    nints, ngroups = left.shape[:2]
    drift = np.zeros((nints, ngroups, 2, OUTPUTS), np.float32)
    parities = (slice(0, None, 2), slice(1, None, 2)) if odd_even_rows else (slice(None),)
    for output in range(OUTPUTS):
        for parity, rows in enumerate(parities):
            means = []
            for columns, dq in ((left, left_dq), (right, right_dq)):
                good = dq[rows, output] & _DO_NOT_USE == 0
                if not good.any():
                    return None
                values = columns[:, 1:, rows, output] - columns[:, :1, rows, output]
                flat = values[..., good].reshape(nints * (ngroups - 1), -1)
                means.append(kernels.clipped_means(flat, np.ones(len(flat), bool), siglimit))
            mean = np.float32(0.5) * (means[0].astype(np.float32) + means[1].astype(np.float32))
            here = slice(parity, parity + 1) if odd_even_rows else slice(None)
            drift[:, 1:, here, output] = mean.reshape(nints, ngroups - 1, 1)
    return drift
