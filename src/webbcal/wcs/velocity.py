"""Wavelengths as seen from the barycentre of the solar system."""

from __future__ import annotations

from typing import Any

from webbcal.io.asdf_text import Tagged
from webbcal.wcs import trees

_LIGHT = 299792458.0  # m/s


def barycentric(model: Any) -> Tagged | None:
    """Return what corrects wavelengths for the telescope's motion, or None if the file does not tell it.

    The factor is 1 / (1 + v/c), v (m/s, VELOSYS) being the velocity along the line of sight.
    """
    velocity = getattr(model.meta.wcsinfo, "velosys", None)
    if velocity is None:
        return None
    factor = 1.0 / (1.0 + float(velocity) / _LIGHT)
    one = trees.identity(1)
    back = trees.quotient(one, trees.constant(factor, "inv_vel_correction"))
    return trees.with_inverse(trees.product(one, trees.constant(factor, "velocity_correction")), back)
