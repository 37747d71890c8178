"""Whether the direct image of a field and its segmentation map are of one mosaic."""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.wcs.of_model import wcs_of

#: How far segmentation map and direct image may be from each other, pixels.
_AGREE = 0.5


def check_together(direct: Any, segmentation: Any) -> None:
    """Make sure that a direct image and a segmentation map belong together; no pixel is read.

    Parameters
    ----------
    direct : ImageModel
        The mosaic.
    segmentation : SegmentationMapModel
        One without a WCS may be of any mosaic of its shape.

    Raises
    ------
    InputError
        If they do not.
    """
    names = f"{segmentation.meta.filename} (segmentation map) and {direct.meta.filename} (direct image)"
    advice = "give the map that was made of this image (calwebb_image3: _segm and _i2d of one name)"
    if segmentation.shape != direct.shape:
        shapes = " and ".join("×".join(map(str, m.shape or ())) for m in (segmentation, direct))
        raise InputError(f"{names} have {shapes} pixels; {advice}")
    ours, theirs = wcs_of(direct), wcs_of(segmentation)
    if ours is None or theirs is None:
        return
    ny, nx = direct.shape
    corners = np.array([0, nx - 1, 0, nx - 1.0]), np.array([0, 0, ny - 1, ny - 1.0])
    ra, dec = theirs(*corners, with_bounding_box=False)[:2]
    x, y = ours.invert(ra, dec, with_bounding_box=False)[:2]
    off = np.hypot(x - corners[0], y - corners[1])
    if not (off <= _AGREE).all():  # NaN: not on the image's side of the sky
        far = f"{off.max():.1f} pixels" if np.isfinite(off).all() else "far"
        raise InputError(f"{names} are {far} apart on the sky; {advice}")
