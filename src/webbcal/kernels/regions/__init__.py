"""Regions: connected pixels of a frame that carry a flag."""

from webbcal.kernels.regions.table import Regions, filled_area

__all__ = ["Regions", "filled_area"]
