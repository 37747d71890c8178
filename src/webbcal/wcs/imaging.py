"""The WCS of an image: detector → v2v3 → v2v3vacorr → world.

One builder serves the four imagers; what differs is how their filter offsets are looked up.
"""

from __future__ import annotations

import logging
from typing import Any

from astropy.modeling import Model, bind_bounding_box
from astropy.modeling.models import Shift
from gwcs.wcs import WCS

from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.wcs import frames, transforms
from webbcal.wcs.keywords import REFERENCE, required

log = logging.getLogger(__name__)

#: What selects a row of the filter offset reference; the guider has no filters.
_FILTER_KEYS = {
    "NIRCAM": ("filter", "pupil"),
    "NIRISS": ("filter", "pupil"),
    "MIRI": ("filter",),
    "FGS": (),
}
Bounds = tuple[tuple[float, float], tuple[float, float]]


def imaging_wcs(model: Any, distortion: Any, filteroffset: Any | None = None) -> WCS:
    """Build the WCS of an image from its keywords and references.

    Parameters
    ----------
    model : DataModel
        The image: shape, subarray, filter, and pointing keywords.
    distortion : Reference
        Holds the transform from full-frame pixels (0-based) to V2, V3 (arcsec).
    filteroffset : Reference, optional
        Holds shifts in pixels by filter.

    Returns
    -------
    gwcs.WCS
        From 0-based pixels (x, y) to RA, Dec in degrees; its bounding box holds all pixels.

    Raises
    ------
    InputError
        If pointing keywords are missing.
    ReferenceFileError
        If a reference cannot be used.
    """
    pointing = required(model, REFERENCE)
    v2, v3 = pointing["v2_ref"], pointing["v3_ref"]
    scale = getattr(model.meta.velocity_aberration, "scale_factor", None)
    return WCS(
        [
            (frames.detector(), detector_to_telescope(model, distortion, filteroffset)),
            (frames.telescope(frames.V2V3), transforms.aberration_correction(scale, v2, v3)),
            (frames.telescope(frames.V2V3_CORRECTED), transforms.telescope_to_sky(**pointing)),
            (frames.world(), None),
        ]
    )


def detector_to_telescope(model: Any, distortion: Any, filteroffset: Any | None) -> Model:
    """Return the transform from pixels of the science array to V2, V3, with its bounding box."""
    transform = _distortion_model(distortion)
    bounds = _bounds_of(transform)
    offset = _filter_offset(model, filteroffset)
    if offset is not None:
        transform = Shift(offset[0]) & Shift(offset[1]) | transform
    ny, nx = model.source(model.get_primary_array_name()).shape[-2:]
    x0, y0 = _corner(model)
    full = transforms.to_full_frame(x0, y0)
    if full is not None:
        transform, bounds = full | transform, None
    bind_bounding_box(transform, _clipped(bounds, ny, nx), order="F")
    return transform


def _distortion_model(reference: Any) -> Model:
    """Return the reference's transform, as a copy that may be changed."""
    transform = getattr(reference.model, "model", None)
    if not isinstance(transform, Model):
        found = getattr(transform, "_tag", type(transform).__name__)
        raise ReferenceFileError(
            f"{reference.name} holds no transform that can be read ({found}). If it is one of the jwst "
            "package's own transforms, install stdatamodels beside webbcal; or give another with "
            "override_distortion"
        )
    return transform.copy()


def _bounds_of(transform: Model) -> Bounds | None:
    """Return the bounding box that the reference gives, as ((x0, x1), (y0, y1))."""
    try:
        bounds: Bounds = transform.bounding_box.bounding_box(order="F")
    except NotImplementedError:
        return None
    return bounds


def _clipped(bounds: Bounds | None, ny: int, nx: int) -> Bounds:
    """Return the bounds of all pixels, within those of the reference if it has any."""
    whole = ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
    if bounds is None:
        return whole
    (x0, x1), (y0, y1) = (
        (max(a, low), min(b, high)) for (a, b), (low, high) in zip(bounds, whole, strict=True)
    )
    return (x0, x1), (y0, y1)


def _corner(model: Any) -> tuple[int, int]:
    """Return the first column and row of the science array in the full frame, 0-based."""
    sub = model.meta.subarray
    return (getattr(sub, "xstart", None) or 1) - 1, (getattr(sub, "ystart", None) or 1) - 1


def _filter_offset(model: Any, reference: Any | None) -> tuple[float, float] | None:
    """Return the shift in columns and rows of the exposure's filter, or None.

    Raises
    ------
    InputError
        For an unknown instrument.
    ReferenceFileError
        If the reference gives several shifts for the filter.
    """
    instrument = model.meta.instrument
    keys = _FILTER_KEYS.get(str(instrument.name).upper())
    if keys is None:
        raise InputError(f"{model.meta.filename}: no imager of {instrument.name} is known")
    if reference is None or not keys:
        return None
    wanted = {key: getattr(instrument, key, None) for key in keys}
    rows = [_plain(row) for row in getattr(reference.model, "filters", None) or []]
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    label = "/".join(str(v) for v in wanted.values())
    if not found:
        log.warning("%s: %s has no offset for %s", model.meta.filename, reference.name, label)
        return None
    if len(found) > 1 and len(keys) > 1:
        raise ReferenceFileError(
            f"{reference.name} has {len(found)} offsets for {label}; one is wanted. "
            "Give another with override_filteroffset"
        )
    shift = found[0].get("column_offset", "N/A"), found[0].get("row_offset", "N/A")
    return None if any(v in ("N/A", None) for v in shift) else (float(shift[0]), float(shift[1]))


def _plain(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = row.instance if hasattr(row, "instance") else row
    return values
