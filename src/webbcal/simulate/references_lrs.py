"""The reference files of MIRI's low-resolution spectrometer, which hold the truth of `webbcal.simulate.lrs`.

One file of each type for the slit and one for the slitless subarray, told apart by EXP_TYPE:

- SPECWCS: wavelength and bend of the trace, row by row, around the place of the source;
- FLAT: response and gain of pixels (not their area: that is one number for all, in AREA);
- PHOTOM: throughput and dispersion, as a table over wavelength, and its decline in time;
- PATHLOSS: one over what the slit lets in of a star, by place (pixels from the slit's middle) and wavelength;
- APCORR: what a box across the trace misses of the light that the slit has let in;
- EXTRACT1D: where to extract: around the source in the slit, along the bent trace without;
- PSF: the profile across, wavelength by wavelength, of a star in the middle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.dqflags import pixel as DQ
from webbcal.simulate import lrs as optics
from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.crds_cache import CrdsCache
from webbcal.simulate.geometry import Aperture
from webbcal.simulate.headers import assign, exposure_type
from webbcal.simulate.lrs_light import electrons_per_jansky, pixel_area
from webbcal.simulate.personality import Personality, normal_gain, personality
from webbcal.simulate.references import dq_arrays, reference_metadata
from webbcal.simulate.slits import slit_corners

#: Width of the box that is extracted, pixels, and the sky to both sides of a slitless trace.
WIDTH = 10
_SKY = (14, 28)
_SIZES = np.arange(2, 21, dtype=np.uint8)
_FLAT_ERROR = 0.002
_ARCSEC2_PER_SR = (180.0 * 3600.0 / np.pi) ** 2
_SUBPIXELS = 10  # of the profile in a column


def write_lrs_references(cache: CrdsCache, exposures: Iterable[ExposureConfig]) -> list[Path]:
    """Write the files that exposures of the spectrometer need beside those of the imager; return them."""
    by_type = {exposure_type(c): c for c in exposures if c.lrs is not None}
    return [
        _save(cache, config, reftype, content)
        for config in by_type.values()
        for reftype, content in _contents(config)
    ]


def _contents(config: ExposureConfig) -> Iterator[tuple[str, Any]]:
    """Yield type and content (a model, or the tree of a JSON file) of the files of an exposure type."""
    aperture = config.aperture
    slit = optics.has_slit(aperture)
    yield "specwcs", specwcs_model(aperture)
    yield "flat", response_flat(personality(config.detector, aperture.box, config.detector_seed))
    yield "photom", photom_model(aperture)
    yield "area", _area_model(aperture)
    # Spectra of the slit are extracted from resampled images, which are smoother by two boxes of a pixel.
    yield "apcorr", apcorr_model(aperture, boxes=4 if slit else 2)
    yield "psf", psf_model(aperture, boxes=3 if slit else 1)
    yield "extract1d", extraction(aperture)
    if slit:
        yield "pathloss", pathloss_model(aperture)


def table_rows() -> np.ndarray:
    """Return the rows of the tables, counted upwards from the source's: from 5 to 14 micrometres."""
    return np.arange(optics.ROWS_ABOVE, -optics.ROWS_BELOW - 1, -1.0)


def specwcs_model(aperture: Aperture) -> Any:
    """Return the table of wavelengths; reference places are 1-based pixels of the full frame."""
    model = datamodels.MiriLRSSpecwcsModel()
    rows, half = table_rows(), optics.SLIT_LENGTH / aperture.x_scale / 2.0
    table = np.zeros(len(rows), model.get_dtype("wavetable"))
    table["x_center"], table["y_center"] = optics.trace(rows), rows
    table["wavelength"] = optics.wavelength(rows)
    for corner, (side, end) in enumerate(((-1, 1), (1, 1), (1, -1), (-1, -1))):
        table[f"x{corner}"] = table["x_center"] + side * half
        table[f"y{corner}"] = rows + 0.5 * end
    model.wavetable = table
    place = aperture.x_ref + aperture.box.x0, aperture.y_ref + aperture.box.y0
    suffix = "" if optics.has_slit(aperture) else "_slitless"
    for axis, value in zip("xy", place, strict=True):
        setattr(model.meta, f"{axis}_ref{suffix}", float(value))
    if optics.has_slit(aperture):
        for axis, values in zip(("v2", "v3"), slit_corners(aperture), strict=True):
            for corner, value in enumerate(values, 1):
                setattr(model.meta, f"{axis}_vert{corner}", float(value))
    return model


