"""Inter-pixel capacitance: convolution of each group with a small kernel.

The kernel is one for the detector or one for each pixel. Reference pixels neither give nor receive.
"""

from __future__ import annotations


def halo(kernel_shape: tuple[int, ...]) -> int:
    """Rows that a band needs on each side."""
    return kernel_shape[0] // 2
