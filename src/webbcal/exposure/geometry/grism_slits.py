"""Cutting the spectra of a field of sources from a grism exposure."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.errors import NoDataOnDetectorError
from webbcal.core.threads import run_on_threads
from webbcal.exposure.geometry.grism_boxes import GrismSource, clipped
from webbcal.wcs.grism_slits import grism_wcs, slit_tree, wavelengths

log = logging.getLogger(__name__)

#: What is cut, if the exposure has it.
_ARRAYS = ("data", "err", "dq", "var_poisson", "var_rnoise", "var_flat")


def cut_sources(model: Any, sources: Sequence[GrismSource], threads: int) -> Any:
    """Return the spectra of sources, a slit for each source and order.

    Overlapping spectra have pixels in common, which steps change for each: so they are copies.

    Raises
    ------
    NoDataOnDetectorError
        If no spectrum has two pixels on the detector.
    """
    exposure = grism_wcs(model).tree
    cuts = [
        (source, order, cut)
        for source in sources
        for order, box in source.boxes.items()
        if (cut := clipped(box, model.shape)) is not None
    ]
    if not cuts:
        raise NoDataOnDetectorError(
            f"{model.meta.filename}: no source of its catalogue has a spectrum of two rows and columns or "
            "more on the detector; there is nothing to extract (see wfss_extract_half_height)"
        )
    result = datamodels.MultiSlitModel()
    result.update(model)
    result.contents.name = model.contents.name
    arrays = {name: getattr(model, name) for name in _ARRAYS if model.has(name)}
    common = _common(model)

    def slit(what: tuple[GrismSource, int, Box]) -> dict[str, Any]:
        source, order, box = what
        tree = slit_tree(exposure, (box.y0, box.x0), box.shape, source.centre, order)
        meta = {**common, "wcs": tree, "wcsinfo": common["wcsinfo"] | {"spectral_order": order}}
        own = {name: array[box.slices].copy() for name, array in arrays.items()}
        return (
            own
            | _described(source, box)
            | {"meta": meta, "wavelength": wavelengths(tree, box.shape).astype(np.float32)}
        )

    result.slits.extend(run_on_threads(slit, cuts, threads))
    result.slits[0].meta.wcsinfo.s_region = model.meta.wcsinfo.s_region
    log.info("%s: %d spectra of %d sources", model.meta.filename, len(cuts), len(sources))
    return result


def _common(model: Any) -> dict[str, Any]:
    """Return the metadata that all slits have."""
    meta = model.meta
    about = {name: getattr(meta.wcsinfo, name) for name in ("dispersion_direction", "specsys")}
    return {
        "model_type": "SlitModel",  # jwst asks a slit of a file for it
        "wcsinfo": {name: value for name, value in about.items() if value is not None},
        "coordinates": dict(meta.coordinates.instance),
        **{name: value for name in ("bunit_data", "bunit_err") if (value := getattr(meta, name)) is not None},
    }


def _described(source: GrismSource, box: Box) -> dict[str, Any]:
    """Return what a slit says of its source and of where it lies (pixels from 1)."""
    return {
        "name": str(source.label),
        "is_extended": source.extended,
        "xstart": box.x0 + 1,
        "xsize": box.shape[1],
        "ystart": box.y0 + 1,
        "ysize": box.shape[0],
        "source_id": source.label,
        "source_xpos": source.centre[0],
        "source_ypos": source.centre[1],
        "source_ra": source.sky[0],
        "source_dec": source.sky[1],
    }
