"""Spectra rectified: resampled to a grid of places along the slit and wavelengths."""
