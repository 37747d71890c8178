"""The footprint of a field whose exposures are dispersed: the outline of theirs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webbcal.combine.members.footprints import outline, polygons_of
from webbcal.core.errors import InputError
from webbcal.wcs.of_model import wcs_of

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class DirectImage:
    """The WCS of the image that a grism disperses: from the pixels where a source would be to the sky.

    Attributes
    ----------
    wcs : TreeWCS
        Of a slit; its frame ``detector`` is that of the direct image.
    """

    wcs: Any

    @property
    def sky(self) -> str:
        """Name of the frame of the sky."""
        return "moving_target" if "moving_target" in self.wcs.frames else "world"

    def __call__(self, x: ArrayLike, y: ArrayLike, with_bounding_box: bool = True) -> tuple[F64, F64]:
        """Return RA and Dec (degrees) of pixels; wavelength and order do not matter."""
        none = np.zeros(np.shape(x))
        ra, dec, *_ = self.wcs.between("detector", self.sky, x, y, none, none)
        return ra, dec

    def invert(self, ra: ArrayLike, dec: ArrayLike, with_bounding_box: bool = True) -> tuple[F64, F64]:
        """Return the pixels of points of the sky."""
        none = np.zeros(np.shape(ra))
        x, y, *_ = self.wcs.between(self.sky, "detector", ra, dec, none, none)
        return x, y


def field_outline(slits: Sequence[Any]) -> str | None:
    """Return S_REGION of all exposures of a field, or None (with a warning) if it cannot be told.

    Parameters
    ----------
    slits : sequence of items
        The first slit of each exposure, which has the footprint of the exposure.
    """
    try:
        polygons = [polygon for slit in slits for polygon in polygons_of(slit)]
        wcs = wcs_of(slits[0])
        if wcs is None or not hasattr(wcs, "between") or "detector" not in wcs.frames:
            raise InputError("the WCS of a slit has no frame of the direct image")
        return outline(polygons, DirectImage(wcs), None)
    except InputError as error:
        log.warning("S_REGION of the field is left out: %s", error)
        return None
