"""A spectrum of the sky laid over the pixels of an exposure, by their wavelengths."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core import dqflags
from webbcal.spectra.layout import name_of, wavelengths_of

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]
_DO_NOT_USE = np.uint32(dqflags.pixel["DO_NOT_USE"])


@dataclass(frozen=True)
class SkySpectrum:
    """Surface brightness against wavelength.

    Attributes
    ----------
    wavelength : (samples,) float64
        µm, ascending.
    brightness : (samples,) float64
    """

    wavelength: F64
    brightness: F64

    @classmethod
    def of(cls, model: Any) -> SkySpectrum:
        """Return that of a product of spectra: of its first."""
        if hasattr(model, "spec"):
            if len(model.spec) > 1:
                log.warning("%s has several spectra; the first is taken", model.meta.filename)
            table = model.spec[0].spec_table
        else:
            table = model.spec_table
        wavelength = np.asarray(table["wavelength"], float)
        order = np.argsort(wavelength)
        return cls(wavelength[order], np.asarray(table["surf_bright"], float)[order])

    def at(self, wavelength: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the brightness at wavelengths, and where these are outside; it is 0 there and at NaN."""
        where = np.where(np.isnan(wavelength), -1.0, wavelength)
        outside = (where > self.wavelength[-1]) | (where < self.wavelength[0])
        found = np.interp(where, self.wavelength, self.brightness)
        return np.where(outside, 0.0, found), outside


def lay_over(slit: Any, sky: SkySpectrum) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return the sky on the pixels of a slit, and flags: those beyond the spectrum are not to be used."""
    found, outside = sky.at(wavelengths_of(slit))
    if not np.any(found):
        why = "does not reach any of" if outside.all() else "is 0 at all of"
        log.warning("%s: the master background %s its wavelengths", name_of(slit), why)
    shape = tuple(slit.shape)
    data = np.broadcast_to(found, shape).astype(np.float32)
    flags = np.broadcast_to(np.where(outside, _DO_NOT_USE, np.uint32(0)), shape)
    return data, flags
