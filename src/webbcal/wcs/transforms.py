"""The steps between the frames, as astropy models that any ASDF reader knows."""

from __future__ import annotations

from typing import Any

from astropy.modeling.models import Identity, RotationSequence3D, Scale, Shift
from gwcs.geometry import CartesianToSpherical, SphericalToCartesian

from webbcal.core.errors import InputError


def telescope_to_sky(v2_ref: float, v3_ref: float, ra_ref: float, dec_ref: float, roll_ref: float) -> Any:
    """Return the rotation from V2, V3 (arcsec) to RA (0 to 360), Dec (degrees).

    Parameters
    ----------
    v2_ref, v3_ref : float
        A position in the telescope frame, arcsec.
    ra_ref, dec_ref : float
        Where it points, degrees.
    roll_ref : float
        Position angle of V3 there, degrees.
    """
    rotation = RotationSequence3D(
        [v2_ref / 3600.0, -v3_ref / 3600.0, roll_ref, dec_ref, -ra_ref], axes_order="zyxyz"
    )
    model = (
        (Scale(1 / 3600) & Scale(1 / 3600))
        | SphericalToCartesian(wrap_lon_at=180)
        | rotation
        | CartesianToSpherical(wrap_lon_at=360)
    )
    model.name = "v23tosky"
    return model


def aberration_correction(scale: float | None, v2_ref: float, v3_ref: float) -> Any:
    """Return the change of plate scale by velocity aberration, about the reference position (arcsec).

    Guiding keeps the reference position in place, so only distances from it scale.

    Raises
    ------
    InputError
        If the scale is not positive.
    """
    if scale is None or scale == 1:
        return Identity(2)
    if scale <= 0:
        raise InputError(f"the velocity aberration scale (VA_SCALE) must be positive, not {scale}")
    stretch = Scale(scale, name="dva_scale_v2") & Scale(scale, name="dva_scale_v3")
    if v2_ref == 0 and v3_ref == 0:
        return stretch
    # Scaling about a point is scaling about the origin and a shift; angles are too small to wrap.
    model = stretch | (
        Shift((1 - scale) * v2_ref, name="dva_v2_shift") & Shift((1 - scale) * v3_ref, name="dva_v3_shift")
    )
    model.name = "DVA_Correction"
    return model


def to_full_frame(x0: int, y0: int) -> Any:
    """Return the shift from a subarray to the full frame, or None for one that starts at the origin.

    Parameters
    ----------
    x0, y0 : int
        First column and row of the subarray, 0-based.
    """
    if x0 == 0 and y0 == 0:
        return None
    return (Shift(x0) if x0 else Identity(1)) & (Shift(y0) if y0 else Identity(1))
