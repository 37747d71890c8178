"""The reference files of slitless spectra, which hold the truth of this package.

For each exposure type, detector and, where they differ, filter and grism:

- SPECWCS: the polynomials of `optics`; that of the time series counts from the star's pixel, 1-based, as its
  pipeline does, and holds the wavelengths at that pixel;
- WAVELENGTHRANGE: where each order begins and ends, and which orders are extracted;
- FLAT: response and gain of pixels (not their area: a point source's light is not spread over it);
- PHOTOM: MJy/sr for DN/s a pixel, times micrometres a pixel, by order and wavelength; that of the time
  series, which has no aperture corrections, is for the light in the box that is extracted;
- BKG: the dispersed sky as the detector sees it (response included), its mean one;
- APCORR: what a box across the trace misses of the light;
- EXTRACT1D: of the time series, where to extract and where the sky is; the fields have none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.geometry import Aperture, find_aperture
from webbcal.simulate.grisms.dispersing import Beam, beam_of, sky_template
from webbcal.simulate.grisms.references_dispersion import range_model, specwcs_model
from webbcal.simulate.headers import assign
from webbcal.simulate.optics import PSF_GAUSSIANS, diffraction_sigma
from webbcal.simulate.personality import Personality, normal_gain, personality
from webbcal.simulate.references import dq_arrays, reference_metadata
from webbcal.simulate.references_lrs import response_flat, with_shapes

_ARCSEC2_PER_SR = (180.0 * 3600.0 / np.pi) ** 2
_SAMPLES = 900  # of a response
_SIZES = np.array([*range(1, 30), *range(30, 60, 2), *range(60, 251, 10)], np.uint8)
_BOXES = 2  # the pixel, and the parts of pixels at the ends of a box
#: Rows of the time series that are extracted, and those of the sky, from the star's.
_SERIES_BOX, _SERIES_SKY = 8, (14, 28)
_MODELS = {
    "NIRCAM": ("NrcWfssPhotomModel", "NrcWfssApcorrModel"),
    "NIRISS": ("NisWfssPhotomModel", "NisWfssApcorrModel"),
    "MIRI": ("MirWfssPhotomModel", "MirLrsApcorrModel"),
}
_WITHOUT_PLACE = ("specwcs", "wavelengthrange", "photom", "apcorr", "extract1d", "area")


def write_grism_references(
    cache: CrdsCache, exposures: Iterable[ExposureConfig], subarray_only: bool = False
) -> list[Path]:
    """Write the files that slitless exposures need beside those of imaging; return them.

    Parameters
    ----------
    cache : CrdsCache
    exposures : iterable of ExposureConfig
        Those without a grism do not matter.
    subarray_only : bool
        Write flats over the exposures' subarrays only.
    """
    paths: dict[Path, None] = {}
    for config in exposures:
        if config.grism is not None:
            paths |= dict.fromkeys(_write(cache, config, subarray_only))
    return list(paths)


def _write(cache: CrdsCache, config: ExposureConfig, subarray_only: bool) -> Iterator[Path]:
    beam = beam_of(config)
    aperture = config.aperture if subarray_only else find_aperture(config.detector)
    person = personality(config.detector, aperture.box, config.detector_seed)
    wheels = dict(zip(("FILTER", "PUPIL"), beam.grism.wheels(beam.band.wheels), strict=True))
    yield _save(cache, config, "specwcs", specwcs_model(beam), wheels)
    yield _save(cache, config, "wavelengthrange", range_model(beam), wheels)
    yield _save(cache, config, "photom", photom_model(beam), wheels)
    yield _save(cache, config, "flat", response_flat(person), wheels, aperture)
    yield _save(cache, config, "area", _area_model(beam), {})
    if beam.grism.time_series:
        yield _save(cache, config, "extract1d", extraction(beam), {})
        return
    yield _save(cache, config, "bkg", background_model(beam, person), wheels, aperture)
    yield _save(cache, config, "apcorr", apcorr_model(beam), wheels)


def photom_model(beam: Beam) -> Any:
    """Return the conversion from DN/s a pixel to MJy/sr, times micrometres a pixel."""
    instrument, aperture = beam.grism.instrument, beam.aperture
    model = getattr(datamodels, _MODELS[instrument][0])()
    columns = ("wavelength", "relresponse", "reluncertainty")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(columns, (_SAMPLES,))
    numbers = [o.number for o in beam.orders]
    table = np.zeros(len(numbers), with_shapes(model.get_dtype("phot_table"), shapes))
    wave = np.linspace(*beam.reach, _SAMPLES)
    for row, number in zip(table, numbers, strict=True):
        per_jansky = beam.sensitivity(number, wave) / normal_gain(aperture.detector)
        if beam.grism.time_series:
            per_jansky *= _extracted(beam, wave)
        response = 1e-6 / per_jansky / aperture.nominal_area * _ARCSEC2_PER_SR
        _name(row, beam, number)
        row["photmjsr"] = middle = float(response[_SAMPLES // 2])
        row["uncertainty"], row["nelem"] = 0.02 * middle, _SAMPLES
        row["wavelength"], row["relresponse"] = wave, response / middle
        row["reluncertainty"] = 0.01 * response / middle
    model.phot_table = table
    model.phot_unit, model.wave_unit = "MJy micron s / (DN sr)", "micron"
    _state_area(model, aperture)
    return model


def _name(row: Any, beam: Beam, number: int) -> None:
    """Write the columns that select a row."""
    filter_name, pupil = beam.grism.wheels(beam.band.wheels)
    values = {"filter": filter_name, "pupil": pupil, "order": number, "subarray": "FULL"}
    for column in set(row.dtype.names) & set(values):
        row[column] = values[column]


def background_model(beam: Beam, person: Personality) -> Any:
    """Return the dispersed sky on a detector, with its response; nothing where it has none."""
    template = sky_template(person.box, beam.aperture.detector.frame, beam.grism.axis)
    data = template * person.sensitivity * (person.normal_gain / person.gain)
    data = (data / data[data > 0].mean()).astype(np.float32)
    dq = np.zeros(data.shape, np.uint32)
    err = np.full(data.shape, 0.005, np.float32)
    return datamodels.WfssBkgModel(data=data, err=err, **dq_arrays(dq, datamodels.WfssBkgModel))


def apcorr_model(beam: Beam) -> Any:
    """Return the correction for boxes of a width (pixels) across the trace."""
    model = getattr(datamodels, _MODELS[beam.grism.instrument][1])()
    wave = np.linspace(*beam.reach, 40)
    shapes: dict[str, tuple[int, ...]] = {"wavelength": wave.shape, "size": _SIZES.shape}
    shapes["apcorr"] = shapes["apcorr_err"] = (len(wave), len(_SIZES))
    table = np.zeros(1, with_shapes(model.get_dtype("apcorr_table"), shapes))
    _name(table[0], beam, 1)
    table["nelem_wl"], table["nelem_size"] = len(wave), len(_SIZES)
    table["wavelength"], table["size"] = wave, _SIZES
    table["apcorr"] = 1.0 / np.stack([share_in_box(beam, wave, float(n)) for n in _SIZES], axis=1)
    table["apcorr_err"] = 0.001
    model.apcorr_table = table
    model.sizeunit = "pixels"
    return model


def share_in_box(beam: Beam, wave: np.ndarray, width: float) -> np.ndarray:
    """Return the share of a star's light within a box across the trace, by wavelength (micrometres)."""
    from scipy.special import erf

    core = diffraction_sigma(wave, beam.scale)
    sigmas = ((share, np.sqrt((f * core) ** 2 + _BOXES / 12.0)) for share, f in PSF_GAUSSIANS)
    return np.asarray(sum(share * erf(width / 2.0 / np.sqrt(2.0) / sigma) for share, sigma in sigmas))