def photom_model(aperture: Aperture) -> Any:
    """Return the conversion from DN/s to MJy/sr by wavelength, and its decline in time."""
    rows = np.arange(optics.ROWS_ABOVE + 8, -optics.ROWS_BELOW - 12, -0.5)
    waves = optics.wavelength(rows)
    edges = np.stack([optics.wavelength(rows + 0.5), optics.wavelength(rows - 0.5)])
    electrons = np.array([electrons_per_jansky(pair)[0] for pair in edges.T])
    response = normal_gain(aperture.detector) / electrons / pixel_area(aperture) / 1e6
    middle = float(np.interp(8.0, waves, response))
    model = datamodels.MirLrsPhotomModel()
    n = len(rows)
    table = np.zeros(1, with_shapes(model.get_dtype("phot_table"), {
        "wavelength": (n,), "relresponse": (n,), "reluncertainty": (n,)
    }))  # fmt: skip
    row = table[0]
    row["filter"], row["subarray"], row["nelem"] = "P750L", aperture.subarray, n
    row["photmjsr"], row["uncertainty"] = middle, 0.02 * middle
    row["wavelength"], row["relresponse"] = waves, response / middle
    row["reluncertainty"] = 0.01 * response / middle
    model.phot_table = table
    decline = np.zeros(1, model.get_dtype("timecoeff_exponential"))
    decline["filter"], decline["subarray"] = "P750L", aperture.subarray
    decline["t0"], decline["tau"] = optics.EPOCH, optics.DECAY
    decline["amplitude"], decline["const"] = optics.LOSS, 1.0 - optics.LOSS
    model.timecoeff_exponential = decline
    _state_area(model, aperture)
    return model


def pathloss_model(aperture: Aperture) -> Any:
    """Return one over the slit's transmission for stars at places in it, longest wavelength first."""
    waves = optics.wavelength(np.linspace(optics.ROWS_ABOVE + 8, -optics.ROWS_BELOW - 8, 100))
    along, across = np.arange(-18.0, 18.1, 1.0), np.arange(-2.4, 2.41, 0.1)
    share = np.stack([
        [[optics.transmission(w, y, x, aperture.y_scale) for x in along] for y in across] for w in waves[::-1]
    ])  # fmt: skip
    model = datamodels.MirLrsPathlossModel()
    shape = share.shape[1:]
    table = np.zeros(
        len(waves),
        with_shapes(model.get_dtype("pathloss_table"), {"pathloss": shape, "pathloss_err": shape}),
    )
    table["wavelength"], table["pathloss"] = waves[::-1], 1.0 / share
    table["pathloss_err"] = 0.01 / share
    model.pathloss_table = table
    axes = {"1": (along, "x"), "2": (across, "y")}
    for axis, (places, name) in axes.items():
        values = {"crpix": 1.0, "crval": places[0], "cdelt": places[1] - places[0]}
        for keyword, value in values.items():
            setattr(model.meta.wcsinfo, keyword + axis, float(value))
        setattr(model.meta.wcsinfo, "ctype" + axis, name)
    return model


def apcorr_model(aperture: Aperture, boxes: int) -> Any:
    """Return the correction for boxes of a width (pixels) across the trace.

    Parameters
    ----------
    aperture : Aperture
    boxes : int
        How often the light is averaged over a pixel on its way: by the detector, by parts of pixels at the
        ends of the box, and twice by resampling.
    """
    waves = optics.wavelength(np.linspace(optics.ROWS_ABOVE + 8, -optics.ROWS_BELOW - 12, 60))
    model = datamodels.MirLrsApcorrModel()
    shapes = {"wavelength": waves.shape, "size": _SIZES.shape}
    shapes["apcorr"] = shapes["apcorr_err"] = (len(waves), len(_SIZES))
    table = np.zeros(1, with_shapes(model.get_dtype("apcorr_table"), shapes))
    row = table[0]
    row["subarray"], row["nelem_wl"], row["nelem_size"] = aperture.subarray, len(waves), len(_SIZES)
    row["wavelength"], row["size"] = waves, _SIZES
    row["apcorr"] = 1.0 / np.stack([share_in_box(aperture, waves, float(n), boxes) for n in _SIZES], axis=1)
    row["apcorr_err"] = 0.001
    model.apcorr_table = table
    model.sizeunit = "pixels"
    return model


def share_in_box(aperture: Aperture, waves: np.ndarray, width: float, boxes: int) -> np.ndarray:
    """Return the share of the light on the detector within a box across the trace, by wavelength."""
    from scipy.special import erf

    parts = _parts(aperture, waves)
    inside = sum(
        weight * erf(width / 2.0 / np.sqrt(2.0 * (sigma**2 + boxes / 12.0))) for weight, sigma in parts
    )
    return np.asarray(inside / sum(weight for weight, _ in parts))


