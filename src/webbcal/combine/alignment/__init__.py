"""Exposures aligned on each other and on the sky."""
