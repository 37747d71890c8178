"""One sequence of wavelengths for several spectra: clusters of their samples."""

from __future__ import annotations