def _parts(aperture: Aperture, waves: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weight and sigma across the trace of each Gaussian, for a star in the middle of the slit."""
    gaussians = zip(
        optics.sigmas(waves, aperture.x_scale), optics.sigmas(waves, aperture.y_scale), strict=True
    )
    slit = optics.has_slit(aperture)
    return [
        (share * (optics.slit_share(along, 0.0, aperture.y_scale) if slit else np.ones_like(across)), across)
        for (share, across), (_, along) in gaussians
    ]


def psf_model(aperture: Aperture, boxes: int) -> Any:
    """Return the profile across the trace by wavelength, in tenths of a pixel.

    Parameters
    ----------
    aperture : Aperture
    boxes : int
        How often the light is averaged over a pixel: by the detector, and twice by resampling.
    """
    from scipy.special import ndtr

    waves = optics.wavelength(np.linspace(optics.ROWS_ABOVE + 8, -optics.ROWS_BELOW - 12, 200))
    middle = 25 * _SUBPIXELS
    column = (np.arange(2 * middle + 1) - middle) / _SUBPIXELS
    profile = np.zeros((len(waves), len(column)))
    for weight, sigma in _parts(aperture, waves):
        wide = np.sqrt(sigma**2 + (boxes - 1) / 12.0)[:, None]
        profile += weight[:, None] * (ndtr((column + 0.5) / wide) - ndtr((column - 0.5) / wide))
    model = datamodels.SpecPsfModel()
    model.apertures.append(
        {
            "name": "ANY",
            "subpix": float(_SUBPIXELS),
            # Pipelines count columns from the edge of the first one, so half a pixel is to be added.
            "center_col": float(middle + _SUBPIXELS / 2),
            "center_row": 0.0,
            "data": profile / profile.sum(axis=1, keepdims=True),
            "wave": waves,
        }
    )
    return model


def extraction(aperture: Aperture) -> dict[str, Any]:
    """Return the tree of the extraction parameters."""
    where: dict[str, Any] = {"id": "ANY", "region_type": "target", "spectral_order": 1, "dispaxis": 2}
    if optics.has_slit(aperture):
        where |= {"use_source_posn": True, "extract_width": WIDTH}
    else:
        middle = _trace_polynomial(aperture)
        where |= {
            "use_source_posn": False,
            "independent_var": "pixel",
            "src_coeff": [_shifted(middle, side * WIDTH / 2.0) for side in (-1, 1)],
            "bkg_coeff": [_shifted(middle, d) for d in (-_SKY[1], -_SKY[0], _SKY[0], _SKY[1])],
            "bkg_fit": "poly",
            "bkg_order": 0,
        }
    return {"reftype": "EXTRACT1D", "instrument": "MIRI", "apertures": [where]}


def _trace_polynomial(aperture: Aperture) -> np.ndarray:
    """Return the trace's column (0-based) as a polynomial in the row."""
    polynomial = np.polynomial.Polynomial
    rows = np.arange(4.0) * 100.0
    columns = aperture.x_ref - 1.0 + optics.trace(rows - (aperture.y_ref - 1.0))
    return np.asarray(polynomial.fit(rows, columns, 3).convert().coef)


def _shifted(coefficients: np.ndarray, by: float) -> list[float]:
    return [float(coefficients[0] + by), *map(float, coefficients[1:])]


def response_flat(person: Personality) -> Any:
    """Return the flat of a spectrum: response and gain of pixels, not their areas."""
    data = (person.sensitivity * (person.normal_gain / person.gain)).astype(np.float32)
    dq = np.zeros(data.shape, np.uint32)
    dq[data == 0] = DQ["NO_FLAT_FIELD"] | DQ["DO_NOT_USE"]
    dq[person.mask & DQ["LOW_QE"] != 0] |= DQ["LOW_QE"]
    data[person.reference] = np.nan
    err = np.where(data > 0, _FLAT_ERROR * data, 0).astype(np.float32)
    return datamodels.FlatModel(data=data, err=err, **dq_arrays(dq, datamodels.FlatModel))


def _area_model(aperture: Aperture) -> Any:
    model = datamodels.PixelAreaModel(data=np.ones(aperture.detector.frame, np.float32))
    _state_area(model, aperture)
    return model


def _state_area(model: Any, aperture: Aperture) -> None:
    model.meta.photometry.pixelarea_steradians = pixel_area(aperture)
    model.meta.photometry.pixelarea_arcsecsq = pixel_area(aperture) * _ARCSEC2_PER_SR


def with_shapes(dtype: np.dtype, shapes: dict[str, tuple[int, ...]]) -> np.dtype:
    """Return a table's type with the shapes of its array columns."""
    fields = [(name, dtype[name].base, shapes.get(name, ())) for name in dtype.names or ()]
    return np.dtype(fields)


def _save(cache: CrdsCache, config: ExposureConfig, reftype: str, content: Any) -> Path:
    """Write one file and register it for the exposure type."""
    # By detector, too, as files of the imager are known: those of more keywords win.
    match = {"META.EXPOSURE.TYPE": exposure_type(config), "META.INSTRUMENT.DETECTOR": config.detector}
    path = cache.path_for("MIRI", reftype, match, ".json" if isinstance(content, dict) else ".fits")
    if isinstance(content, dict):
        path.write_text(json.dumps(content, indent=1))
    else:
        metadata = reference_metadata(config.aperture, reftype, path) | {
            "exposure.type": exposure_type(config)
        }
        if reftype != "flat":  # has no place on the detector
            metadata = {k: v for k, v in metadata.items() if not k.startswith("subarray.")}
        assign(content, metadata)
        content.save(path)
    cache.add(path, "MIRI", reftype, match)
    return path
