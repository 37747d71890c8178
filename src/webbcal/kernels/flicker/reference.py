"""The level of the background in an image, and the stripes that 1/f noise leaves on it: the definition.

1/f noise is slow compared with the read-out of a row (along the fast axis): each row, or each column, has an
offset of its own. It is measured as the median of the pixels that see nothing but background, after Willott's
*image1overf*. Which pixels those are is told by sigma clipping: light makes the tail of the distribution of
values long on its upper side, so the width is taken from the lower half, mirrored at the centre.

Masks are True for pixels of the background, as in the field.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Clipping threshold of the statistics, in standard deviations, and how often it is applied.
SIGMA, ROUNDS = 3.0, 5


class Statistics(NamedTuple):
    """Mean, median and standard deviation of values that remain after clipping."""

    mean: float
    median: float
    std: float


def clipped_statistics(values: NDArray[np.floating]) -> Statistics:
    """Clip values at 3 standard deviations around the median, up to five times.

    Parameters
    ----------
    values : ndarray
        Finite, one-dimensional, not empty. The arithmetic is in float64.
    """
    values = values.astype(np.float64)
    kept = values
    for _ in range(ROUNDS):
        middle, reach = np.median(kept), SIGMA * np.std(kept)
        lower, upper = middle - reach, middle + reach
        inside = (kept >= lower) & (kept <= upper)
        if inside.all():
            break
        kept = kept[inside]
    kept = values[(values >= lower) & (values <= upper)]
    return Statistics(float(np.mean(kept)), float(np.median(kept)), float(np.std(kept)))


def lower_half_statistics(values: NDArray[np.floating]) -> Statistics:
    """Clip the lower half of the values, mirrored at their (clipped) median."""
    values = values.astype(np.float64)
    centre = clipped_statistics(values).median
    lower = values[values <= centre]
    return clipped_statistics(np.concatenate([lower - centre, centre - lower]) + centre)


def clip_to_background(image: F32, mask: Mask, below: float, above: float) -> None:
    """Take pixels that are too faint or too bright for background out of a mask.

    Parameters
    ----------
    image : ndarray
        float32, (rows, columns).
    mask : ndarray
        bool, changed in place.
    below, above : float
        Limits in standard deviations of the lower half.
    """
    if mask.any():
        found = lower_half_statistics(image[mask])
        mask &= image >= np.float64(found.median - below * found.std)  # float64: limits are not rounded
        mask &= image <= np.float64(found.median + above * found.std)


def subtract_level(image: F32, mask: Mask, n_sigma: float) -> np.float32:
    """Subtract the median of the background, and take the pixels that stand out from it out of the mask.

    Parameters
    ----------
    image : ndarray
        float32, (rows, columns), without NaN; changed in place.
    mask : ndarray
        bool, not empty; changed in place.
    n_sigma : float
        Threshold for pixels that stand out; 0: none are looked for.

    Returns
    -------
    float32
        The level.
    """
    clip_to_background(image, mask, SIGMA, SIGMA)
    level = np.float32(np.median(image[mask]))
    image -= level
    if n_sigma > 0:
        clip_to_background(image, mask, n_sigma, n_sigma)
    return level


def medians(lines: F32) -> F32:
    """Return the median of each line, float32; NaN do not count, and what a line of nothing else has is NaN.

    Parameters
    ----------
    lines : ndarray
        float32, (lines, values).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found: F32 = np.nanmedian(lines, axis=1)
    return found


def subtract_stripes(image: F32, mask: Mask, axis: int, pieces: int) -> None:
    """Subtract from each line the median of its background; lines without any stay as they are.

    Parameters
    ----------
    image : ndarray
        float32, (rows, columns), changed in place.
    mask : ndarray
        bool.
    axis : {0, 1}
        The axis along which the median is taken: 0 makes one offset a column, 1 one a row.
    pieces : int
        Parts of that axis that have offsets of their own (amplifiers).
    """
    for part, usable in zip(
        np.array_split(image, pieces, axis), np.array_split(mask, pieces, axis), strict=True
    ):
        median = np.ma.median(np.ma.array(part, mask=~usable), axis=axis, keepdims=True)
        part -= np.ma.filled(median, np.float32(0.0))