def _extracted(beam: Beam, wave: np.ndarray) -> np.ndarray:
    """Return the share of a star's light that the box of a time series finds, less what it takes for sky."""
    near, far = (2.0 * rows for rows in _SERIES_SKY)
    sky = (share_in_box(beam, wave, far) - share_in_box(beam, wave, near)) / (far - near)
    return share_in_box(beam, wave, float(_SERIES_BOX)) - _SERIES_BOX * sky


def extraction(beam: Beam) -> dict[str, Any]:
    """Return the tree of the extraction parameters of a time series."""
    middle = beam.aperture.y_ref - 1.0 + beam.trace(beam.orders[0], 0.0, 0.0).offset(np.array(0.5))[1]
    half = _SERIES_BOX / 2.0  # edges, not pixels
    where = {
        "id": "ANY",
        "region_type": "target",
        "spectral_order": 1,
        "dispaxis": 1,
        "use_source_posn": False,
        "independent_var": "pixel",
        "src_coeff": [[float(middle - half)], [float(middle + half)]],
        "bkg_coeff": [[float(middle + d)] for d in (-_SERIES_SKY[1], -_SERIES_SKY[0], *_SERIES_SKY)],
        "bkg_fit": "poly",
        "bkg_order": 0,
    }
    return {"reftype": "EXTRACT1D", "instrument": beam.grism.instrument, "apertures": [where]}


