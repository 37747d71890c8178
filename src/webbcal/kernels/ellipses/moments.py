"""The ellipse with the same second moments as a region.

Regions found by the million are small and alike (a hit pixel and its four neighbours), so shapes that were
measured are remembered. Symmetric shapes have no direction: there the last bits of the moments decide, which
is why they are those of scikit-image, as in the official pipeline.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Minor and major axis in pixels, both one pixel less than the moments say, and the direction in degrees.
Ellipse = tuple[float, float, float]


def ellipse_of(mask: NDArray[np.bool_]) -> Ellipse:
    """Return the ellipse of a region.

    Parameters
    ----------
    mask : (ny, nx) bool
        The region in its smallest box.
    """
    return _ellipse(mask.shape, mask.tobytes())


@lru_cache(maxsize=1 << 15)
def _ellipse(shape: tuple[int, int], pixels: bytes) -> Ellipse:
    from skimage.measure import regionprops

    (region,) = regionprops(np.frombuffer(pixels, np.uint8).reshape(shape))
    turned = float(np.degrees(region.orientation))
    return float(region.axis_minor_length - 1), float(region.axis_major_length - 1), turned
