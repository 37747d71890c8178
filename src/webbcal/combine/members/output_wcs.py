"""The WCS of a mosaic: a tangent plane without distortion that holds all input footprints."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.combine.members.footprints import polygons_of
from webbcal.combine.members.sky_area import mean_pixel_area
from webbcal.core.errors import InputError, MissingInputError, ParameterError
from webbcal.io.opening import tree_of_asdf
from webbcal.wcs import trees
from webbcal.wcs.keywords import REFERENCE, ApertureKeywords, required
from webbcal.wcs.kinds.projections import TangentPlane
from webbcal.wcs.of_model import bounds_of, usable, wcs_of
from webbcal.wcs.tree_wcs import TreeWCS

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GridSettings:
    """What the user wants of the output grid; None: as it comes out.

    Attributes
    ----------
    crpix : tuple of float, optional
        0-based reference pixel (x, y).
    crval : tuple of float, optional
        RA, Dec of the reference pixel, degrees.
    rotation : float, optional
        Position angle of the y axis, degrees.
    pixel_scale_ratio : float
        Output to input pixel scale.
    pixel_scale : float, optional
        Output pixel scale, arcsec; overrides the ratio.
    output_shape : tuple of int, optional
        Columns and rows.
    """

    crpix: tuple[float, float] | None = None
    crval: tuple[float, float] | None = None
    rotation: float | None = None
    pixel_scale_ratio: float = 1.0
    pixel_scale: float | None = None
    output_shape: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class OutputGrid:
    """The pixels of a mosaic.

    Attributes
    ----------
    wcs : TreeWCS or gwcs.WCS
    shape : tuple of int
        Rows and columns.
    pixel_scale : float
        Arcsec.
    pixel_scale_ratio : float or None
        Output to input pixel scale, None if unknown.
    """

    wcs: Any
    shape: tuple[int, int]
    pixel_scale: float
    pixel_scale_ratio: float | None

    @property
    def pixel_area(self) -> float:
        """Nominal area of a pixel, arcsec²."""
        return self.pixel_scale**2


def grid_around(models: Sequence[Any], settings: GridSettings) -> OutputGrid:
    """Return the grid that holds all footprints, oriented and scaled as the first image.

    Parameters
    ----------
    models : sequence of DataModel
        Images with a WCS, S_REGION and aperture keywords.
    settings : GridSettings

    Raises
    ------
    InputError
        If an image has no footprint, or the first lacks its WCS or keywords.
    ParameterError
        If the grid would have less than two rows or columns.
    """
    first = models[0]
    wcs = wcs_of(first)
    if wcs is None:
        raise InputError(f"{first.meta.filename} has no WCS (meta.wcs); run assign_wcs on it first")
    reference = required(first, REFERENCE)
    if settings.pixel_scale is None:
        ratio = settings.pixel_scale_ratio
        scale = scale_at(wcs, reference["ra_ref"], reference["dec_ref"]) * ratio
    else:
        scale = settings.pixel_scale / 3600.0
        ratio = scale / np.degrees(np.sqrt(mean_pixel_area(wcs, first.shape)))
    polygons = [polygon for model in models for polygon in polygons_of(model)]
    aperture = ApertureKeywords.of_model(first)
    roll = reference["roll_ref"]
    if settings.rotation is not None:
        roll = settings.rotation + aperture.vparity * aperture.v3yangle
    crval = settings.crval or middle_of(polygons)
    crpix, bounds, shape = _place(polygons, crval, scale, aperture.pc_matrix(roll), settings)
    if min(shape) < 2:
        raise ParameterError(
            f"resample: the output image would have {shape[1]} × {shape[0]} pixels of {3600 * scale:.4g} "
            "arcsec; check pixel_scale, crpix, crval and output_shape"
        )
    result = tangent_wcs(crpix, crval, scale, aperture.pc_matrix(roll), bounds, shape)
    return OutputGrid(result, shape, 3600.0 * scale, ratio)


def scale_at(wcs: Any, ra: float, dec: float) -> float:
    """Return the pixel scale in degrees at a position: the geometric mean of both axes."""
    x, y = (float(v) for v in wcs.invert(ra, dec, with_bounding_box=False))
    lon, lat = (
        np.radians(v) for v in wcs(np.array([x, x + 1, x]), np.array([y, y, y + 1]), with_bounding_box=False)
    )
    # Haversine: exact for small separations.
    half = (
        np.sin((lat[1:] - lat[0]) / 2) ** 2
        + np.cos(lat[1:]) * np.cos(lat[0]) * np.sin((lon[1:] - lon[0]) / 2) ** 2
    )
    steps = 2 * np.arcsin(np.sqrt(half))
    return float(np.degrees(np.sqrt(steps[0] * steps[1])))


def middle_of(polygons: Sequence[F64]) -> tuple[float, float]:
    """Return RA, Dec of the middle of the box (in directions) around all vertices."""
    lon, lat = np.radians(np.vstack(polygons)).T
    vectors = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    x, y, z = 0.5 * (vectors.max(axis=1) + vectors.min(axis=1))
    return float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _place(
    polygons: Sequence[F64], crval: tuple[float, float], scale: float, pc: F64, settings: GridSettings
) -> tuple[tuple[float, float], Any, tuple[int, int]]:
    """Return the reference pixel, the bounding box and the shape that hold the polygons (or as asked for)."""
    plane = TangentPlane((0, 0), crval, (scale, scale), pc)
    corners = np.array(plane.backward(*np.vstack(polygons).T))  # pixels from the reference position
    low, high = corners.min(axis=1), corners.max(axis=1)
    crpix = -low if settings.crpix is None else np.array(settings.crpix, float)
    low, high = low + crpix, high + crpix
    if settings.output_shape is None:
        nx, ny = (int(v + 0.5) for v in high)
        bounds = (-0.5, nx - 0.5), (-0.5, ny - 0.5)
    else:
        nx, ny = settings.output_shape
        bounds = _trimmed(low[0], high[0], nx), _trimmed(low[1], high[1], ny)
    return (float(crpix[0]), float(crpix[1])), bounds, (ny, nx)


def _trimmed(low: float, high: float, size: int) -> tuple[float, float]:
    return max(0, int(low + 0.5)) - 0.5, min(int(high + 0.5), size) - 0.5


def tangent_wcs(
    crpix: tuple[float, float], crval: tuple[float, float], scale: float, pc: F64, bounds: Any,
    shape: tuple[int, int],
) -> TreeWCS:  # fmt: skip
    """Return a WCS with a FITS tangent-plane transform from pixels to the sky."""
    plane = trees.bounded(trees.tangent_plane(crpix, crval, (scale, scale), pc), bounds, ("x", "y"))
    frames = trees.frame("detector", ("x", "y"), "pixel"), trees.sky()
    return TreeWCS(trees.wcs([(frames[0], plane), (frames[1], None)], pixel_shape=shape[::-1]))


def grid_from_file(path: str, output_shape: tuple[int, int] | None, first: Any) -> OutputGrid:
    """Return the grid whose WCS is under ``wcs`` in an ASDF file.

    The file may also hold ``pixel_scale`` (arcsec) or ``pixel_area`` (arcsec²), and ``array_shape`` or
    ``pixel_shape``, for a WCS that does not know its own.

    Parameters
    ----------
    path : str
    output_shape : tuple of int, optional
        Columns and rows; overrides what the file says.
    first : DataModel
        The first image, whose nominal pixel area gives the ratio of scales.

    Raises
    ------
    InputError
        If the file is missing, no ASDF file, or holds no imaging WCS.
    ParameterError
        If nothing tells the shape.
    """
    wcs, tree = wcs_from_file(path, output_shape, axes=2)
    shape = wcs.array_shape
    scale = tree.get("pixel_scale") or (np.sqrt(tree["pixel_area"]) if tree.get("pixel_area") else None)
    if scale is None:
        scale = 3600.0 * np.degrees(np.sqrt(mean_pixel_area(wcs, shape)))
    area = first.meta.photometry.pixelarea_steradians or mean_pixel_area(wcs_of(first), first.shape)
    return OutputGrid(wcs, shape, float(scale), float(scale) / (3600.0 * np.degrees(np.sqrt(area))))


def wcs_from_file(path: str, output_shape: tuple[int, int] | None, axes: int) -> tuple[Any, dict[str, Any]]:
    """Return the WCS under ``wcs`` in an ASDF file, which knows its shape then, and the tree of the file.

    Parameters
    ----------
    path : str
    output_shape : tuple of int, optional
        Columns and rows; overrides what the file says.
    axes : int
        How many world axes it must have: 2 for an image, 3 for a spectrum.

    Raises
    ------
    InputError
        If the file is missing, no ASDF file, or holds no such WCS.
    ParameterError
        If nothing tells the shape.
    """
    if not Path(path).is_file():
        raise MissingInputError(f"output_wcs: {path} does not exist; check the path")
    tree = tree_of_asdf(path, f"output_wcs: {path}")
    wcs = usable(tree.get("wcs"))
    if _world_axes(wcs) != axes:
        kind = "imaging WCS (a gwcs.WCS with two axes)" if axes == 2 else f"gwcs.WCS with {axes} axes"
        raise InputError(f"output_wcs: {path} has no {kind} under the key 'wcs'")
    wcs.array_shape = _shape_of(wcs, tree, output_shape)
    return wcs, tree


def _world_axes(wcs: Any) -> int:
    """Return the number of world axes; 0 of what is no WCS."""
    if isinstance(wcs, TreeWCS):
        return wcs.outputs
    return int(wcs.output_frame.naxes) if hasattr(wcs, "output_frame") else 0


def _shape_of(wcs: Any, tree: dict[str, Any], output_shape: tuple[int, int] | None) -> tuple[int, int]:
    if output_shape is not None:
        return output_shape[1], output_shape[0]
    for shape in (wcs.array_shape, tree.get("array_shape"), (tree.get("pixel_shape") or ())[::-1]):
        if shape:
            return int(shape[0]), int(shape[1])
    bounds = bounds_of(wcs)
    if bounds is not None:
        (_, x1), (_, y1) = bounds
        return int(y1 + 0.5), int(x1 + 0.5)
    raise ParameterError("resample: the WCS of output_wcs does not know its shape; set output_shape")
