"""The WCS of MIRI's low-resolution spectrometer: detector → alpha_beta → v2v3 → v2v3vacorr → world.

The prism disperses along columns. A table of the reference holds, for some 400 rows, the place of the trace
and the wavelength. Between detector and sky are coordinates along the slit (alpha, arcsec from its centre)
and across (beta, always 0): all light of a row that is curved like the trace is from one place.

Source: the reference of type SPECWCS (jwst-pipeline.readthedocs.io, "MIRI LRS mode"). The smooth trace and
dispersion are cubic splines by FITPACK (Dierckx 1975) with a smoothing condition of 0.002, as in `jwst`:
evaluated at the rows of the table, linear between them.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np

from webbcal.core.errors import ReferenceFileError
from webbcal.io.asdf_text import Tagged
from webbcal.wcs import transforms, trees
from webbcal.wcs.bounds import Bounds
from webbcal.wcs.evaluation import forward
from webbcal.wcs.imaging import corner_of, distortion_transform
from webbcal.wcs.keywords import REFERENCE, ApertureKeywords, required
from webbcal.wcs.velocity import barycentric

log = logging.getLogger(__name__)

_SMOOTHING = 0.002
#: Columns of reference pixels at the left edge of the slitless subarray.
_REFERENCE_COLUMNS = 4
_VERTICES = (1, 2, 3, 4)


class _Trace(NamedTuple):
    """The trace, in pixels of the science array.

    Attributes
    ----------
    centre : tuple of float
        Column and row of the reference position, 0-based.
    rows : ndarray
        Rows at which it is known; they fall.
    shift : ndarray
        Its columns there, from the centre.
    wavelength : ndarray
        µm.
    bounds : tuple
        Where light of the slit may be.
    """

    centre: tuple[float, float]
    rows: np.ndarray
    shift: np.ndarray
    wavelength: np.ndarray
    bounds: Bounds


def lrs_wcs(model: Any, distortion: Any, specwcs: Any, slitless: bool) -> Tagged:
    """Build the WCS of an LRS exposure.

    Parameters
    ----------
    model : DataModel
        The exposure: subarray and pointing keywords, VELOSYS.
    distortion : Reference
        Of the imager: the transform from full-frame pixels to V2, V3.
    specwcs : Reference
        WAVETABLE, and the reference positions of the slit and of the slitless subarray.
    slitless : bool
        Which of the two.

    Returns
    -------
    Tagged
        The tree of a `gwcs.WCS` from 0-based pixels to RA, Dec (degrees) and wavelength (µm).

    Raises
    ------
    InputError
        If pointing keywords are missing.
    ReferenceFileError
        If a reference cannot be used.
    """
    pointing = required(model, REFERENCE)
    v2, v3 = pointing["v2_ref"], pointing["v3_ref"]
    factor = getattr(model.meta.velocity_aberration, "scale_factor", None)
    trace = _trace(model, specwcs, slitless)
    to_telescope = _to_telescope(model, distortion)
    scale = _pixel_scale(to_telescope, trace.centre)
    one = trees.identity(1)
    spectrum, axes = trees.spectrum("spec", "lambda"), ("v2", "v3")

    def telescope_frame(name: str) -> Tagged:
        return trees.composite(name, trees.frame(f"{name}_spatial", axes, "arcsec"), spectrum)

    slit = trees.composite(
        "alpha_beta",
        trees.frame("alpha_beta_spatial", ("alpha", "beta"), "arcsec"),
        trees.spectrum("alpha_beta_spectral", "lambda"),
    )
    aberration = transforms.aberration_correction(factor, v2, v3)
    return trees.wcs(
        [
            (
                trees.frame("detector", ("x", "y"), "pixel"),
                _detector_to_slit(trace, scale, barycentric(model)),
            ),
            (slit, _slit_to_telescope(trace.centre, scale, to_telescope)),
            (telescope_frame("v2v3"), trees.both(aberration, one)),
            (telescope_frame("v2v3vacorr"), trees.both(transforms.telescope_to_sky(**pointing), one)),
            (trees.composite("world", trees.sky("icrs", ("RA", "DEC")), spectrum), None),
        ]
    )


def _trace(model: Any, specwcs: Any, slitless: bool) -> _Trace:
    table = _table(specwcs)
    x0, y0 = corner_of(model)
    if slitless:
        x, y = (_number(specwcs, name) - 1 for name in ("x_ref_slitless", "y_ref_slitless"))
        x, y = x - x0, y - y0
    else:
        x, y = (_number(specwcs, name) - 1 for name in ("x_ref", "y_ref"))
    rows, columns = table["y_center"] + y, table["x_center"] + x
    if not (np.diff(rows) < 0).all():
        raise ReferenceFileError(f"{specwcs.name}: rows of its WAVETABLE (Y_CENTER) do not fall")
    if slitless:
        low, high = np.floor(table["y2"].min() + y) - 0.5, np.ceil(table["y0"].max() + y) + 0.5
        # From the first column that is lit; XSIZE counts from the first of all, as this subarray does.
        bounds = (x0 + _REFERENCE_COLUMNS - 0.5, model.meta.subarray.xsize - 0.5), (low, high)
    else:
        left, right = np.floor(table["x0"].min() + x) - 0.5, np.ceil(table["x1"].max() + x) + 0.5
        bounds = (left, right), (rows.min(), rows.max())
    shift, wavelength = (_smooth(rows, values) for values in (columns - x, table["wavelength"]))
    return _Trace((x, y), rows, shift, wavelength, tuple((float(a), float(b)) for a, b in bounds))


def _smooth(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return a smooth function of falling rows, at these rows."""
    from scipy.interpolate import UnivariateSpline

    spline = UnivariateSpline(rows[::-1], values[::-1], s=_SMOOTHING)
    return np.asarray(spline(rows))


