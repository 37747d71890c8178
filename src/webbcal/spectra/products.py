"""Products of spectra: of slits, and of time series."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.modes import is_time_series
from webbcal.spectra.aperture import ANY
from webbcal.spectra.slit import Spectrum
from webbcal.spectra.spectral_wcs import spectral_wcs
from webbcal.spectra.tables import VECTORS, table_of

log = logging.getLogger(__name__)

#: What a spectrum takes over from its slit: whatever it is; and only if it is known.
_COPIED = (
    *(
        "slitlet_id",
        "source_id",
        "ta_xpos",
        "ta_ypos",
        "source_xpos",
        "source_ypos",
        "source_ra",
        "source_dec",
    ),
    "shutter_state",
)
_COPIED_IF_KNOWN = (
    *("source_name", "source_alias", "source_type", "stellarity", "quadrant", "slit_xscale", "slit_yscale"),
    *("wavelength_corrected", "pathloss_correction_type", "barshadow_corrected"),
)
#: Columns of times in a table of a series, by columns of INT_TIMES.
_TIMES = {
    "MJD-BEG": "int_start_MJD_UTC",
    "MJD-AVG": "int_mid_MJD_UTC",
    "MJD-END": "int_end_MJD_UTC",
    "TDB-BEG": "int_start_BJD_TDB",
    "TDB-MID": "int_mid_BJD_TDB",
    "TDB-END": "int_end_BJD_TDB",
}


def slit_product(exposure: Any, spectra: Sequence[Spectrum]) -> Any:
    """Return the product of an exposure's spectra: `MultiSpecModel`, or of a series `TSOMultiSpecModel`."""
    series = bool(spectra) and spectra[0].is_series
    product = datamodels.TSOMultiSpecModel() if series else datamodels.MultiSpecModel()
    product.update(exposure, only="PRIMARY")
    if is_time_series(exposure):
        for name in ("int_times", "int_times_stripe"):
            if exposure.has(name):
                setattr(product, name, getattr(exposure, name))
    for spectrum in spectra:
        table = _series_table(exposure, spectrum) if series else _single_table(spectrum)
        item = product.spec.item(spec_table=table)
        _describe(item, spectrum, exposure)
        product.spec.append(item)
    product.meta.target.source_type = None  # each spectrum has its own
    product.meta.wcs = None
    return product


def _single_table(spectrum: Spectrum) -> Any:
    """Return a table with a row for each wavelength."""
    columns = {name: np.asarray(spectrum.columns[name][0]) for name in VECTORS}
    return table_of(columns, {name: spectrum.units.of_column(name) for name in VECTORS})


def _series_table(exposure: Any, spectrum: Spectrum) -> Any:
    """Return a table with a row for each integration."""
    count, samples = spectrum.columns["FLUX"].shape
    numbers, times = _times(exposure, count)
    columns = {"INT_NUM": numbers} | {name: np.asarray(spectrum.columns[name]) for name in VECTORS}
    columns["N_ALONGDISP"] = np.full(count, samples, np.uint32)
    columns["SEGMENT"] = np.full(count, exposure.meta.exposure.segment_number or 1, np.int32)
    units: dict[str, str | None] = {name: spectrum.units.of_column(name) for name in VECTORS}
    return table_of(columns | times, units | dict.fromkeys(_TIMES, "d"))


def _times(exposure: Any, count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the numbers of integrations, and their times by column; NaN if the table does not have them."""
    numbers = np.arange(1, count + 1, dtype=np.int32)
    unknown = {name: np.full(count, np.nan) for name in _TIMES}
    if not is_time_series(exposure) or not exposure.has("int_times"):
        return numbers, unknown
    table, meta = exposure.int_times, exposure.meta.exposure
    first, last = meta.integration_start or 1, meta.integration_end or meta.nints
    known = np.asarray(table["integration_number"])
    if len(known) < count or first < known[0] or (last or count) > known[-1]:
        log.warning(
            "%s: the INT_TIMES table has no rows for all integrations; its times are not used",
            exposure.meta.filename,
        )
        return numbers, unknown
    rows = slice(first - known[0], first - known[0] + count)
    times = {name: np.asarray(table[column][rows], float) for name, column in _TIMES.items()}
    return known[rows].astype(np.int32), times


def _describe(item: Any, spectrum: Spectrum, exposure: Any) -> None:
    """Set the metadata of a spectrum."""
    model = spectrum.model
    if spectrum.name != ANY:
        item.name = spectrum.name
    known = model.schema["properties"] if hasattr(model, "schema") else {}
    for name in _COPIED:
        if name in known or model.has(name):
            setattr(item, name, getattr(model, name))
    for name in _COPIED_IF_KNOWN:
        value = getattr(model, name) if name in known or model.has(name) else None
        if value is not None:
            setattr(item, name, value)
    if item.source_type is None and spectrum.source_type is not None and "source_type" in known:
        item.source_type = spectrum.source_type
    item.slit_ra, item.slit_dec = spectrum.ra, spectrum.dec
    item.spectral_order, item.dispersion_direction = spectrum.order, spectrum.layout.dispaxis
    item.detector = exposure.meta.instrument.detector
    item.position_angle = model.meta.aperture.position_angle
    x0, x1, y0, y1 = spectrum.ends
    item.extraction_xstart, item.extraction_xstop = x0, x1
    item.extraction_ystart, item.extraction_ystop = y0, y1
    item.meta.model_type = "TSOSpecModel" if spectrum.is_series else "SpecModel"
    item.meta.wcs = spectral_wcs(spectrum.ra, spectrum.dec, spectrum.wavelength)
