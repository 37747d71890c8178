"""What scripts do to the WCS of an image by hand: of `jwst.tweakreg.utils` and `jwst.assign_wcs.util`."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from webbcal.core.errors import InputError
from webbcal.wcs.of_model import bounds_of, wcs_of
from webbcal.wcs.sip import update_sip
from webbcal.wcs.sip_settings import SipSettings

if TYPE_CHECKING:
    from gwcs.wcs import WCS


def adjust_wcs(
    wcs: WCS, delta_ra: Any = 0.0, delta_dec: Any = 0.0, delta_roll: Any = 0.0, scale_factor: float = 1.0
) -> WCS:
    """Return the WCS of a calibrated image with its pointing, roll and scale changed.

    Parameters
    ----------
    wcs : gwcs.WCS
        As `model.meta.wcs` of an image before stage 3; it is not changed. `tweakreg` cannot align what has
        been adjusted.
    delta_ra, delta_dec, delta_roll : float or Quantity
        Added to the angles of the rotation from V2 and V3 to the sky; degrees unless they have units.
    scale_factor : float
        Of the tangent plane at the reference point of the aperture.

    Raises
    ------
    InputError
        If the WCS has no rotation from V2 and V3 to the sky.
    """
    from astropy.units import Quantity
    from gwcs.wcs import WCS
    from tweakwcs.correctors import JWSTWCSCorrector

    steps = deepcopy(wcs.pipeline)
    to_sky = next(
        (s.transform for s in reversed(steps) if getattr(s.transform, "name", None) == "v23tosky"), None
    )
    if to_sky is None:
        raise InputError("adjust_wcs takes the WCS of a calibrated image: this one has no step 'v23tosky'")
    ra, dec, roll = (Quantity(d, "deg").value for d in (delta_ra, delta_dec, delta_roll))
    name = next(name for name in to_sky.param_names if name.startswith("angles"))
    angles = getattr(to_sky, name).value  # V2, -V3, roll, declination, -right ascension
    setattr(to_sky, name, angles + np.array([0.0, 0.0, roll, dec, -ra]))
    adjusted = WCS(steps)
    if scale_factor == 1.0:
        return adjusted
    aperture = {"v2_ref": 3600.0 * angles[0], "v3_ref": -3600.0 * angles[1], "roll_ref": 0.0}
    corrector = JWSTWCSCorrector(adjusted, aperture)
    corrector.set_correction(matrix=scale_factor * np.identity(2))
    return corrector.wcs


def update_fits_wcsinfo(
    datamodel: Any,
    max_pix_error: float = 0.01,
    degree: int | None = None,
    max_inv_pix_error: float = 0.01,
    inv_degree: int | None = None,
    npoints: int = 12,
) -> None:
    """Describe the WCS of an image in its FITS keywords again; parameters are those of `SipSettings`.

    Raises
    ------
    InputError
        If the model has no WCS of an image.
    """
    wcs = wcs_of(datamodel)
    bounds = bounds_of(wcs)
    if bounds is None:
        raise InputError(
            f"{datamodel.meta.filename}: its WCS has no bounding box: FITS keywords cannot be fitted"
        )
    update_sip(
        datamodel, wcs, bounds, SipSettings(max_pix_error, degree, max_inv_pix_error, inv_degree, npoints)
    )
