"""Dispersing an image: each pixel of a source drawn out into its spectrum, on the pixels of the detector."""
