"""Spectra of sources: extracted, combined, and subtracted as backgrounds."""
