"""Cutting the spectrum of a grism time series: one bright source, which is where the aperture puts it.

All columns are kept (along the dispersion), and as many rows as are asked for, with the source on the 35th
row. Source: https://jwst-docs.stsci.edu (NIRCam grism time series) for where the source is.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from webbcal import datamodels
from webbcal.core.box import Box
from webbcal.core.errors import InputError, ParameterError
from webbcal.wcs.grism_slits import grism_wcs, series_tree, wavelengths
from webbcal.wcs.tree_wcs import TreeWCS

log = logging.getLogger(__name__)

#: Row of the cut (from 0) that the source is on, and the height of a cut unless another is asked for.
_ROW, HEIGHT = 34, 64
_ARRAYS = ("data", "err", "dq", "var_poisson", "var_rnoise", "var_flat")


def cut_series(model: Any, order: int, height: int) -> Any:
    """Return the spectrum of a time series as a slit.

    Raises
    ------
    InputError
        If the exposure does not say where its source is, or is one of stripes.
    """
    meta = model.meta
    if meta.wcsinfo.siaf_xref_sci is None or meta.wcsinfo.siaf_yref_sci is None:
        raise InputError(f"{meta.filename}: XREF_SCI and YREF_SCI are not set; they say where the source is")
    wcs = grism_wcs(model)
    box = _rows(model, height)
    tree = series_tree(wcs.tree, (box.y0, box.x0), box.shape, order)
    result = datamodels.SlitModel()
    result.update(model)
    result.contents.name = model.contents.name
    for name in _ARRAYS:
        if model.has(name):
            array = getattr(model, name)
            setattr(result, name, array[(..., *box.slices)].copy())
    if model.has("int_times"):
        result.int_times = model.int_times.copy()
    result.meta.wcs = tree
    result.wavelength = wavelengths(tree, box.shape)
    _describe(result, model, box, _source_column(model, wcs), order)
    return result


def _rows(model: Any, height: int) -> Box:
    """Return the pixels of the cut.

    Raises
    ------
    ParameterError
        If the source would not be on them.
    """
    rows, columns = model.shape[-2:]
    if height <= _ROW:
        raise ParameterError(
            f"tsgrism_extract_height = {height}: the source is on row {_ROW + 1}; at least as many are wanted"
        )
    return Box(0, min(height, rows), 0, columns)


def _source_column(model: Any, wcs: TreeWCS) -> float:
    """Return the column of the source (from 0) in the direct image: offsets of the telescope move it."""
    info, dither = model.meta.wcsinfo, model.meta.dither
    x, y = dither.x_offset or 0.0, dither.y_offset or 0.0
    angle = np.radians(info.v3yangle)
    v2 = info.v2_ref + info.vparity * x * np.cos(angle) + y * np.sin(angle)
    v3 = info.v3_ref - info.vparity * x * np.sin(angle) + y * np.cos(angle)
    return float(wcs.between("v2v3", "direct_image", v2, v3, np.nan, 1)[0])


def _describe(slit: Any, model: Any, box: Box, column: float, order: int) -> None:
    """Say what the slit is and where it lies."""
    meta, target = model.meta, model.meta.target
    slit.meta.wcsinfo.siaf_xref_sci, slit.meta.wcsinfo.siaf_yref_sci = column + 1, _ROW
    slit.meta.wcsinfo.spectral_order = order
    slit.meta.wcsinfo.dispersion_direction = meta.wcsinfo.dispersion_direction
    slit.meta.bunit_data, slit.meta.bunit_err = meta.bunit_data, meta.bunit_err
    slit.name, slit.source_id = "1", 1
    slit.source_type = target.source_type
    slit.source_name, slit.source_alias = target.catalog_name, target.proposer_name
    slit.xstart, slit.xsize = 1, box.shape[1]
    slit.ystart, slit.ysize = box.y0 + 1, box.shape[0]
    slit.source_xpos, slit.source_ypos = column, float(_ROW)
