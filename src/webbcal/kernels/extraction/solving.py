"""The small linear systems of the columns, solved all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Condition number from which on a system counts as singular.
_SINGULAR = 1e10


def covariances(matrices: F64) -> F64:
    """Return the inverse of each matrix; zeros for those that are (nearly) singular.

    Parameters
    ----------
    matrices : (columns, terms, terms) float64
    """
    inverse = np.zeros_like(matrices)
    if matrices.shape[-1] == 1:  # of one number the condition is 1
        np.divide(1.0, matrices, out=inverse, where=matrices != 0)
        return inverse
    if matrices.shape[-1] == 2:
        return _of_two(matrices)
    solvable = np.linalg.cond(matrices) < _SINGULAR
    inverse[solvable] = np.linalg.inv(matrices[solvable])
    return inverse


def _of_two(matrices: F64) -> F64:
    """Do what `covariances` does for symmetric matrices of two terms, the most common ones: by formulas."""
    a, b, c = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1]
    middle, away = (a + c) / 2, np.hypot((a - c) / 2, b)
    determinant = a * c - b * b
    solvable = np.abs(middle + away) < _SINGULAR * np.abs(middle - away)
    inverse = np.stack([c, -b, -b, a], axis=1).reshape(-1, 2, 2)
    scale = np.divide(1.0, determinant, out=np.zeros_like(determinant), where=solvable & (determinant != 0))
    return inverse * scale[:, None, None]
