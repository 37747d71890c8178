"""Measure the bias drift of an exposure that was read in stripes.

Its reference pixels lie where PIXELDQ says, in lines of their own before each stripe and at the ends of all
lines. Each amplifier has the clipped mean of all of its own, odd and even columns apart; there is no side
correction. Plain NumPy: stripes are small, and the means come from the compiled kernels.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.core.box import Box
from webbcal.kernels import Kernels
from webbcal.kernels.reference_pixels.geometry import Geometry, axis_positions
from webbcal.kernels.reference_pixels.measure import AMPLIFIERS, Correction

_FLAGS = np.uint32(dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["REFERENCE_PIXEL"])
_REFERENCE = np.uint32(dqflags.pixel["REFERENCE_PIXEL"])


class StripedReference:
    """Where the reference pixels of an exposure are, in the order in which the detector reads them.

    Parameters
    ----------
    pixeldq : array of uint32, shape (ny, nx)
    geometry : Geometry
    """

    def __init__(self, pixeldq: NDArray[np.uint32], geometry: Geometry) -> None:
        self._geometry = geometry
        y, x = np.nonzero((pixeldq & _FLAGS) == _REFERENCE)
        column, line = self._detector(Box.of_shape(pixeldq.shape), y, x)
        order = np.lexsort((column, line))
        self.y, self.x, self.column = y[order], x[order], column[order]

    def _detector(
        self, box: Box, y: NDArray[np.intp], x: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the detector's columns and lines of pixels."""
        fast, slow = axis_positions(self._geometry, box)
        return (fast[x], slow[y]) if self._geometry.fast_is_x else (fast[y], slow[x])

    def samples(self, pieces: Iterable[tuple[Box, NDArray[np.float32]]]) -> NDArray[np.float32]:
        """Take the samples of the reference pixels, (nints, ngroups, n), from pieces of the exposure."""
        out: NDArray[np.float32] | None = None
        for box, data in pieces:
            here = (self.y >= box.y0) & (self.y < box.y1) & (self.x >= box.x0) & (self.x < box.x1)
            if out is None:
                out = np.empty((*data.shape[:2], len(self.y)), np.float32)
            out[..., here] = data[..., self.y[here] - box.y0, self.x[here] - box.x0]
        assert out is not None
        return out

    def measure(
        self, samples: NDArray[np.float32], odd_even_columns: bool, siglimit: float, kernels: Kernels
    ) -> Correction:
        """Return what to subtract; see `webbcal.kernels.reference_pixels.measure.measure`."""
        nints, ngroups = samples.shape[:2]
        geometry = self._geometry
        offsets = np.zeros((nints, ngroups, AMPLIFIERS, 2))
        single = np.ones((nints, ngroups), bool)
        side = np.broadcast_to(np.zeros(1), (nints, ngroups, 1, geometry.size))
        amplifier = self.column // (geometry.size // AMPLIFIERS)
        for a in range(AMPLIFIERS):
            chosen = [amplifier == a]
            if odd_even_columns:
                chosen = [chosen[0] & (self.column % 2 == parity) for parity in (0, 1)]
            if all(some.any() for some in chosen):  # one parity alone corrects nothing
                for i in range(nints):
                    means = [kernels.clipped_means(samples[i][:, c], single[i], siglimit) for c in chosen]
                    offsets[i, :, a, :] = np.stack(means, axis=-1)
        return Correction(
            geometry, offsets, side, single, None if len(self.y) else "no valid reference pixels"
        )
