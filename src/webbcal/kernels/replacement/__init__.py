"""Bad pixels of spectra, estimated from the profiles along the slit beside them."""
