"""The model of a rectified spectrum: its arrays, and the metadata that follow from what was combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import datamodels
from webbcal.combine.mosaic.drizzling import Drop
from webbcal.combine.mosaic.product import describe, gathered
from webbcal.combine.mosaic.tiles import Mosaic
from webbcal.combine.rectified.footprint import slit_region, spectral_region
from webbcal.combine.rectified.grid import SpectralGrid
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.wcs.of_model import wcs_of
from webbcal.wcs.tree_wcs import TreeWCS

F32 = NDArray[np.float32]


def on_grid(mosaic: Mosaic, grid: SpectralGrid, models: Sequence[Any], blend: bool) -> Any:
    """Return the model of a rectified spectrum: its arrays, WCS and pixel areas, and what the spectra tell.

    Parameters
    ----------
    mosaic : Mosaic
        Its arrays.
    grid : SpectralGrid
    models : sequence of DataModel
        The spectra that were combined.
    blend : bool
        Whether to blend the metadata of all, with a table of them.
    """
    product = gathered(datamodels.SlitModel, models, blend, errors="err" in mosaic.arrays)
    for name, array in mosaic.arrays.items():
        setattr(product, name, array)
    product.meta.wcs = wcs_tree(grid)
    photometry = product.meta.photometry
    photometry.pixelarea_steradians, photometry.pixelarea_arcsecsq = grid.solid_angle, grid.square_arcsec
    return product


def rectified(mosaic: Mosaic, grid: SpectralGrid, models: Sequence[Any], blend: bool) -> Any:
    """Return the model of a rectified spectrum as a product: also its wavelengths, footprint and source."""
    product = on_grid(mosaic, grid, models, blend)
    product.wavelength = wavelengths(grid)
    if str(product.meta.exposure.type).upper() == "MIR_LRS-FIXEDSLIT":
        product.meta.wcsinfo.s_region = slit_region(models[0], grid)
        _move_source(product, models[0], grid)
    else:
        product.meta.wcsinfo.s_region = spectral_region(grid)
    return product


def describe_rectified(
    product: Any, grid: SpectralGrid, how: Drop, kind: str | None, fill: str, pointings: int
) -> None:
    """Set the keywords of the resampling; scale ratios of spectra are those of input to output."""
    describe(product, grid, how, kind, fill, pointings)
    product.meta.resample.pixel_scale_ratio = grid.ratio


def wcs_tree(grid: SpectralGrid) -> Tagged:
    """Return the WCS of a grid as products hold it."""
    tree: Tagged = grid.wcs.tree if isinstance(grid.wcs, TreeWCS) else tagged(grid.wcs)
    return tree


def wavelengths(grid: SpectralGrid) -> F32:
    """Return the wavelengths of all pixels of a grid, µm."""
    y, x = np.indices(grid.shape, dtype=float)
    return np.asarray(grid.wcs(x, y)[2], np.float32)


def _move_source(product: Any, first: Any, grid: SpectralGrid) -> None:
    """Tell the position of the source in the pixels of the grid: it was that of the detector."""
    place = product.source_xpos, product.source_ypos
    if None in place:
        return
    x, y = grid.wcs.invert(*wcs_of(first)(*place))
    product.source_xpos, product.source_ypos = float(x), float(y)
