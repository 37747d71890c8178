"""Ellipses: of the same second moments as a region, and painted into flags."""

from webbcal.kernels.ellipses.moments import Ellipse, ellipse_of
from webbcal.kernels.ellipses.placed import Placed, placed

__all__ = ["Ellipse", "Placed", "ellipse_of", "placed"]