def _table(specwcs: Any) -> dict[str, np.ndarray]:
    """Return the columns of the reference's table, float64."""
    model = specwcs.model_as("MiriLRSSpecwcsModel")
    if not model.has("wavetable"):
        raise ReferenceFileError(
            f"{specwcs.name} has no WAVETABLE, which the dispersion of LRS is read from; give another with "
            "override_specwcs"
        )
    table = model.wavetable
    names = ("x_center", "y_center", "wavelength", "x0", "y0", "x1", "y2")
    found = {name: np.asarray(table[name], float) for name in names if name in table.dtype.names}
    missing = [name for name in names if name not in found]
    if missing or len(table) < 4:
        what = f"lacks {', '.join(missing)}" if missing else f"has {len(table)} rows; 4 or more are wanted"
        raise ReferenceFileError(f"{specwcs.name}: its WAVETABLE {what}")
    return found


def _number(specwcs: Any, name: str) -> float:
    value = getattr(specwcs.meta, name, None)
    if value is None:
        raise ReferenceFileError(f"{specwcs.name} does not tell the reference position (meta.{name})")
    return float(value)


def _to_telescope(model: Any, distortion: Any) -> Tagged:
    """Return the transform from pixels of the science array to V2, V3."""
    transform = distortion_transform(distortion)
    full = transforms.to_full_frame(*corner_of(model))
    return transform if full is None else trees.chain(full, transform)


def _pixel_scale(to_telescope: Tagged, centre: tuple[float, float]) -> float:
    """Return the length of a pixel along the slit, arcsec."""
    v2, v3 = forward(to_telescope)(np.array([0.0, 1.0]) + centre[0], np.full(2, centre[1]))
    return float(np.hypot(v2[1] - v2[0], v3[1] - v3[0]))


def _detector_to_slit(trace: _Trace, scale: float, velocity: Tagged | None) -> Tagged:
    """Return the transform from pixels to alpha, beta and wavelength.

    It begins with a pair of shifts that undo each other: steps (``pathloss`` of `jwst`) find the reference
    position there, as the parameters ``offset_1`` and ``offset_2`` of the transform.
    """
    (x, y), one = trace.centre, trees.remap([1], 2)
    table = trees.table(trace.rows, trace.wavelength, "waveref")
    back = trees.table(trace.wavelength, trace.rows)
    if (np.diff(trace.wavelength) < 0).all():
        back = trees.table(trace.wavelength[::-1], trace.rows[::-1])
    if velocity is not None:
        assert isinstance(velocity.value, dict)
        table, back = trees.chain(table, velocity), trees.chain(velocity.value["inverse"], back)
    shifts = trees.table(trace.rows, trace.shift, "xshiftref")
    shift_here = trees.chain(one, shifts)
    straight = trees.chain(
        trees.remap([0, 1, 0, 1], 2), trees.both(trees.difference(trees.remap([0], 2), shift_here), one)
    )
    alpha = trees.chain(trees.remap([0], 2), trees.shift(-x), trees.polynomial([0.0, scale]))
    slit = trees.chain(
        trees.chain(trees.both(trees.shift(-x), trees.shift(-y)), trees.both(trees.shift(x), trees.shift(y))),
        straight,
        trees.chain(trees.remap([0, 1, 0], 2), trees.both(alpha, trees.constant(0.0))),
    )
    there = trees.chain(trees.remap([0, 1, 0, 1], 2), trees.both(slit, trees.chain(one, table)))
    column = trees.chain(
        trees.remap([0, 2], 3),
        trees.both(trees.chain(trees.polynomial([0.0, 1 / scale]), trees.shift(x)), back),
        trees.total(trees.remap([0], 2), shift_here),
    )
    row = trees.chain(trees.remap([2], 3), back)
    inverse = trees.chain(trees.remap([0, 1, 2, 0, 1, 2], 3), trees.both(column, row))
    return trees.bounded(trees.with_inverse(there, inverse), trace.bounds)


def _slit_to_telescope(centre: tuple[float, float], scale: float, to_telescope: Tagged) -> Tagged:
    """Return the transform from alpha, beta and wavelength to V2, V3 and wavelength."""

    def pixel(zero: float) -> Tagged:
        line = trees.with_inverse(trees.polynomial([0.0, 1 / scale]), trees.polynomial([0.0, scale]))
        return trees.chain(line, trees.shift(zero))

    place = trees.chain(trees.beside(*map(pixel, centre)), to_telescope)
    return trees.chain(trees.remap([0, 1, 2], 3), trees.both(place, trees.identity(1)))


def slit_corners(specwcs: Any) -> np.ndarray | None:
    """Return V2 and V3 (arcsec) of the corners of the slit, shape (2, 4), or None if they are not given."""
    corners = [
        [getattr(specwcs.meta, f"v{axis}_vert{number}", None) for number in _VERTICES] for axis in (2, 3)
    ]
    return None if any(v is None for axis in corners for v in axis) else np.array(corners, float)


def store_dithered_position(model: Any, wcs: Any) -> None:
    """Keep RA and Dec of the dithered pointing: where a source at the reference position then is."""
    dither = model.meta.dither
    offsets = [getattr(dither, name, None) for name in ("x_offset", "y_offset")]
    if any(v is None for v in offsets):
        log.warning(
            "%s: no dither offsets (XOFFSET, YOFFSET): where the source is in the slit is not known",
            model.meta.filename,
        )
        return
    x, y = (np.array(float(v)) for v in offsets if v is not None)
    v2, v3 = ApertureKeywords.of_model(model).telescope(x, y)
    ra, dec, _ = wcs.between("v2v3", "world", v2, v3, 0.0)
    dither.dithered_ra, dither.dithered_dec = float(ra), float(dec)
