"""Sigma clipping along a short stack, pixel by pixel: what remains of several measurements."""
