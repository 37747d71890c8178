"""The model of a mosaic: its arrays, and the metadata that follow from them and from the images."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from webbcal import datamodels
from webbcal.combine.members.footprints import outline, polygons_of
from webbcal.combine.members.list_step import group_of
from webbcal.combine.members.output_wcs import OutputGrid
from webbcal.combine.mosaic.blending import Blender
from webbcal.combine.mosaic.drizzling import Drop
from webbcal.combine.mosaic.inputs import measurement_time
from webbcal.combine.mosaic.tiles import Mosaic
from webbcal.io.asdf_text import tagged
from webbcal.wcs.of_model import bounds_of
from webbcal.wcs.sip import update_sip
from webbcal.wcs.sip_settings import SipSettings
from webbcal.wcs.tree_wcs import TreeWCS

_ARCSEC2 = (180.0 / 3.141592653589793 * 3600.0) ** 2  # in a steradian
#: Keywords of the detector's distortion and of the aperture: they do not describe a mosaic.
_STALE = re.compile(
    "cd[12]_[12]|[ab]p?_[0-9]_[0-9]|[ab]p?_order|sipmxerr|sipiverr"
    "|v2_ref|v3_ref|ra_ref|dec_ref|roll_ref|v3yangle|vparity"
)


def product_of(mosaic: Mosaic, grid: OutputGrid, models: Sequence[Any], blend: bool) -> Any:
    """Return the model of a mosaic of these images, with its arrays; see `metadata_of`."""
    product = metadata_of(grid, models, blend, errors="err" in mosaic.arrays)
    for name, array in mosaic.arrays.items():
        setattr(product, name, array)
    return product


def metadata_of(grid: OutputGrid, models: Sequence[Any], blend: bool, errors: bool) -> Any:
    """Return the model of a mosaic of these images, without arrays.

    Parameters
    ----------
    grid : OutputGrid
    models : sequence of DataModel
    blend : bool
        Whether to blend the metadata of all images, with a table of them.
    errors : bool
        Whether there are errors.
    """
    product = gathered(datamodels.ImageModel, models, blend, errors)
    set_wcs(product, grid)
    polygons = [polygon for model in models for polygon in polygons_of(model)]
    product.meta.wcsinfo.s_region = outline(polygons, grid.wcs, grid.shape)
    product.meta.photometry.pixelarea_arcsecsq = grid.pixel_area
    product.meta.photometry.pixelarea_steradians = grid.pixel_area / _ARCSEC2
    return product


def gathered(kind: Callable[[], Any], models: Sequence[Any], blend: bool, errors: bool) -> Any:
    """Return a model with the metadata of those that are combined in it.

    Parameters
    ----------
    kind : callable
        Its class.
    models : sequence of DataModel
    blend, errors : bool
        As in `metadata_of`.
    """
    product = kind()
    product.update(models[0])
    if blend:
        blender = Blender()
        for model in models:
            blender.add(model)
        blender.apply(product)
    if not errors and product.meta.hasattr("bunit_err"):
        del product.meta.bunit_err  # or there would be an ERR extension with nothing but this keyword
    _set_times(product, models)
    product.meta.background.level = product.meta.background.subtracted = None  # what was left is subtracted
    for name in ("pool_name", "table_name"):
        value = getattr(models[0].meta.asn, name)
        if value is not None:
            setattr(product.meta.asn, name, value)
    record = getattr(models[0].meta, "run_record", None)
    if record:
        product.meta.run_record = record
    return product


def describe(product: Any, grid: OutputGrid, how: Drop, kind: str | None, fill: str, pointings: int) -> None:
    """Set the keywords of the resampling."""
    resample = product.meta.resample
    resample.pointings = pointings
    resample.pixel_scale_ratio = grid.pixel_scale_ratio
    resample.pixfrac = how.pixfrac
    resample.kernel = how.kernel
    resample.fillval = fill
    if kind is not None:
        resample.weight_type = kind
    product.meta.cal_step.resample = "COMPLETE"


def set_wcs(product: Any, grid: OutputGrid) -> None:
    """Set the WCS, and the FITS keywords that say the same."""
    info = product.meta.wcsinfo
    for name in [name for name in info.instance if _STALE.fullmatch(name)]:
        del info.instance[name]
    tree = grid.wcs.tree if isinstance(grid.wcs, TreeWCS) else tagged(grid.wcs)
    product.meta.wcs = tree
    first, last = tree.value["steps"][0].value, tree.value["steps"][-1].value
    plane = first["transform"].value
    if first["transform"].kind != "fitswcs_imaging" or plane["projection"].kind != "gnomonic":
        ny, nx = grid.shape
        bounds = bounds_of(grid.wcs) or ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
        update_sip(product, grid.wcs, bounds, SipSettings(sip_degree=1))
        return
    info.crpix1, info.crpix2 = (float(v) + 1.0 for v in plane["crpix"])
    info.crval1, info.crval2 = (float(v) for v in plane["crval"])
    info.cdelt1, info.cdelt2 = (float(v) for v in plane["cdelt"])
    (info.pc1_1, info.pc1_2), (info.pc2_1, info.pc2_2) = ((float(a), float(b)) for a, b in plane["pc"])
    info.ctype1, info.ctype2 = "RA---TAN", "DEC--TAN"
    info.cunit1 = info.cunit2 = "deg"
    info.radesys = last["frame"].value["reference_frame"].kind.upper()


def _set_times(product: Any, models: Sequence[Any]) -> None:
    """Sum the times of the exposures: detectors that were read together count once."""
    once = list({group_of(model): model for model in reversed(models)}.values())
    times = [model.meta.exposure for model in once]
    measured = [measurement_time(model) for model in once]
    exposure = product.meta.exposure
    exposure.exposure_time = sum(t.exposure_time or 0.0 for t in times)
    exposure.effective_exposure_time = exposure.exposure_time
    exposure.duration = sum(t.duration or 0.0 for t in times)
    exposure.elapsed_exposure_time = exposure.duration
    exposure.start_time = min((t.start_time for t in times if t.start_time is not None), default=None)
    exposure.end_time = max((t.end_time for t in times if t.end_time is not None), default=None)
    exposure.measurement_time = sum(t for t, _ in measured) if all(known for _, known in measured) else None
