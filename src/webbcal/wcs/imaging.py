"""The WCS of an image: detector → v2v3 → v2v3vacorr → world.

One builder serves the four imagers; what differs is how their filter offsets are looked up.
"""

from __future__ import annotations

import logging
from typing import Any

from webbcal.core.errors import InputError, ReferenceFileError
from webbcal.core.modes import mode_of
from webbcal.core.wording import a_or_an
from webbcal.io.asdf_text import Tagged, tagged
from webbcal.io.missing_library import MissingLibrary
from webbcal.wcs import transforms, trees
from webbcal.wcs.bounds import Bounds, CompoundBounds, bounds_in
from webbcal.wcs.evaluation import forward
from webbcal.wcs.keywords import REFERENCE, required
from webbcal.wcs.kinds.kind import Unknown

log = logging.getLogger(__name__)

#: What selects a row of the filter offset reference; the guider has no filters.
_FILTER_KEYS = {
    "NIRCAM": ("filter", "pupil"),
    "NIRISS": ("filter", "pupil"),
    "MIRI": ("filter",),
    "FGS": (),
}


def imaging_wcs(model: Any, distortion: Any, filteroffset: Any | None = None) -> Tagged:
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
    Tagged
        The tree of a `gwcs.WCS` from 0-based pixels (x, y) to RA, Dec in degrees; its bounding box holds all
        pixels. Frames: detector, v2v3, v2v3vacorr (with the velocity aberration corrected), world.

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
    telescope = ("v2", "v3")
    return trees.wcs(
        [
            (
                trees.frame("detector", ("x", "y"), "pixel"),
                detector_to_telescope(model, distortion, filteroffset),
            ),
            (trees.frame("v2v3", telescope, "arcsec"), transforms.aberration_correction(factor, v2, v3)),
            (trees.frame("v2v3vacorr", telescope, "arcsec"), transforms.telescope_to_sky(**pointing)),
            (trees.sky(), None),
        ]
    )


def full_frame_to_telescope(model: Any, distortion: Any, filteroffset: Any | None) -> Tagged:
    """Return the transform from full-frame pixels to V2, V3."""
    transform = distortion_transform(distortion)
    offset = _filter_offset(model, filteroffset)
    if offset is None:
        return transform
    return trees.chain(trees.both(trees.shift(offset[0]), trees.shift(offset[1])), transform)


def detector_to_telescope(model: Any, distortion: Any, filteroffset: Any | None) -> Tagged:
    """Return the transform from pixels of the science array to V2, V3, with its bounding box."""
    bounds = _bounds_kept_with(distortion_transform(distortion), distortion.name)
    transform = full_frame_to_telescope(model, distortion, filteroffset)
    ny, nx = model.source(model.get_primary_array_name()).shape[-2:]
    x0, y0 = corner_of(model)
    full = transforms.to_full_frame(x0, y0)
    if full is not None:
        transform, bounds = trees.chain(full, transform), None
    return trees.bounded(transform, _clipped(bounds, ny, nx))


def distortion_transform(reference: Any) -> Tagged:
    """Return the transform of a reference; one of another library must be known to asdf at least."""
    transform = getattr(reference.model, "instance", {}).get("model")
    if transform is not None and not isinstance(transform, Tagged):
        transform = tagged(transform)
    try:
        forward(transform)
    except Unknown:
        try:
            made = transform.resolve() if transform is not None else None
        except MissingLibrary as missing:
            raise ReferenceFileError(
                f"{reference.name}: {missing}; or give another reference with override_distortion"
            ) from None
        if not hasattr(made, "n_inputs"):
            raise ReferenceFileError(
                f"{reference.name} holds no transform that can be read, but {a_or_an(type(made).__name__)}; "
                "give another with override_distortion"
            ) from None
    assert isinstance(transform, Tagged)
    return transform


def _bounds_kept_with(transform: Tagged, name: str) -> Bounds | None:
    """Return the bounding box of a transform of pixels (x, y), which may be one that is not known here."""
    assert isinstance(transform.value, dict)
    box = transform.value.get("bounding_box")
    if box is None:
        return None
    try:
        bounds = bounds_in(box, transform.value.get("inputs"), 2)
    except ValueError as error:
        raise ReferenceFileError(f"{name}: its transform has {error}; two pixel axes are wanted") from None
    if isinstance(bounds, CompoundBounds):
        raise ReferenceFileError(f"{name}: its transform has several bounding boxes; one is wanted")
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


def corner_of(model: Any) -> tuple[int, int]:
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
        # Of a grism there need be none.
        level = logging.WARNING if mode_of(model.meta.exposure.type).is_image else logging.INFO
        log.log(level, "%s: %s has no offset for %s", model.meta.filename, reference.name, label)
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
