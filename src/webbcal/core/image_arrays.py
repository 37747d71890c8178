"""The arrays of an image that calibration changes together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U32 = NDArray[np.uint32]


@dataclass
class ImageArrays:
    """The arrays of an image or of integrations, or a band of their rows; None for those it lacks.

    Attributes
    ----------
    data, err : (…, rows, nx) float32
    dq : (…, rows, nx) uint32
    var_poisson, var_rnoise, var_flat : (…, rows, nx) float32 or None
    """

    data: F32
    err: F32
    dq: U32
    var_poisson: F32 | None = None
    var_rnoise: F32 | None = None
    var_flat: F32 | None = None

    @property
    def variances(self) -> list[F32]:
        """The variances that are there."""
        return [v for v in (self.var_poisson, self.var_rnoise, self.var_flat) if v is not None]

    def rows(self, y0: int, y1: int) -> ImageArrays:
        """Return views of some rows."""
        return ImageArrays(
            *(None if a is None else a[..., y0:y1, :] for a in vars(self).values())  # type: ignore[arg-type]
        )
