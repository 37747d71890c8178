"""webbcal: a fast, streaming science calibration pipeline for JWST.

Importing this package loads nothing heavy; subpackages load what they need when used.
"""

from webbcal.core.provided import provide

__version__ = "0.1.0"

provide("containers", "webbcal.library")
