"""The thermal picture frame of NIRSpec: edges that are brighter than the middle.

Modelled as charge that is collected at a rate of a fixed shape, so that it grows with time. Not modelled:
changes within an exposure.
"""

from __future__ import annotations

import numpy as np

from webbcal.core.box import Box
from webbcal.simulate.geometry import FULL_SIZE

#: Pixels over which the edge fades.
_WIDTH = 45.0


def frame_pattern(box: Box) -> np.ndarray:
    """Return the shape, one at the edges of the detector and zero in its middle, float32."""
    y, x = np.ogrid[box.slices]
    distance = np.minimum(np.minimum(y, FULL_SIZE - 1 - y), np.minimum(x, FULL_SIZE - 1 - x))
    return np.exp(-distance / _WIDTH).astype(np.float32)
