"""Linearity: a polynomial in the measured signal, pixel by pixel.

Two levels. By group: the polynomial of each group's value (a mean of frames is corrected as if it were
one frame). By frame, when the reference file holds the inverse polynomial and groups average several
frames: a straight line through the ramp predicts the frames of each group, the inverse polynomial
bends them as the detector did, and the correction is applied to each frame before averaging.

No halo: every pixel stands alone.
"""

from __future__ import annotations

#: Rows needed beyond the band.
HALO = 0
