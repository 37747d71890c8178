"""The wavelengths of the pixels of a spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import InputError
from webbcal.core.modes import mode_of
from webbcal.wcs.of_model import wcs_of
from webbcal.wcs.pixels import wavelengths as wavelengths_of_pixels

#: Models of exposures of which nothing was cut out.
_WHOLE = ("ImageModel", "CubeModel")


def pixel_wavelengths(item: Any) -> NDArray[np.floating]:
    """Return the wavelengths of the pixels of a model or slit, µm: those it has, or by its WCS.

    Returns
    -------
    (rows, columns) float32 or float64

    Raises
    ------
    InputError
        If it has neither, or is a whole exposure through a grism: there it depends on the source.
    """
    if item.has("wavelength"):
        held: NDArray[np.floating] = item.wavelength
        if held.size and held.any():  # a default is zero everywhere
            return held
    wcs = wcs_of(item)
    if wcs is None:
        raise InputError(
            f"{item.meta.filename or 'a slit'} has neither wavelengths nor a WCS; run assign_wcs on it first"
        )
    if mode_of(item.meta.exposure.type).optics == "grism" and type(item).__name__ in _WHOLE:
        raise InputError(f"{item.meta.filename}: its spectra are not cut out yet; run extract_2d first")
    return wavelengths_of_pixels(wcs, tuple(item.shape[-2:]))
