"""Light that is fainter than the noise of a pixel, but fills many: the wings of extended sources.

Sigma clipping finds pixels that stand out by themselves. The wings of a galaxy or a nebula do not, but they
lift the median of each row that they cross: the row is corrected too far, and the source loses light. In a
smoothed image they stand out. Stripes are subtracted before smoothing, and bright pixels cut, so that neither
passes for faint light.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webbcal import kernels
from webbcal.kernels.smoothing.reference import gaussian

flicker = kernels.get("flicker")
smoothing = kernels.get("smoothing")

#: Widths of the smoothing, in pixels; the next finds what the one before has missed.
SCALES = (2.0, 5.0, 12.0)
#: Threshold in the smoothed image, in standard deviations of its lower half.
THRESHOLD = 2.0
#: How far bright pixels may stand out before smoothing, in standard deviations.
CUT = 5.0


def without_faint_light(image: NDArray[np.float32], mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Return a mask of the background without the wings of sources.

    Parameters
    ----------
    image : ndarray
        Rates, float32, (rows, columns); NaN where there are none.
    mask : ndarray
        True for background, as sigma clipping has found it.
    axis : {0, 1}
        The axis along which medians will be taken.
    """
    missing = ~np.isfinite(image)
    mask = mask & ~missing
    for sigma in SCALES:
        if not mask.any():
            break
        level = np.where(missing, np.float32(0), image)
        flicker.subtract_stripes(level, mask, axis, 1)
        found = flicker.lower_half_statistics(level[mask])
        level = np.clip(level, None, np.float32(found.median + CUT * found.std))
        smoothed = smoothing.smooth(level, missing, gaussian(sigma))
        there = mask & np.isfinite(smoothed)
        limits = flicker.lower_half_statistics(smoothed[there])
        mask = there & (smoothed <= limits.median + THRESHOLD * limits.std)
    return mask
