"""Photometric calibration of spectra: slits, exposures without one, and tables of SOSS."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.core.errors import SkipStep
from webbcal.core.modes import mode_of
from webbcal.core.threads import run_on_threads
from webbcal.datamodels.lists import items_of
from webbcal.exposure.response.photom_arrays import convert, note_factor
from webbcal.exposure.response.photom_spectra import per_pixel, response_of, to_expected_unit
from webbcal.exposure.response.photom_table import Calibration
from webbcal.exposure.response.pixel_wavelengths import pixel_wavelengths
from webbcal.wcs.spectral_keywords import dispersion_axis

log = logging.getLogger(__name__)

#: Columns of a table of spectra that are converted, and those that are variances.
_COLUMNS = ("FLUX", "FLUX_ERROR", "BACKGROUND", "BKGD_ERROR")
_VARIANCES = tuple(
    f"{kind}_VAR_{source}" for kind in ("FLUX", "BKGD") for source in ("POISSON", "RNOISE", "FLAT")
)


def calibrate_spectrum(
    item: Any,
    calibration: Calibration,
    axis: int | None,
    inverse: bool,
    threads: int,
    unit_factor: float = 1.0,
) -> bool:
    """Convert one spectrum, in place; tell whether the table knows any of its wavelengths.

    Parameters
    ----------
    item : DataModel or slit
    calibration : Calibration
    axis : int or None
        1 if the light of the whole field is dispersed along rows, 2 along columns: the response is per µm.
    inverse : bool
    threads : int
    unit_factor : float
        From the unit of the table to that which is expected.

    Raises
    ------
    SkipStep
        If there is no row for its order.
    """
    factor, row = calibration.factor(item.meta.wcsinfo.spectral_order)
    wavelengths = pixel_wavelengths(item)
    response = response_of(calibration.reference, row).at(wavelengths)
    if axis is not None and mode_of(calibration.model.meta.exposure.type).optics == "grism":
        response = per_pixel(response, wavelengths, axis)
    note_factor(item, factor)
    convert(item, factor * factor.dtype.type(unit_factor), response, inverse, threads)
    return bool(np.isnan(wavelengths).all() or not np.isnan(response).all())


def say_unknown(what: str, reference: Any) -> None:
    """Warn of spectra of which the table knows no wavelength."""
    log.warning("%s no calibrated pixel: %s has none of the wavelengths", what, reference.name)


def calibrate_slits(model: Any, calibration: Calibration, inverse: bool, threads: int) -> None:
    """Convert all slits of a model, side by side; those without a row stay as they are, with a warning.

    Raises
    ------
    SkipStep
        If there is a row for none of them.
    """
    axis = dispersion_axis(model)
    unit = to_expected_unit(
        getattr(calibration.reference.model, "phot_unit", None), calibration.reference.name
    )
    slits = items_of(model)
    left: dict[int, str] = {}
    unknown: list[int] = []

    def work(numbered: tuple[int, Any]) -> None:
        number, slit = numbered
        try:
            if not calibrate_spectrum(slit, calibration, axis, inverse, 1, unit):
                unknown.append(number)
        except SkipStep as reason:
            left[number] = str(reason)

    run_on_threads(work, enumerate(slits), threads)
    if left and len(left) == len(slits):
        raise SkipStep(next(iter(left.values())))
    for reason in sorted(set(left.values())):
        count = sum(other == reason for other in left.values())
        log.warning("%d of %d slits are left as they were: %s", count, len(slits), reason)
    if unknown:
        say_unknown(f"{len(unknown)} of {len(slits)} slits have", calibration.reference)
    # Units are those of the slits.
    model.meta.bunit_data = model.meta.bunit_err = "DN/s" if inverse else None


def calibrate_tables(model: Any, calibration: Calibration, inverse: bool) -> None:
    """Convert the tables of spectra of SOSS, in place: rows are integrations, and each has its wavelengths.

    Where there is no calibration values become 0, as in jwst.

    Raises
    ------
    SkipStep
        If there is no row for an order.
    """
    for spec in items_of(model):
        factor, row = calibration.factor(spec.spectral_order)
        table = spec.spec_table
        response = response_of(calibration.reference, row).at(np.asarray(table["WAVELENGTH"], float))
        factors = np.nan_to_num(factor * response, copy=False)
        if inverse:
            factors = np.divide(1.0, factors, out=np.zeros_like(factors), where=factors != 0)
        for column in (*_COLUMNS, *_VARIANCES):
            if column in table.dtype.names:
                _multiply(table, column, factors, inverse)


def _multiply(table: Any, column: str, factors: NDArray[np.float64], inverse: bool) -> None:
    variance = column in _VARIANCES
    table[column] *= factors**2 if variance else factors
    unit = "DN/s" if inverse else "MJy"
    table.columns[column].unit = f"({unit})^2" if variance and inverse else f"{unit}^2" if variance else unit
