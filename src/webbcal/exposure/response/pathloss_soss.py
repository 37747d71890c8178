"""What falls beside the subarray of SOSS, by the position of the pupil wheel and the column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import SkipStep


def soss_factors(model: Any, reference: Any) -> NDArray[np.float32]:
    """Return the share of the light that is left, for each column, (columns,) float32.

    It is 1 where the reference says nothing.

    Raises
    ------
    SkipStep
        If the reference has nothing for the subarray.
    """
    name = model.meta.subarray.name
    found = [a for a in getattr(reference.model, "apertures", None) or () if a.name == name]
    if not found:
        raise SkipStep(f"{reference.name} has nothing for the subarray {name}")
    share, info = found[0].pointsource_data[0], found[0].pointsource_wcs
    rows, positions = share.shape
    columns = model.shape[-1]
    factors = np.ones(columns, np.float32)
    place = info.crpix1 + (model.meta.instrument.pupil_position - info.crval1) / info.cdelt1 - 1
    if not 0 <= place <= positions - 2:
        return factors
    i = int(place)
    row = np.floor(info.crpix2 + (np.arange(1, columns + 1) - info.crval2) / info.cdelt2 - 0.5).astype(int)
    known = (row >= 0) & (row < rows)
    weight = place - i
    factors[known] = (1.0 - weight) * share[row[known], i] + weight * share[row[known], i + 1]
    return factors
