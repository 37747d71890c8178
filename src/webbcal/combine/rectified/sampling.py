"""Where the pixels of a spectrum lie: on the sky, and in wavelength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import InputError
from webbcal.wcs.of_model import bounded, bounds_of, wcs_of

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampled:
    """World coordinates of the pixels in the bounding box of a spectrum's WCS.

    Attributes
    ----------
    ra, dec : (rows, columns) float64
        Degrees; NaN where there is none.
    wavelength : (rows, columns) float64
        µm.
    middle : int
        Row or column (of these arrays) in the middle of the box along the dispersion.
    """

    ra: F64
    dec: F64
    wavelength: F64
    middle: int

    @property
    def seen(self) -> tuple[F64, F64]:
        """RA and Dec of the pixels that have them, as two lists."""
        good = np.isfinite(self.ra) & np.isfinite(self.dec)
        return self.ra[good], self.dec[good]


def sampled(model: Any) -> Sampled:
    """Evaluate the WCS of a spectrum at its pixels.

    Raises
    ------
    InputError
        If it has no WCS with a wavelength, or none of its pixels has a position.
    """
    wcs = spectral_wcs(model)
    (x0, x1), (y0, y1) = bounds_of(wcs) or ((0, 0), (0, 0))
    y, x = np.meshgrid(_centres(y0, y1), _centres(x0, x1), indexing="ij")
    ra, dec, wavelength = (np.asarray(v, float) for v in wcs(x, y))
    if not (np.isfinite(ra) & np.isfinite(wavelength)).any():
        raise InputError(f"{model.meta.filename}: none of its pixels has a position and a wavelength")
    low, high = ((x0, x1), (y0, y1))[dispersion_axis(model)]
    return Sampled(ra, dec, wavelength, int((high - low) / 2))


def _centres(low: float, high: float) -> F64:
    """Return the pixels that an interval reaches: those whose centre is less than half a pixel outside."""
    return np.arange(np.floor(low + 0.5), np.ceil(high - 0.5) + 1)


def dispersion_axis(model: Any) -> int:
    """Return the pixel coordinate along the dispersion: 0 for x, 1 for y.

    Raises
    ------
    InputError
        If DISPAXIS is neither 1 nor 2.
    """
    axis = model.meta.wcsinfo.dispersion_direction
    if axis not in (1, 2):
        raise InputError(
            f"{model.meta.filename}: DISPAXIS (meta.wcsinfo.dispersion_direction) is {axis}, not 1 or 2"
        )
    return int(axis) - 1


def spectral_wcs(model: Any) -> Any:
    """Return the WCS of a spectrum, with a bounding box.

    Raises
    ------
    InputError
        If it has none, or one without wavelengths.
    """
    wcs = wcs_of(model)
    if wcs is None:
        raise InputError(f"{model.meta.filename} has no WCS (meta.wcs); run assign_wcs on it first")
    outputs = getattr(wcs, "outputs", None) or wcs.output_frame.naxes
    if outputs != 3:
        raise InputError(f"{model.meta.filename}: its WCS has {outputs} world axes; spectra have three")
    return bounded(wcs, model.shape)
