"""Exposures resampled onto one grid, tile by tile."""
