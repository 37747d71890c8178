"""Photometric calibration by wavelength: the response of a row of PHOTOM, at the wavelengths of pixels.

The factor of a row is multiplied by the relative response, interpolated between its wavelengths. Where light
is dispersed without a slit, the response is that of an interval of wavelengths, and is divided by the
interval that a pixel covers. Beyond the table there is no calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import ReferenceFileError
from webbcal.exposure.response.photom_table import table_of

F64 = NDArray[np.float64]

#: Wavelengths below this are in metres.
_METRES = 1e-4


@dataclass(frozen=True, slots=True)
class Response:
    """The relative response of a row of PHOTOM.

    Attributes
    ----------
    wavelengths : (n,) float32
        µm, rising.
    values : (n,) float32
    """

    wavelengths: NDArray[np.float32]
    values: NDArray[np.float32]

    def at(self, wavelengths: NDArray[np.floating]) -> F64:
        """Return the response at some wavelengths (µm); NaN outside the table, and at NaN."""
        known = np.where(np.isnan(wavelengths), -1.0, wavelengths)
        found: F64 = np.interp(known, self.wavelengths, self.values, left=np.nan, right=np.nan)
        return found


def response_of(reference: Any, row: int) -> Response:
    """Return the response of a row of a spectral PHOTOM table.

    Raises
    ------
    ReferenceFileError
        If it has less than two wavelengths.
    """
    table = table_of(reference, spectral=True)
    count = int(table["nelem"][row]) if "nelem" in table.dtype.names else None
    waves, values = table["wavelength"][row][:count], table["relresponse"][row][:count]
    if len(waves) < 2:
        raise ReferenceFileError(
            f"{reference.name}: row {row + 1} has {len(waves)} wavelengths (nelem), too few for a spectrum; "
            "correct it, or give another file with override_photom"
        )
    if not (np.diff(waves) > 0).all():
        order = np.argsort(waves)
        waves, values = waves[order], values[order]
    if 0 < waves.max() < _METRES:
        waves = waves * np.float32(1e6)
    return Response(waves, values)


def per_pixel(response: F64, wavelengths: NDArray[np.floating], axis: int) -> F64:
    """Return a response per wavelength as one per pixel: divided by the interval of each pixel.

    The interval is that between the neighbours along the dispersion. Where one of them has no wavelength it
    is taken to be -1 µm, as in jwst; such pixels are at the ends of a spectrum.

    Parameters
    ----------
    response, wavelengths : (rows, columns)
    axis : int
        1: dispersed along rows; 2: along columns.
    """
    known = np.where(np.isnan(wavelengths), wavelengths.dtype.type(-1), wavelengths)
    along = 1 if axis == 1 else 0
    if known.shape[along] < 2:
        return np.full(known.shape, np.nan)
    with np.errstate(divide="ignore"):
        result: F64 = response / np.abs(np.gradient(known, axis=along))
    return result


def to_expected_unit(unit: str | None, name: str) -> float:
    """Return the factor from the unit of a wide-field conversion factor to MJy µm s / (DN sr).

    Raises
    ------
    ReferenceFileError
        If the unit is of another kind.
    """
    if not unit:
        return 1.0
    from astropy import units

    try:
        return float(units.Unit(unit).to(units.Unit("MJy micron s / (DN sr)")))
    except (ValueError, units.UnitConversionError) as error:
        raise ReferenceFileError(
            f"{name}: its PHOTUNIT is {unit!r}, no unit of a wide-field conversion factor ({error}); "
            "correct it, or give another file with override_photom"
        ) from None
