"""Light of other sources in the spectra of a field: simulated from a direct image, and subtracted."""