# Files


def _area_model(beam: Beam) -> Any:
    model = datamodels.PixelAreaModel(data=np.ones(beam.aperture.detector.frame, np.float32))
    _state_area(model, beam.aperture)
    return model


def _state_area(model: Any, aperture: Aperture) -> None:
    model.meta.photometry.pixelarea_steradians = aperture.nominal_area / _ARCSEC2_PER_SR
    model.meta.photometry.pixelarea_arcsecsq = aperture.nominal_area


def _save(
    cache: CrdsCache,
    config: ExposureConfig,
    reftype: str,
    content: Any,
    wheels: dict[str, str],
    aperture: Aperture | None = None,
) -> Path:
    """Write one file and register it beside those of imaging, for the exposure type and what else matters."""
    assert config.grism is not None
    kind, instrument = config.grism.exposure_type, config.instrument
    match = {"META.EXPOSURE.TYPE": kind, "META.INSTRUMENT.DETECTOR": config.detector}
    match |= {f"META.INSTRUMENT.{name}": value for name, value in wheels.items() if value != "N/A"}
    extension = {"specwcs": ".asdf", "wavelengthrange": ".asdf", "extract1d": ".json"}.get(reftype, ".fits")
    path = cache.path_for(instrument, reftype, match, extension)
    if isinstance(content, dict):
        path.write_text(json.dumps(content, indent=1))
    else:
        metadata = reference_metadata(aperture or config.aperture, reftype, path) | {"exposure.type": kind}
        if reftype in _WITHOUT_PLACE:
            metadata = {k: v for k, v in metadata.items() if not k.startswith("subarray.")}
        if extension == ".asdf":
            metadata |= {"reftype": reftype} | _wheels(config)
        assign(content, metadata)
        content.save(path)
    cache.add(path, instrument, reftype, match)
    return path


def _wheels(config: ExposureConfig) -> dict[str, str | None]:
    """Return what a file for one grism and filter says of them."""
    assert config.grism is not None
    filter_name, pupil = config.grism.wheels(config.band.wheels)
    detector = config.aperture.detector
    values: dict[str, str | None] = {"filter": filter_name}
    if config.instrument != "MIRI":
        values["pupil"] = pupil
    if config.instrument == "NIRCAM":
        values |= {"module": detector.module, "channel": detector.channel}
    return {f"instrument.{k}": v for k, v in values.items()}
