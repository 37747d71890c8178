"""Steps that combine exposures: they work on a list of calibrated images."""
