"""The steps between the frames of an image, as trees that any ASDF reader knows."""

from __future__ import annotations

from webbcal.core.errors import InputError
from webbcal.io.asdf_text import Tagged
from webbcal.wcs.trees import both, chain, identity, rotations, scale, shift, spherical


def telescope_to_sky(v2_ref: float, v3_ref: float, ra_ref: float, dec_ref: float, roll_ref: float) -> Tagged:
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
    return chain(
        both(scale(1 / 3600), scale(1 / 3600)),
        spherical("spherical_to_cartesian", 180),
        rotations([v2_ref / 3600.0, -v3_ref / 3600.0, roll_ref, dec_ref, -ra_ref], "zyxyz"),
        spherical("cartesian_to_spherical", 360),
        name="v23tosky",
    )


def aberration_correction(factor: float | None, v2_ref: float, v3_ref: float) -> Tagged:
    """Return the change of plate scale by velocity aberration, about the reference position (arcsec).

    Guiding keeps the reference position in place, so only distances from it scale.

    Raises
    ------
    InputError
        If the scale is not positive.
    """
    if factor is None or factor == 1:
        return identity(2)
    if factor <= 0:
        raise InputError(f"the velocity aberration scale (VA_SCALE) must be positive, not {factor}")
    stretch = both(scale(factor, "dva_scale_v2"), scale(factor, "dva_scale_v3"))
    if v2_ref == 0 and v3_ref == 0:
        return stretch
    # Scaling about a point is scaling about the origin and a shift; angles are too small to wrap.
    back = both(shift((1 - factor) * v2_ref, "dva_v2_shift"), shift((1 - factor) * v3_ref, "dva_v3_shift"))
    return chain(stretch, back, name="DVA_Correction")


def to_full_frame(x0: int, y0: int) -> Tagged | None:
    """Return the shift from a subarray to the full frame, or None for one that starts at the origin.

    Parameters
    ----------
    x0, y0 : int
        First column and row of the subarray, 0-based.
    """
    if x0 == 0 and y0 == 0:
        return None
    return both(shift(x0) if x0 else identity(1), shift(y0) if y0 else identity(1))
