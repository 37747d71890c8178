"""Backgrounds of other exposures, subtracted."""
