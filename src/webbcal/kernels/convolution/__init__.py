"""Inter-pixel capacitance: convolution of each group with a small kernel.

The kernel is one for the detector or one for each pixel. Reference pixels neither give nor receive.
"""

from __future__ import annotations

from webbcal.core.box import Box


def halo(kernel_shape: tuple[int, ...]) -> int:
    """Rows that a band needs on each side."""
    return kernel_shape[0] // 2


def science_box(exposure: Box, band: Box, sensitive: Box) -> Box:
    """Return the light-sensitive pixels of a band, in the band's coordinates.

    Parameters
    ----------
    exposure : Box
        The exposure's pixels on the detector.
    band : Box
        The band in the coordinates of the exposure's own array.
    sensitive : Box
        Pixels of the detector inside its border of reference pixels, for example ``Box(4, 2044, 4, 2044)``.
    """
    on_detector = band.shift(exposure.y0, exposure.x0)
    y0, x0 = max(on_detector.y0, sensitive.y0), max(on_detector.x0, sensitive.x0)
    y1, x1 = max(y0, min(on_detector.y1, sensitive.y1)), max(x0, min(on_detector.x1, sensitive.x1))
    return Box(y0, y1, x0, x1).relative_to(on_detector)
