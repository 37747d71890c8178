"""Arithmetic of calibrated images: flat fields, unit conversion, and what an invalid pixel is."""
