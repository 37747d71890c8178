"""Smoothing of images in which pixels are missing."""
