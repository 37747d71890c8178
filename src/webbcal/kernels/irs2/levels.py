"""Levels of the sections of a raw IRS2 frame, from the reference pixels at the ends of the slow axis.

What the traditional correction subtracts from an amplifier, without the sides: the clipped mean of the first
and of the last four rows that are read, odd and even pixels apart. Interleaved reference pixels come in two
pairs, the first odd, the second even.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.irs2 import SECTIONS, Interleaving
from webbcal.kernels import Kernels

#: Rows of reference pixels at either end of the slow axis.
BORDER = 4
_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])


def odd_rows(layout: Interleaving) -> NDArray[np.bool_]:
    """Return which rows of the science frame are odd pixels of their amplifier (rows,)."""
    place = np.arange(layout.rows)
    odd = place % 2 == 0
    interleaved = np.tile(layout.interleaved, SECTIONS)
    odd[interleaved] = place[interleaved] % 4 < 2
    return odd[layout.fast]


def levels(
    ends: tuple[NDArray[np.float32], NDArray[np.float32]],
    dq: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    layout: Interleaving,
    kernels: Kernels,
    limit: float,
    odd_even: bool,
) -> NDArray[np.float32]:
    """Return the level of each row of an integration's groups.

    Parameters
    ----------
    ends : pair of (groups, rows, 4) float32
        Columns of the science frame at its left and right.
    dq : pair of (rows, 4) uint32
        Their flags.
    layout : Interleaving
    kernels : Kernels
        Those of ``reference_pixels``.
    limit : float
        Clipping, in standard deviations.
    odd_even : bool
        Odd and even pixels apart.

    Returns
    -------
    (groups, rows) float32
        Zero for a section that has no usable reference pixels of one kind.
    """
    section = layout.fast // layout.section
    odd = odd_rows(layout)
    out = np.zeros(ends[0].shape[:2], np.float32)
    for k in range(SECTIONS):
        inside = section == k
        kinds = (inside & odd, inside & ~odd) if odd_even else (inside,)
        means = [_mean(ends, dq, np.flatnonzero(rows), layout, kernels, limit) for rows in kinds]
        for rows, mean in zip(kinds, means, strict=True):
            if all(m is not None for m in means):
                out[:, rows] = mean[:, None]  # type: ignore[index]
    return out


def _mean(
    ends: tuple[NDArray[np.float32], NDArray[np.float32]],
    dq: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    rows: NDArray[np.intp],
    layout: Interleaving,
    kernels: Kernels,
    limit: float,
) -> NDArray[np.float32] | None:
    """Return the clipped mean of some rows at both ends (groups,); None where no pixel is usable."""
    turn = -1 if layout.turned else 1  # in the order in which they are read
    single = np.ones(len(ends[0]), bool)
    means = []
    for values, flags in zip(ends[::-turn], dq[::-turn], strict=True):
        usable = (flags[rows] & _DO_NOT_USE == 0).T[::turn, ::turn]
        if usable.any():
            read = values[:, rows].swapaxes(1, 2)[:, ::turn, ::turn]
            means.append(kernels.clipped_means(read[:, usable], single, limit).astype(np.float32))
    if len(means) == 2:
        return np.asarray(np.float32(0.5) * (means[0] + means[1]))
    return means[0] if means else None
