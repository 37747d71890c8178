"""The arrays of a spectrum in which bad pixels are replaced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webbcal.core.dqflags import pixel
from webbcal.core.image_arrays import F32, U32, ImageArrays

DO_NOT_USE, NON_SCIENCE = np.uint32(pixel["DO_NOT_USE"]), np.uint32(pixel["NON_SCIENCE"])
FLUX_ESTIMATED = np.uint32(pixel["FLUX_ESTIMATED"])


@dataclass(frozen=True, slots=True)
class Spectrum2D:
    """One two-dimensional spectrum: views of the arrays of a model, which change with it.

    Attributes
    ----------
    data, err : (rows, columns) float32
    dq : (rows, columns) uint32
    variances : list of (rows, columns) float32
        Those that are there.
    """

    data: F32
    err: F32
    dq: U32
    variances: list[F32]

    @classmethod
    def all_of(cls, image: ImageArrays) -> list[Spectrum2D]:
        """Return the spectra of an image (one) or of integrations."""
        if image.data.ndim == 2:
            return [cls(image.data, image.err, image.dq, image.variances)]
        return [
            cls(image.data[k], image.err[k], image.dq[k], [v[k] for v in image.variances])
            for k in range(len(image.data))
        ]

    def take_estimates(self, where: tuple[NDArray[np.intp], ...]) -> None:
        """Flag pixels as estimated; they may be used again, unless they have no science."""
        flags = self.dq[where]
        science = (flags & NON_SCIENCE) == 0
        flags = np.where(science, flags & ~DO_NOT_USE, flags)
        self.dq[where] = flags | FLUX_ESTIMATED
