"""The grid of a rectified spectrum: places along the slit, and wavelengths.

The slit runs as in the first exposure: a straight line is fitted to it on the tangent plane. Wavelengths are
those of the rows (or columns) of the first exposure, and those of others that lie beyond them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal.combine.members.output_wcs import OutputGrid, wcs_from_file
from webbcal.combine.mosaic.drizzling import Drop
from webbcal.combine.rectified.sampling import Sampled, dispersion_axis, sampled, spectral_wcs
from webbcal.combine.rectified.trees import Line, rectified_wcs
from webbcal.core.errors import InputError, PlanError
from webbcal.wcs.kinds.projections import TangentPlane
from webbcal.wcs.of_model import bounded
from webbcal.wcs.slit import slit_scale
from webbcal.wcs.tree_wcs import TreeWCS

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

_ARCSEC2 = np.degrees(3600.0) ** 2  # in a steradian


@dataclass(frozen=True, slots=True)
class SpectralGridSettings:
    """What the user wants of the grid.

    Attributes
    ----------
    ratio : float
        Input to output pixel scale along the slit.
    pixel_scale : float, optional
        Output pixel scale along the slit, arcsec; overrides the ratio.
    output_wcs : str
        ASDF file with a WCS, which overrides both; empty: none.
    output_shape : tuple of int, optional
        Columns and rows, for a WCS of a file.
    """

    ratio: float = 1.0
    pixel_scale: float | None = None
    output_wcs: str = ""
    output_shape: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SpectralGrid(OutputGrid):
    """The pixels of a rectified spectrum.

    Attributes
    ----------
    ratio : float
        Input to output pixel scale along the slit.
    solid_angle : float or None
        Area of a pixel (steradians) to which its surface brightness refers, if that of the input is known:
        it shrinks with the pixel along the slit only.
    dispersion : int
        Pixel coordinate along the dispersion: 0 for x, 1 for y.
    """

    ratio: float = 1.0
    solid_angle: float | None = None
    dispersion: int = 1

    @property
    def square_arcsec(self) -> float | None:
        """The same area in arcsec²."""
        return None if self.solid_angle is None else float(self.solid_angle * _ARCSEC2)


def spectral_grid(models: Sequence[Any], settings: SpectralGridSettings) -> SpectralGrid:
    """Return the grid that holds the spectra of one source.

    Parameters
    ----------
    models : sequence of DataModel
        Two-dimensional spectra with a WCS.
    settings : SpectralGridSettings

    Raises
    ------
    InputError
        If one has no spectral WCS, or the file with the WCS cannot be used.
    PlanError
        For NIRSpec.
    """
    first = models[0]
    if str(first.meta.instrument.name).upper() == "NIRSPEC":
        raise PlanError(
            f"{first.meta.filename}: rectified spectra of NIRSpec are not available in this version of "
            "webbcal; run with resample_spec.skip=true to go on without"
        )
    if settings.output_wcs:
        return _from_file(first, settings)
    ratio, axis = settings.ratio, dispersion_axis(first)
    area = first.meta.photometry.pixelarea_steradians
    if settings.pixel_scale is not None:
        ratio = _ratio_for(first, settings.pixel_scale, area)
    wcs = interpolated_wcs(models, ratio)
    return SpectralGrid(
        wcs=wcs,
        shape=_shape_of(wcs),
        pixel_scale=3600.0 * slit_scale(wcs, axis),
        pixel_scale_ratio=1.0 / ratio,
        ratio=ratio,
        solid_angle=None if area is None else area / ratio,
        dispersion=axis,
    )


def _ratio_for(first: Any, pixel_scale: float, area: float | None) -> float:
    """Return the input to output pixel scale for an output pixel of so many arcsec; 1 if it is not known."""
    scale = 3600.0 * slit_scale(spectral_wcs(first), dispersion_axis(first))
    if area is None or not np.isfinite(scale):
        log.warning("%s: pixel area or scale is not known; pixel_scale has no effect", first.meta.filename)
        return 1.0
    return scale / pixel_scale


def _from_file(first: Any, settings: SpectralGridSettings) -> SpectralGrid:
    wcs, tree = wcs_from_file(settings.output_wcs, settings.output_shape, axes=3)
    shape, axis = _shape_of(wcs), dispersion_axis(first)
    wcs = bounded(wcs, shape)
    scale = slit_scale(wcs, axis)
    ratio = slit_scale(spectral_wcs(first), axis) / scale
    nominal = first.meta.photometry.pixelarea_steradians
    area = None if nominal is None else nominal / ratio
    if tree.get("pixel_area") and nominal is not None:
        area = tree["pixel_area"] / _ARCSEC2
        ratio = nominal / area
    if area is None or not np.isfinite(ratio):
        area, ratio = None, 1.0
    return SpectralGrid(
        wcs=wcs, shape=shape, pixel_scale=float(tree.get("pixel_scale") or 3600.0 * scale),
        pixel_scale_ratio=1.0 / ratio, ratio=float(ratio), solid_angle=area, dispersion=axis,
    )  # fmt: skip


def _shape_of(wcs: Any) -> tuple[int, int]:
    ny, nx = wcs.array_shape
    return int(ny), int(nx)


def drop_on(grid: SpectralGrid, kernel: str, pixfrac: float) -> Drop:
    """Return how pixels are dropped on a grid.

    Errors of a mean fall with the root of the number of pixels in it, and only along the slit do the sizes of
    pixels differ: so the ratio of scales counts by its root.
    """
    return Drop(kernel, pixfrac, grid.ratio**-0.5)


# ---------------------------------------------------------------- the rule for all but NIRSpec
def interpolated_wcs(models: Sequence[Any], ratio: float) -> TreeWCS:
    """Return the WCS of the grid that holds some spectra; `ratio` is input to output pixel scale.

    Raises
    ------
    InputError
        If one of them has no spectral WCS.
    """
    axis = dispersion_axis(models[0])
    all_sampled = [sampled(model) for model in models]
    slit_ra, slit_dec = _along_slit(all_sampled[0], axis)
    centre = float(np.mean(unwrapped(slit_ra))), float(np.mean(slit_dec))
    x, y = _plane_at(centre).backward(slit_ra, slit_dec)
    slopes = _slope(x, ratio), _slope(y, ratio)
    if len(models) > 1:
        centre = _middle(all_sampled)
    plane = _plane_at(centre)
    places = np.concatenate([np.stack(plane.backward(*each.seen)) for each in all_sampled], axis=1)
    steeper = 1 if abs(slopes[0]) < abs(slopes[1]) else 0
    size = int(np.ceil(np.ptp(places[steeper]) / abs(slopes[steeper])))
    wavelengths = _wavelengths(all_sampled, axis)
    if str(models[0].meta.exposure.type).upper() == "MIR_LRS-FIXEDSLIT":
        wavelengths = wavelengths[::-1].copy()  # as on the detector
    shape = (len(wavelengths), size) if axis == 1 else (size, len(wavelengths))
    east, north = (Line(slope, -0.5 * (size - 1) * slope) for slope in slopes)
    return TreeWCS(rectified_wcs(east, north, centre, wavelengths, shape, axis))


def _along_slit(first: Sampled, axis: int) -> tuple[F64, F64]:
    """Return RA and Dec along the slit, in the middle of the dispersion.

    Raises
    ------
    InputError
        If less than two pixels there have a position.
    """
    ra, dec = (np.take(v, first.middle, axis=1 - axis) for v in (first.ra, first.dec))
    good = np.isfinite(ra) & np.isfinite(dec)
    if np.count_nonzero(good) < 2:
        raise InputError("the middle of the spectrum has no positions along the slit; check its WCS")
    return ra[good], dec[good]


def _slope(values: F64, ratio: float) -> float:
    """Return the slope of the straight line through equidistant values, by an output pixel."""
    return float(np.polynomial.Polynomial.fit(np.arange(len(values)) * ratio, values, 1).convert().coef[1])


def _plane_at(centre: tuple[float, float]) -> TangentPlane:
    return TangentPlane((0, 0), centre, (1, 1), np.eye(2))


def _middle(all_sampled: Sequence[Sampled]) -> tuple[float, float]:
    """Return the middle of the ranges of RA and Dec."""
    ra, dec = (np.concatenate(values) for values in zip(*(each.seen for each in all_sampled), strict=True))
    ra = unwrapped(ra)
    return float(ra.max() + ra.min()) / 2.0, float(dec.max() + dec.min()) / 2.0


def unwrapped(ra: F64) -> F64:
    """Return right ascensions (degrees) on one side of 0/360: that of their median."""
    median = np.median(ra)
    across = np.abs(ra - median) > 180.0
    return np.where(across, ra - np.sign(ra - median) * 360.0, ra)


def _wavelengths(all_sampled: Sequence[Sampled], axis: int) -> F64:
    """Return the wavelengths of the grid, from small to large."""
    found = np.zeros(0)
    for each in all_sampled:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            own = np.nanmedian(each.wavelength, axis=axis)
        own = own[np.isfinite(own)]
        beyond = np.ones(len(own), bool)
        if len(found):
            beyond = (own < found.min()) | (own > found.max())
        found = np.append(found, own[beyond])
    return np.unique(found)
