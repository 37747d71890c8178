"""The reference files that turn rates of an imager into surface brightness: FLAT, PHOTOM and AREA.

They hold the truth of the simulator. The flat is the share of the light that a pixel turns into signal, for a
sky of uniform surface brightness: its response, its gain, and its solid angle (so flats of the sky are made).
The conversion factor follows from the filter's zero point; MIRI loses throughput in time, as the exponential
table of its file says and `throughput_left` applies to what is simulated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.dqflags import pixel as DQ
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.geometry import Aperture, find_aperture
from webbcal.simulate.headers import assign
from webbcal.simulate.optics import Filter, filters_of
from webbcal.simulate.personality import Personality, normal_gain, personality
from webbcal.simulate.references import dq_arrays, reference_metadata

_DETECTOR, _SUBARRAY = "META.INSTRUMENT.DETECTOR", "META.SUBARRAY.NAME"
_ARCSEC2_PER_SR = (180.0 * 3600.0 / np.pi) ** 2
_FLAT_ERROR = 0.002
_EPOCH, _DECAY = 59720.0, 250.0  # MJD; days
_PHOTOM_MODELS = {
    "NIRCAM": "NrcImgPhotomModel",
    "NIRISS": "NisImgPhotomModel",
    "FGS": "FgsImgPhotomModel",
    "MIRI": "MirImgPhotomModel",
}
_MIRI_SUBARRAYS = ("FULL", "BRIGHTSKY", "SUB256", "SUB128", "SUB64")


def write_calibration_references(
    cache: CrdsCache, exposures: Iterable[ExposureConfig], subarray_only: bool = False
) -> None:
    """Write FLAT, PHOTOM and AREA for a set of exposures into a CRDS cache, and register them.

    Parameters
    ----------
    cache : CrdsCache
    exposures : iterable of ExposureConfig
    subarray_only : bool
        Write flats over the exposures' subarrays only. Areas always cover the detector: jwst takes them so.
    """
    configs = list(exposures)
    for detector in sorted({c.detector for c in configs}):
        same = [c for c in configs if c.detector == detector]
        frame = find_aperture(detector)
        _save(cache, frame, "area", _area_model(frame))
        _save(cache, frame, "photom", _photom_model(frame))
        for name in sorted({c.subarray for c in same}) if subarray_only else ["FULL"]:
            aperture = find_aperture(detector, name, same[0].filter)
            person = personality(detector, aperture.box, same[0].detector_seed)
            _save(cache, aperture, "flat", _flat_model(aperture, person))


def throughput_left(instrument: str, band: Filter, mjd: float) -> float:
    """Return the share of a filter's throughput that is left at a time (MJD)."""
    loss = _loss(instrument, band)
    return float(1.0 - loss + loss * np.exp(-(mjd - _EPOCH) / _DECAY))


def _loss(instrument: str, band: Filter) -> float:
    """Return the share that is lost in the end: MIRI's long filters lose most."""
    return 0.0 if instrument != "MIRI" else round(0.004 * np.exp(band.pivot / 7.0), 3)


def flat_truth(aperture: Aperture, person: Personality) -> np.ndarray:
    """Return the signal of a uniform sky in each pixel relative to a normal one, float32 (ny, nx)."""
    shape = person.sensitivity * (person.normal_gain / person.gain)
    return np.asarray(shape * (aperture.pixel_areas / aperture.nominal_area), np.float32)


def conversion_factor(aperture: Aperture, band: Filter, gain: float) -> float:
    """Return MJy/sr for 1 DN/s in a normal pixel."""
    return gain / band.electrons_from_surface_brightness(1.0, aperture.nominal_area)


def _flat_model(aperture: Aperture, person: Personality) -> Any:
    data = flat_truth(aperture, person)
    dq = np.zeros(data.shape, np.uint32)
    dq[data == 0] = DQ["NO_FLAT_FIELD"] | DQ["DO_NOT_USE"]
    dq[person.mask & DQ["LOW_QE"] != 0] |= DQ["LOW_QE"]
    data[person.reference] = np.nan
    err = np.where(data > 0, _FLAT_ERROR * data, 0).astype(np.float32)
    return datamodels.FlatModel(data=data, err=err, **dq_arrays(dq, datamodels.FlatModel))


def _area_model(aperture: Aperture) -> Any:
    model = datamodels.PixelAreaModel(data=(aperture.pixel_areas / aperture.nominal_area).astype(np.float32))
    model.meta.photometry.pixelarea_arcsecsq = aperture.nominal_area
    model.meta.photometry.pixelarea_steradians = aperture.nominal_area / _ARCSEC2_PER_SR
    return model


def _photom_model(aperture: Aperture) -> Any:
    instrument = aperture.detector.instrument
    gain = normal_gain(aperture.detector)
    model = getattr(datamodels, _PHOTOM_MODELS[instrument])()
    bands = list(filters_of(instrument).values())
    subarrays = _MIRI_SUBARRAYS if instrument == "MIRI" else ("",)
    rows = [(band, subarray) for band in bands for subarray in subarrays]
    table = np.zeros(len(rows), model.get_dtype("phot_table"))
    for row, (band, subarray) in zip(table, rows, strict=True):
        _name(row, band, subarray)
        row["photmjsr"] = conversion_factor(aperture, band, gain)
        row["uncertainty"] = 0.02 * row["photmjsr"]
    model.phot_table = table
    if instrument == "MIRI":
        model.timecoeff_exponential = _decline_table(model, rows)
    model.meta.photometry.pixelarea_arcsecsq = aperture.nominal_area
    model.meta.photometry.pixelarea_steradians = aperture.nominal_area / _ARCSEC2_PER_SR
    return model


def _decline_table(model: Any, rows: list[tuple[Filter, str]]) -> np.ndarray:
    table = np.zeros(len(rows), model.get_dtype("timecoeff_exponential"))
    for row, (band, subarray) in zip(table, rows, strict=True):
        _name(row, band, subarray)
        loss = _loss("MIRI", band)
        row["t0"], row["tau"], row["amplitude"], row["const"] = _EPOCH, _DECAY, loss, 1.0 - loss
    return table


def _name(row: Any, band: Filter, subarray: str) -> None:
    """Write the columns that select a row."""
    values = {"filter": band.wheels[0], "pupil": band.wheels[1], "subarray": subarray}
    for column in set(row.dtype.names) & set(values):
        row[column] = values[column]


def _save(cache: CrdsCache, aperture: Aperture, reftype: str, model: Any) -> None:
    match = {_DETECTOR: aperture.detector.name}
    if aperture.subarray != "FULL":
        match[_SUBARRAY] = aperture.subarray
    instrument = aperture.detector.instrument
    path = cache.path_for(instrument, reftype, match)
    metadata = reference_metadata(aperture, reftype, path)
    if reftype in ("photom", "area"):  # a table has no place on the detector; areas cover all of it
        metadata = {k: v for k, v in metadata.items() if not k.startswith("subarray.")}
    assign(model, metadata)
    model.save(path)
    cache.add(path, instrument, reftype, match)
